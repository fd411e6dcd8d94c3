//! Classes from folders.

use std::collections::{BTreeMap, BTreeSet};

use super::splits::are_splits;
use super::tree::is_archive;

/// The folders that each file is in.
pub(super) fn folders<'a>(files: &[&'a str]) -> Vec<Vec<&'a str>> {
    let parts = |file: &&'a str| {
        let mut parts: Vec<&str> = file.split('/').collect();
        parts.pop();
        parts
    };
    files.iter().map(parts).collect()
}

/// Number of outer folders that all files share: an archive often holds one folder with everything
/// in it.
pub(super) fn shared(folders: &[Vec<&str>]) -> usize {
    folders.first().map_or(0, |first| {
        let same = |d: usize| folders.iter().all(|folder| folder.get(d) == first.get(d));
        (0..first.len()).take_while(|&d| same(d)).count()
    })
}

/// The names of the classes, sorted, and the class of each file. A class is the first folder below
/// those that all files share and those that are the parts of a data set. If some files are outside
/// such a folder, there are no classes.
pub(super) fn classes(files: &[&str]) -> (Vec<String>, Vec<usize>) {
    let mut folders = folders(files);
    let shared = loop {
        let shared = shared(&folders);
        let level: Option<BTreeSet<&str>> =
            folders.iter().map(|folder| folder.get(shared).copied()).collect();
        let Some(level) = level.filter(|level| !level.is_empty()) else {
            return (Vec::new(), Vec::new());
        };
        if !are_splits(level.iter().copied()) && !level.iter().all(|name| is_archive(name)) {
            break shared;
        }
        // Parts may have more folders in common: `train/images/cat`.
        folders.iter_mut().for_each(|folder| _ = folder.drain(..=shared));
    };
    let own: Option<Vec<&str>> = folders.iter().map(|folder| folder.get(shared).copied()).collect();
    let own = own.unwrap_or_default();
    let mut numbers: BTreeMap<&str, usize> = own.iter().map(|&class| (class, 0)).collect();
    numbers.values_mut().enumerate().for_each(|(i, number)| *number = i);
    let of = own.iter().map(|class| numbers[class]).collect();
    (numbers.into_keys().map(Into::into).collect(), of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_differs() {
        struct Case {
            files: &'static [&'static str],
            labels: &'static [&'static str],
            of: &'static [usize],
        }
        let cases = [
            Case { files: &[], labels: &[], of: &[] },
            Case { files: &["x.png", "y.png"], labels: &[], of: &[] },
            Case { files: &["all/x.png", "all/y.png"], labels: &[], of: &[] },
            Case {
                files: &["dog/x.png", "cat/y.png", "cat/a/z.png", "dog/b/w.png"],
                labels: &["cat", "dog"],
                of: &[1, 0, 0, 1],
            },
            Case {
                files: &["s/dog/x.png", "s/cat/y.png", "s/eel/z.png"],
                labels: &["cat", "dog", "eel"],
                of: &[1, 0, 2],
            },
            Case { files: &["dog/x.png", "cat/y.png", "stray.png"], labels: &[], of: &[] },
            Case { files: &["s/dog/x.png", "s/stray.png"], labels: &[], of: &[] },
            Case {
                files: &["s/test/dog/x.png", "s/val/cat/y.png", "s/val/dog/z.png"],
                labels: &["cat", "dog"],
                of: &[1, 0, 1],
            },
            Case {
                files: &["a_test/a_test/dog/x.png", "a_val/a_val/cat/y.png"],
                labels: &["cat", "dog"],
                of: &[1, 0],
            },
            Case { files: &["test/x.png", "val/y.png"], labels: &[], of: &[] },
            Case { files: &["000.tar/x.png", "001.tar/y.png"], labels: &[], of: &[] },
        ];
        for Case { files, labels, of } in cases {
            let (got, got_of) = classes(files);
            assert_eq!(
                (got.iter().map(String::as_str).collect::<Vec<_>>(), &got_of[..]),
                (labels.to_vec(), of),
                "{files:?}"
            );
        }
    }
}
