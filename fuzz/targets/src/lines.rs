//! Records whose metadata are changed line by line: what layers read, their operations and numbers.
//! Few changes of bytes give another valid line.

use runtime::Model;
use runtime::model::key;
use runtime::record::{ALIGNMENT, Buffer, Record};

use crate::bytes::Choices;
use crate::model::{run, written};

/// Numbers that an argument becomes.
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "8",
    "16",
    "64",
    "255",
    "65536",
    "4294967295",
    "18446744073709551615",
    "-1",
    "0.5",
    "1e39",
];

/// A record with lines changed: the first byte chooses the model and its precision, and every four
/// a line, a change, and what it needs.
///
/// # Panics
/// If the record cannot be put together again.
pub fn lines(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let mut record = written(choices.below(8));
    let mut layers: Vec<String> = text(&record, key::LAYERS).lines().map(str::to_owned).collect();
    while !choices.0.is_empty() {
        let (line, change, a, b) = (
            choices.byte().into(),
            choices.below(12),
            choices.byte().into(),
            choices.byte().into(),
        );
        let other = match change {
            10 => Some(key::INT8),
            11 => Some([key::PICTURE, key::LATENT, key::RANGE][a % 3]),
            _ => None,
        };
        match other {
            None => alter(&mut layers, line, change, [a, b]),
            Some(key) => {
                let mut words: Vec<String> =
                    text(&record, key).split_inclusive([' ', '\n']).map(str::to_owned).collect();
                let count = words.len().max(1);
                if let Some(word) = words.get_mut((line + 7 * b) % count) {
                    let end = if word.ends_with('\n') { "\n" } else { " " };
                    *word = format!("{}{end}", NUMBERS[a % 16]);
                    record = with(&record, key, words.concat().trim_end());
                }
            }
        }
    }
    let record = Buffer::from(with(&record, key::LAYERS, &layers.join("\n")));
    if let Ok(model) = Model::parse_unverified(record.bytes()) {
        run(&model);
    }
}

/// Changes a line of the list of layers.
fn alter(layers: &mut Vec<String>, line: usize, change: usize, [a, b]: [usize; 2]) {
    if layers.is_empty() {
        return;
    }
    let (line, other) = (line % layers.len(), a % layers.len());
    let mut words: Vec<String> = layers[line].split(' ').map(str::to_owned).collect();
    // After the last word of its operation.
    let end = |words: &[String]| {
        let named = |word: &String| word == "from" || word == "with";
        words.iter().skip(1).position(named).map_or(words.len(), |at| at + 1)
    };
    let number = |word: &str| word.parse::<f64>().is_ok();
    // After the arguments of its operation: the activation.
    let activation = |words: &[String]| {
        let arguments = words.iter().skip(2).take_while(|word| number(word)).count();
        (2 + arguments).min(words.len())
    };
    match change {
        0 | 1 => {
            let role = ["from", "with"][change];
            let name = match a % (layers.len() + 1) {
                at if at == layers.len() => "input",
                at => layers[at].split(' ').next().unwrap_or_default(),
            };
            match words.iter().skip(1).position(|word| word == role) {
                Some(at) if at + 2 < words.len() => words[at + 2] = name.into(),
                _ => words.extend([role.into(), name.into()]),
            }
        }
        2 => words.truncate(end(&words)),
        3 => return layers.swap(line, other),
        4 => return layers.insert(other, layers[line].clone()),
        5 => return drop(layers.remove(line)),
        6 => {
            let all = words.iter().enumerate().skip(2).filter(|(_, word)| number(word));
            let places: Vec<usize> = all.map(|(at, _)| at).collect();
            if !places.is_empty() {
                words[places[a % places.len()]] = NUMBERS[b % 16].into();
            }
        }
        7 => {
            let others: Vec<String> = layers[other].split(' ').map(str::to_owned).collect();
            let to = activation(&words);
            words.splice(1..to, others[1..activation(&others)].iter().cloned());
        }
        8 => {
            let all = ["None", "Relu", "LeakyRelu 0.5", "Tanh", "Sigmoid", "Elu 1", "Selu", "Gelu"];
            let more = ["GeluTanh", "Silu", "Mish", "Softplus", "Clip 0 6", "Clip 1 0", "No", ""];
            let (from, to) = (activation(&words), end(&words));
            words.splice(from..to.max(from), [[all, more][b % 2][a % 8].to_owned()]);
        }
        _ => {
            words[0] =
                [format!("x{b}"), "input".into(), String::new(), "from".into()][a % 4].clone()
        }
    }
    layers[line] = words.join(" ");
}

fn text(record: &[u8], key: &str) -> String {
    let record = Record::parse(record).expect("it is whole");
    record.get(key).unwrap_or_default().to_owned()
}

/// A record with another text for a key, if it has the key.
///
/// # Panics
/// If it is no record.
pub fn with(record: &[u8], key: &str, value: &str) -> Vec<u8> {
    // The magic number and the version come before the length of the metadata.
    let length: [u8; 4] = record[6..10].try_into().expect("4 bytes");
    let end = 10 + u32::from_le_bytes(length) as usize;
    let (metadata, data) = (&record[10..end], &record[end.next_multiple_of(ALIGNMENT)..]);
    let Some(at) = metadata.windows(key.len()).position(|part| part == key.as_bytes()) else {
        return record.into();
    };
    let (before, after) = metadata.split_at(at + key.len());
    // RFC 8949, section 3: the major type of text is 3, its length follows in 0, 1, 2 or 4 bytes.
    let wide = match after[0] & 31 {
        24 => 1,
        25 => 2,
        26 => 4,
        _ => 0,
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, &byte| n << 8 | usize::from(byte));
    let old = if wide == 0 { usize::from(after[0] & 31) } else { number(&after[1..=wide]) };
    let length = (value.len() as u32).to_be_bytes();
    let rest = &after[1 + wide + old..];
    let metadata = [before, &[3 << 5 | 26], &length, value.as_bytes(), rest].concat();
    let mut new = [&record[..6], &(metadata.len() as u32).to_le_bytes(), &metadata].concat();
    new.resize(new.len().next_multiple_of(ALIGNMENT), 0);
    new.extend(data);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_text_is_read_back() {
        for choice in 0..8 {
            let record = written(choice);
            for key in [key::LAYERS, key::RANGE, key::INT8] {
                let text = text(&record, key);
                let again = with(&record, key, &text);
                let buffer = Buffer::from(again);
                assert!(Model::parse(buffer.bytes()).is_ok(), "{choice} {key}");
            }
            let long = "x".repeat(70_000);
            assert_eq!(super::text(&with(&record, key::LAYERS, &long), key::LAYERS), long);
        }
    }

    #[test]
    fn changes_give_other_models_that_run() {
        // A layer of the translator reads the picture, and one is left out.
        let mut layers: Vec<String> =
            text(&written(4), key::LAYERS).lines().map(str::to_owned).collect();
        alter(&mut layers, 6, 1, [0, 0]);
        assert_eq!(layers[6], "sum Add None with e1");
        alter(&mut layers, 6, 1, [8, 0]);
        assert_eq!(layers[6], "sum Add None with input");
        alter(&mut layers, 4, 2, [0, 0]);
        assert_eq!(layers[4], "c1 Concat 4 None");
        alter(&mut layers, 1, 6, [3, 1]);
        alter(&mut layers, 1, 8, [3, 0]);
        assert_eq!(layers[1], "e2 Conv 4 4 2 1 Tanh");
        alter(&mut layers, 1, 7, [2, 0]);
        assert_eq!(layers[1], "e2 InstanceNorm 0.01 Tanh");
    }
}
