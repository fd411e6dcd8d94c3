//! The image files of a folder or archive, and what lies beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{DataError, Skipped};
use super::foreign::Foreign;
use super::tree::Entry;

/// `1 image`, `2 images`.
pub fn counted(images: usize) -> String {
    match images {
        1 => "1 image".into(),
        n => format!("{n} images"),
    }
}

/// The image files of a folder or archive.
#[derive(Debug, Default)]
pub(super) struct Files {
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
    /// Remarks for the user on the choice of files.
    pub notes: Vec<String>,
    /// A file of a known format that is not supported, if there are no images.
    pub advice: Option<(String, Foreign)>,
}

impl Files {
    /// One line: `25000 images from faces64.zip, 3 skipped`.
    pub fn describe(&self, name: &str, images: usize, classes: usize) -> String {
        let mut line = format!("{} from {name}", counted(images));
        let others: usize = self.other.values().sum();
        let rest = [(classes, "classes"), (self.skipped.len(), "skipped"), (others, "other files")];
        for (n, what) in rest {
            if n > 0 {
                line += &format!(", {n} {what}");
            }
        }
        line
    }

    /// The error if none of the files is an image.
    pub fn no_images(self, path: &Path) -> DataError {
        let found = self.inventory();
        DataError::NoImages { path: PathBuf::from(path), found, advice: self.advice }
    }

    /// What there is if no image was found: `3 .txt, 2 .jpg that failed: a.jpg: not an image,
    /// b.jpg: ...`.
    fn inventory(&self) -> String {
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

/// `.txt`, or `without extension`.
pub(super) fn extension(name: &str) -> String {
    match Path::new(name).extension() {
        Some(e) => format!(".{}", e.to_string_lossy().to_ascii_lowercase()),
        None => "without extension".into(),
    }
}
