//! Image files in a folder or a zip archive, in an order that does not depend on the file system.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::Archive;
use super::error::{DataError, Reason, Skipped};
use super::folder;
use super::formats::{Claim, MOST_BYTES, begins_as_image, claim};

/// A file that may be an image.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Relative to the folder or archive, `/` between parts.
    pub name: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Path(PathBuf),
    Number(Arc<Archive>, usize),
}

/// The files of a folder or archive.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files that may be images, by name.
    pub entries: Vec<Entry>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
    /// Other files, counted by extension (`.txt`).
    pub other: BTreeMap<String, usize>,
    /// Hidden files.
    pub hidden: usize,
    /// Empty folders at the top level.
    pub empty: Vec<String>,
}

impl Found {
    /// One line: `25000 images from faces64.zip, 3 skipped`.
    pub fn describe(&self, name: &str, images: usize, classes: usize) -> String {
        let mut line = format!("{images} images from {name}");
        let others: usize = self.other.values().sum();
        let rest = [(classes, "classes"), (self.skipped.len(), "skipped"), (others, "other files")];
        for (count, what) in rest {
            if count > 0 {
                line += &format!(", {count} {what}");
            }
        }
        line
    }

    /// What there is if no image was found: `3 .txt, 2 .jpg that failed: a.jpg: not an image,
    /// b.jpg: ...`.
    pub fn inventory(&self) -> String {
        const SHOWN: usize = 3;
        let mut failed = BTreeMap::<String, usize>::new();
        for skipped in &self.skipped {
            *failed.entry(extension(&skipped.name)).or_default() += 1;
        }
        let count = |counts: &BTreeMap<String, usize>, tail: &str| -> Vec<String> {
            counts.iter().map(|(kind, n)| format!("{n} {kind}{tail}")).collect()
        };
        let mut parts = count(&self.other, "");
        if self.hidden > 0 {
            parts.push(format!("{} hidden", self.hidden));
        }
        parts.extend(count(&failed, " that failed"));
        if parts.is_empty() {
            return "no files".into();
        }
        let shown: Vec<String> = self.skipped.iter().take(SHOWN).map(ToString::to_string).collect();
        let more = match self.skipped.len() > SHOWN {
            true => ", ...",
            false => "",
        };
        match shown.is_empty() {
            true => parts.join(", "),
            false => format!("{} ({}{more})", parts.join(", "), shown.join(", ")),
        }
    }
}

/// Lists the possible images of a folder or archive, or the one image at `path`.
///
/// # Errors
/// [`DataError`] names the path: missing, unreadable, not an archive, damaged, encrypted.
pub(super) fn find(path: &Path) -> Result<Found, DataError> {
    let is = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => DataError::Missing(path.into()),
        _ => DataError::Read(path.into(), error),
    })?;
    let mut found = Found::default();
    let mut files: Vec<Entry> = if is.is_dir() {
        let walk = folder::walk(path)?;
        (found.skipped, found.hidden, found.empty) = (walk.skipped, walk.hidden, walk.empty);
        let entry = |(name, path)| Entry { name, place: Place::Path(path) };
        walk.files.into_iter().map(entry).collect()
    } else if is.is_file() && folder::head(path, 16).is_ok_and(|head| begins_as_image(&head)) {
        let name = path.file_name().unwrap_or(path.as_os_str());
        vec![Entry { name: name.to_string_lossy().into(), place: Place::Path(path.into()) }]
    } else if is.is_file() {
        let (archive, listing) = Archive::open(path)?;
        found.hidden = listing.hidden;
        let archive = Arc::new(archive);
        let entry = |(name, i)| Entry { name, place: Place::Number(archive.clone(), i) };
        listing.files.into_iter().map(entry).collect()
    } else {
        return Err(DataError::NotAnArchive(path.into()));
    };
    // Path component by component, so that a folder and its archive have the same order.
    files.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
    for file in files {
        match file.may_be_image() {
            true => found.entries.push(file),
            false => *found.other.entry(extension(&file.name)).or_default() += 1,
        }
    }
    Ok(found)
}

impl Entry {
    fn may_be_image(&self) -> bool {
        match claim(&self.name) {
            Claim::Image | Claim::Foreign => true,
            // 16 bytes hold every magic number.
            Claim::Other => self.head(16).is_ok_and(|head| begins_as_image(&head)),
        }
    }

    fn head(&self, most: u64) -> Result<Vec<u8>, Reason> {
        match &self.place {
            Place::Path(path) => folder::head(path, most),
            Place::Number(archive, i) => archive.head(*i, most),
        }
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
}

/// `.txt`, or `without extension`.
fn extension(name: &str) -> String {
    match Path::new(name).extension() {
        Some(e) => format!(".{}", e.to_string_lossy().to_ascii_lowercase()),
        None => "without extension".into(),
    }
}
