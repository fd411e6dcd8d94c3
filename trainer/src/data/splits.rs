//! Which part of a data set a file or folder is, by its name.

/// The parts that data sets are divided into, those to train on first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Split {
    /// `train`, `training`.
    Train,
    /// The name says nothing.
    Unknown,
    /// `val`, `valid`, `validation`, `dev`.
    Validation,
    /// `test`, `testing`, `t10k`.
    Test,
}

/// The part that a name stands for: `train-images-idx3-ubyte`, `X_test.npy`, `val2017`,
/// `trainImages`.
pub(super) fn split(name: &str) -> Split {
    parse(name).0
}

/// Whether folders of these names are parts of one data set and nothing else: `train` and `test`,
/// `cars_train` and `cars_test`, but not `trainA` and `trainB`.
pub(super) fn are_splits<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    let Some((Split::Train | Split::Validation | Split::Test, rest)) = names.next().map(parse)
    else {
        return false;
    };
    names.map(parse).all(|(split, other)| split != Split::Unknown && other == rest)
}

/// The part that a name stands for, and its other words.
fn parse(name: &str) -> (Split, Vec<String>) {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_uppercase() && before.is_lowercase();
        if !c.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    let of = |word: &String| match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "train" | "training" => Some(Split::Train),
        "val" | "valid" | "validation" | "dev" => Some(Split::Validation),
        "test" | "testing" | "pred" => Some(Split::Test),
        _ if word == "t10k" => Some(Split::Test),
        _ => None,
    };
    let found = words.iter().enumerate().find_map(|(i, word)| Some((i, of(word)?)));
    match found {
        Some((i, split)) => {
            words.remove(i);
            (split, words)
        }
        None => (Split::Unknown, words),
    }
}

/// Whether two of the sibling folders `names` differ only in that one is for training and the other
/// for something else: `cars_train`, `cars_test`.
pub(super) fn has_splits(names: &[&str]) -> bool {
    let all: Vec<(Split, Vec<String>)> = names.iter().map(|name| parse(name)).collect();
    let of = |train: bool| {
        let wanted = move |split: Split| match train {
            true => split == Split::Train,
            false => split > Split::Unknown,
        };
        all.iter().filter(move |(split, _)| wanted(*split)).map(|(_, rest)| rest)
    };
    of(true).any(|rest| of(false).any(|other| other == rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_data_sets_have_them() {
        let cases = [
            ("train-images-idx3-ubyte.gz", Split::Train),
            ("t10k-images.idx3-ubyte", Split::Test),
            ("emnist-balanced-train-images-idx3-ubyte", Split::Train),
            ("qmnist-test-images-idx3-ubyte.gz", Split::Test),
            ("x_train.npy", Split::Train),
            ("X_test", Split::Test),
            ("val_images", Split::Validation),
            ("sign_mnist_train.csv", Split::Train),
            ("trainImages", Split::Train),
            ("val2017", Split::Validation),
            ("test1.zip", Split::Test),
            ("Training", Split::Train),
            ("fer2013.csv", Split::Unknown),
            ("latest", Split::Unknown),
            ("trains", Split::Unknown),
            ("", Split::Unknown),
        ];
        for (name, want) in cases {
            assert_eq!(split(name), want, "{name}");
        }
    }

    #[test]
    fn folders_that_are_parts() {
        let cases: [(&[&str], bool, bool); 10] = [
            (&["test", "train"], true, true),
            (&["test_set", "training_set"], true, true),
            (&["seg_pred", "seg_test", "seg_train"], true, true),
            (&["test2017", "val2017"], true, false),
            (&["chest_xray", "test", "train", "val"], false, true),
            (&["testA", "testB", "trainA", "trainB"], false, true),
            (&["trainA", "trainB"], false, false),
            (&["bus", "train"], false, false),
            (&["dev board", "train station"], false, false),
            (&["cat", "dog"], false, false),
        ];
        for (names, are, has) in cases {
            assert_eq!(are_splits(names.iter().copied()), are, "{names:?}");
            assert_eq!(has_splits(names), has, "{names:?}");
        }
    }
}
