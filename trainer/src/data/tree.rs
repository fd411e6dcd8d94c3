//! The files of a folder or an archive, and of archives in it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::Archive;
use super::blob::Blob;
use super::error::{DataError, Reason, Skipped};
use super::folder;
use super::foreign::{Foreign, HEAD};
use super::formats::{MOST_BYTES, begins_as_image};
use super::splits::{Split, split};
use super::tar::{self, Scratch};

/// A file in a folder or an archive.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Relative to the folder or archive, `/` between parts.
    pub name: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Path(PathBuf),
    /// A file of a zip archive, by number.
    Packed(Arc<Archive>, usize),
    /// A part of an archive, not compressed.
    Part(Blob),
}

/// Files, and what was found beside them.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Files, sorted by name.
    pub entries: Vec<Entry>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
    /// Hidden files.
    pub hidden: usize,
    /// Empty folders at the top level.
    pub empty: Vec<String>,
}

/// What a file contains that is not itself a folder.
pub(super) enum Opened {
    /// The files of an archive.
    Tree(Tree),
    /// One file, which is no archive.
    File(Entry),
}

/// The kinds of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pack {
    Zip,
    Tar,
    /// Compressed by gzip.
    TarGz,
}

impl Tree {
    /// The files of a folder.
    ///
    /// # Errors
    /// [`DataError::Read`] if it cannot be listed.
    pub fn folder(path: &Path) -> Result<Tree, DataError> {
        let walk = folder::walk(path)?;
        let entry = |(name, path)| Entry { name, place: Place::Path(path) };
        let entries = walk.files.into_iter().map(entry).collect();
        let folder::Walk { skipped, hidden, empty, .. } = walk;
        Ok(Tree { entries, skipped, hidden, empty }.sorted())
    }

    /// The files beside `path`, and itself: those directly in its folder.
    pub fn beside(path: &Path) -> Vec<Entry> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let files = fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
        let paths = files.map(|entry| entry.path()).filter(|path| path.is_file());
        let entry = |path: PathBuf| Entry { name: file_name(&path), place: Place::Path(path) };
        Tree { entries: paths.map(entry).collect(), ..Tree::default() }.sorted().entries
    }

    /// Path component by component, so that a folder and its archive have the same order.
    fn sorted(mut self) -> Tree {
        self.entries.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
        self
    }
}

/// Opens a file: an archive is listed, and unpacked to `scratch` if it has to be.
///
/// # Errors
/// [`DataError`]: missing, unreadable, damaged, encrypted, in a format that is not supported.
pub(super) fn open(path: &Path, scratch: &mut Scratch) -> Result<Opened, DataError> {
    let is = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => DataError::Missing(path.into()),
        _ => DataError::Read(path.into(), error),
    })?;
    // Opening a pipe would block.
    if !is.is_file() {
        return Err(DataError::NotImages(path.into()));
    }
    let entry = Entry { name: file_name(path), place: Place::Path(path.into()) };
    Ok(match entry.pack(path)? {
        Some(pack) => Opened::Tree(entry.unpack(pack, path, scratch)?),
        None => Opened::File(entry),
    })
}

impl Entry {
    /// Its name without folders.
    pub fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// The folder that it is in, with `/` at the end unless empty.
    pub fn folder(&self) -> &str {
        &self.name[..self.name.len() - self.file_name().len()]
    }

    /// Its bytes from the beginning.
    pub fn reader(&self) -> Result<Box<dyn Read + Send>, Reason> {
        match &self.place {
            Place::Path(path) => Ok(Box::new(File::open(path).map_err(Reason::Read)?)),
            Place::Packed(archive, i) => archive.reader(*i),
            Place::Part(blob) => Ok(Box::new(blob.reader())),
        }
    }

    /// Its bytes, decompressed if they are compressed by gzip.
    pub fn plain(&self) -> Result<Box<dyn Read + Send>, Reason> {
        tar::plain(self.reader()?).map_err(Reason::Read)
    }

    /// The first `most` bytes, or all.
    pub fn head(&self, most: u64) -> Result<Vec<u8>, Reason> {
        read(self.reader()?, most)
    }

    /// The first `most` bytes after decompression.
    pub fn plain_head(&self, most: u64) -> Result<Vec<u8>, Reason> {
        read(self.plain()?, most)
    }

    /// The whole file.
    ///
    /// # Errors
    /// [`Reason`]: unreadable, damaged, too long.
    pub fn read(&self) -> Result<Vec<u8>, Reason> {
        let bytes = self.head(MOST_BYTES + 1)?;
        match bytes.len() as u64 > MOST_BYTES {
            true => Err(Reason::Long),
            false => Ok(bytes),
        }
    }

    /// Bytes that it takes on the disk.
    pub fn stored(&self) -> u64 {
        match &self.place {
            Place::Path(path) => fs::metadata(path).map_or(0, |is| is.len()),
            Place::Packed(archive, i) => archive.stored(*i),
            Place::Part(blob) => blob.len(),
        }
    }

    /// Its length.
    pub fn size(&self) -> u64 {
        match &self.place {
            Place::Packed(archive, i) => archive.size(*i),
            Place::Path(_) | Place::Part(_) => self.stored(),
        }
    }

