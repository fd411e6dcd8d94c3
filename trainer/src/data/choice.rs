//! Which images of a folder or archive are used: not those that lie in folders for other purposes.

use std::collections::BTreeMap;

use super::labels::{folders, shared};
use super::splits::{Split, has_splits, split};
use super::tree::Entry;

/// The images to use if folders lie beside each other that have different purposes: those for
/// training, and those that are not masks; and a line about the others.
pub(super) fn chosen(mut images: Vec<Entry>) -> (Vec<Entry>, Vec<String>) {
    let mut notes = Vec::new();
    for choose in [split_choice, mask_choice] {
        let names: Vec<&str> = images.iter().map(|entry| entry.name.as_str()).collect();
        let folders = folders(&names);
        let level = shared(&folders);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for folder in folders.iter().filter_map(|folder| folder.get(level)) {
            *counts.entry(folder).or_default() += 1;
        }
        let all: Vec<&str> = counts.keys().copied().collect();
        let Some(used) = choose(&all) else {
            continue;
        };
        let list = |of: bool| {
            let parts = counts.iter().filter(|(part, _)| used.contains(part) == of);
            parts.map(|(part, n)| format!("{n} in {part}/")).collect::<Vec<_>>().join(", ")
        };
        notes.push(format!("used: {}; not used: {}", list(true), list(false)));
        let keep: Vec<bool> = folders
            .iter()
            .map(|folder| folder.get(level).is_some_and(|part| used.contains(part)))
            .collect();
        let mut keep = keep.into_iter();
        images.retain(|_| keep.next().unwrap_or(true));
    }
    (images, notes)
}

/// The folders for training, if others are not for training.
fn split_choice<'a>(names: &[&'a str]) -> Option<Vec<&'a str>> {
    let train = names.iter().copied().filter(|name| split(name) == Split::Train);
    has_splits(names).then(|| train.collect())
}

/// The folders of photographs, if the others hold masks of them.
fn mask_choice<'a>(names: &[&'a str]) -> Option<Vec<&'a str>> {
    const PHOTOS: [&str; 6] = ["image", "images", "img", "imgs", "jpegimages", "photos"];
    const MASKS: [&str; 12] = [
        "annotations",
        "gt",
        "groundtruth",
        "label",
        "labels",
        "mask",
        "masks",
        "segmentation",
        "segmentationclass",
        "segmentationobject",
        "segmentations",
        "trimaps",
    ];
    let is = |known: &[&str], name: &str| {
        let name = name.to_lowercase().replace(['_', '-', ' '], "");
        known.contains(&name.as_str())
    };
    let (photos, others): (Vec<&str>, Vec<&str>) =
        names.iter().copied().partition(|name| is(&PHOTOS, name));
    let masks = !others.is_empty() && others.iter().all(|name| is(&MASKS, name));
    (masks && !photos.is_empty()).then_some(photos)
}
