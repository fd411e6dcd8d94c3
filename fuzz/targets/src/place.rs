//! A folder for the readers that take paths, one for each thread, removed at its end.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// Extensions of pictures.
pub const EXTENSIONS: [&str; 8] = ["png", "jpg", "gif", "bmp", "webp", "tiff", "tga", "pnm"];

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("temporary files can be written");
}

/// The path of `name` in the folder.
pub fn path(name: &str) -> PathBuf {
    FOLDER.with(|folder| folder.path().join(name))
}

/// The path of a file with these bytes.
///
/// # Panics
/// If it cannot be written.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = path(name);
    fs::write(&path, bytes).expect("temporary files can be written");
    path
}