    /// What archive it is, if it is one.
    ///
    /// # Errors
    /// [`DataError::Archive`] if it cannot be read: it is called `path`.
    pub fn pack(&self, path: &Path) -> Result<Option<Pack>, DataError> {
        let failed = |reason| reading(path, reason);
        let head = self.head(HEAD as u64).map_err(failed)?;
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Ok(Some(Pack::Zip));
        }
        if tar::begins_as_tar(&head) {
            return Ok(Some(Pack::Tar));
        }
        let packed = || self.plain_head(HEAD as u64).is_ok_and(|head| tar::begins_as_tar(&head));
        Ok((tar::begins_as_gzip(&head) && packed()).then_some(Pack::TarGz))
    }

    /// The files of the archive that it is; what has to be unpacked for that goes to `scratch`.
    ///
    /// # Errors
    /// [`DataError`] with `path`: damaged, encrypted, too large to unpack.
    pub fn unpack(
        &self,
        pack: Pack,
        path: &Path,
        scratch: &mut Scratch,
    ) -> Result<Tree, DataError> {
        let failed = |reason| reading(path, reason);
        if let Place::Path(_) = self.place {
            scratch.allow(self.stored());
        }
        let blob = match (pack, self.blob().map_err(failed)?) {
            (Pack::Zip | Pack::Tar, Some(blob)) => blob,
            (Pack::Zip | Pack::Tar, None) => {
                scratch.unpack(self.reader().map_err(failed)?, path)?
            }
            (Pack::TarGz, _) => scratch.unpack(self.plain().map_err(failed)?, path)?,
        };
        let mut tree = Tree::default();
        match pack {
            Pack::Zip => {
                let (archive, listing) = Archive::open(blob, path)?;
                let archive = Arc::new(archive);
                let entry = |(name, i)| Entry { name, place: Place::Packed(archive.clone(), i) };
                tree.entries = listing.files.into_iter().map(entry).collect();
                tree.hidden = listing.hidden;
            }
            Pack::Tar | Pack::TarGz => {
                let listing = tar::list(&blob, path)?;
                let entry = |(name, part)| Entry { name, place: Place::Part(part) };
                tree.entries = listing.files.into_iter().map(entry).collect();
                tree.hidden = listing.hidden;
            }
        }
        Ok(tree.sorted())
    }

    /// Its bytes at any place, if they are not compressed.
    fn blob(&self) -> Result<Option<Blob>, Reason> {
        match &self.place {
            Place::Path(path) => Blob::open(path).map(Some).map_err(Reason::Read),
            Place::Packed(archive, i) => archive.part(*i),
            Place::Part(blob) => Ok(Some(blob.clone())),
        }
    }

    /// What it is if it is in a known format that is not supported.
    pub fn foreign(&self) -> Option<Foreign> {
        Foreign::of(&self.head(HEAD as u64).ok()?, &self.name)
    }

    /// Whether it begins with the mark of an image.
    pub fn begins_as_image(&self) -> bool {
        // 16 bytes hold every magic number.
        self.head(16).is_ok_and(|head| begins_as_image(&head))
    }
}

/// The files of `archives` in one tree, in a folder for each. If some are for training and others
/// for testing, only the former are opened.
///
/// # Errors
/// As [`Entry::unpack`]; `root` is the path of what they are in.
pub(super) fn unpack_all(
    archives: Vec<(Entry, Pack)>,
    root: &Path,
    scratch: &mut Scratch,
) -> Result<Tree, DataError> {
    let is_train = |(entry, _): &(Entry, Pack)| split(entry.file_name()) == Split::Train;
    let some = archives.iter().any(is_train);
    let is_test = |(entry, _): &(Entry, Pack)| split(entry.file_name()) > Split::Unknown;
    let mut all = Tree::default();
    let single = archives.len() == 1;
    let parts = are_parts(&archives);
    for one in &archives {
        if some && is_test(one) {
            continue;
        }
        let (entry, pack) = one;
        let tree = entry.unpack(*pack, &root.join(&entry.name), scratch)?;
        // The name of one that is a part of several says nothing about what is in it, and keeps
        // its extension to show that.
        let folder = match (single, parts) {
            (true, _) => String::new(),
            (false, true) => format!("{}/", entry.name),
            (false, false) => format!("{}/", stem(&entry.name)),
        };
        all.hidden += tree.hidden;
        all.entries.extend(
            tree.entries.into_iter().map(|e| Entry { name: format!("{folder}{}", e.name), ..e }),
        );
    }
    Ok(all.sorted())
}

/// Whether archives are numbered parts of one set: `shard-0001.tar`, `shard-0002.tar`. Numbers
/// that do not follow each other are names: ImageNet's `n01440764.tar`, `n01443537.tar`.
fn are_parts(archives: &[(Entry, Pack)]) -> bool {
    let number = |(entry, _): &(Entry, Pack)| {
        let stem = stem(entry.file_name()).trim_end_matches(')');
        let series = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        Some((series.to_string(), stem[series.len()..].parse::<u64>().ok()?))
    };
    let Some(mut numbers) = archives.iter().map(number).collect::<Option<Vec<_>>>() else {
        return false;
    };
    numbers.sort();
    numbers.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1)
}

/// A name of an archive without its extension.
fn stem(name: &str) -> &str {
    let ends = [".tar.gz", ".tgz", ".tar", ".zip", ".npz"];
    let cut = |end: &&str| name.get(name.len().checked_sub(end.len())?..);
    let end = ends.iter().find(|end| cut(end).is_some_and(|tail| tail.eq_ignore_ascii_case(end)));
    end.map_or(name, |end| &name[..name.len() - end.len()])
}

/// Whether a folder's name is that of an archive.
pub(super) fn is_archive(name: &str) -> bool {
    stem(name).len() < name.len()
}

fn read(from: Box<dyn Read + Send>, most: u64) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    from.take(most).read_to_end(&mut bytes).map_err(Reason::Read)?;
    Ok(bytes)
}

fn reading(path: &Path, reason: Reason) -> DataError {
    match reason {
        Reason::Read(error) => DataError::Read(path.into(), error),
        other => DataError::Lost(Skipped { name: path.display().to_string(), reason: other }),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into()
}
