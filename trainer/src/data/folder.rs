//! The files of a folder.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::archive::is_hidden;
use super::error::{DataError, Reason, Skipped};

/// The files of a folder.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Files that are not hidden: names relative to the folder, with `/` between parts.
    pub files: Vec<(String, PathBuf)>,
    /// Folders that could not be listed.
    pub skipped: Vec<Skipped>,
    /// Hidden files.
    pub hidden: usize,
    /// Empty folders at the top level.
    pub empty: Vec<String>,
}

/// All files below `root`; hidden ones are counted. Links are followed, but no
/// folder is entered twice, so a link to a parent is harmless.
///
/// # Errors
/// [`DataError::Read`] if `root` itself cannot be listed.
pub(super) fn walk(root: &Path) -> Result<Walk, DataError> {
    let mut walk = Walk::default();
    let mut entered = HashSet::new();
    let mut folders = VecDeque::from([(String::new(), root.to_path_buf())]);
    while let Some((name, path)) = folders.pop_front() {
        match list(&path, &mut entered) {
            Ok(children) => {
                if children.is_empty() && !name.is_empty() && !name.contains('/') {
                    walk.empty.push(name.clone());
                }
                for child in children {
                    place(&name, child, &mut walk, &mut folders);
                }
            }
            Err(error) if name.is_empty() => return Err(DataError::Read(path, error)),
            Err(error) => {
                walk.skipped.push(Skipped { name: name + "/", reason: Reason::Read(error) })
            }
        }
    }
    Ok(walk)
}

/// A folder's entries, sorted by name; none if it was entered before.
fn list(path: &Path, entered: &mut HashSet<PathBuf>) -> io::Result<Vec<PathBuf>> {
    if !entered.insert(path.canonicalize()?) {
        return Ok(Vec::new());
    }
    let mut children =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    // The order of the file system must not decide which of two links to a folder is entered.
    children.sort();
    Ok(children)
}

fn place(parent: &str, path: PathBuf, walk: &mut Walk, folders: &mut VecDeque<(String, PathBuf)>) {
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    if is_hidden(&own) {
        walk.hidden += 1;
        return;
    }
    let name = match parent {
        "" => own.into_owned(),
        parent => format!("{parent}/{own}"),
    };
    match fs::metadata(&path) {
        Ok(is) if is.is_dir() => folders.push_back((name, path)),
        Ok(is) if is.is_file() => walk.files.push((name, path)),
        // Pipes, sockets and devices: reading one could block forever.
        Ok(_) => {}
        Err(error) => walk.skipped.push(Skipped { name, reason: Reason::Read(error) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_and_nested_folders() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        };
        for name in ["b.png", "a/z.png", "a/b/c.png", ".hidden.png", ".git/x.png", "a/.b/y.png"] {
            make(name);
        }
        let walk = walk(dir.path()).unwrap();
        let mut names: Vec<&str> = walk.files.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["a/b/c.png", "a/z.png", "b.png"]);
        assert_eq!(walk.hidden, 3);
    }

    #[cfg(unix)]
    #[test]
    fn links_do_no_harm() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/c.png"), "c").unwrap();
        symlink(root, root.join("a/b/up")).unwrap();
        symlink(root.join("a"), root.join("a/b/round")).unwrap();
        symlink(root.join("a/b/c.png"), root.join("linked.png")).unwrap();
        symlink(root.join("nowhere"), root.join("broken.png")).unwrap();
        let walk = walk(root).unwrap();
        let names: Vec<&str> = walk.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["linked.png", "a/b/c.png"]);
        let skipped: Vec<&str> = walk.skipped.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(skipped, ["broken.png"]);
    }
}
