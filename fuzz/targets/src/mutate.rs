//! Inputs made from seeds by changes that hurt readers: bits, lengths, edges of integers, pieces
//! moved, repeated and mixed. The numbers are those of the runtime's generator, so that a run can
//! be repeated from its seed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Target;

/// SplitMix64 (Steele, Lea and Flood 2014, figure 17).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.number() % n as u64) as usize
    }
}

/// Longest input that is made, in bytes.
const LONGEST: usize = 1 << 16;

/// The seeds of a target, in the order of their names.
///
/// # Panics
/// If there are none.
pub fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no seeds", folder.display());
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// The next input.
pub fn next(random: &mut Random, seeds: &[Vec<u8>], text: bool) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    let changes = 1 << random.below(5);
    for _ in 0..changes {
        match text && random.below(2) == 0 {
            true => change_words(random, &mut bytes, seeds),
            false => change(random, &mut bytes, seeds),
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let Some(last) = bytes.len().checked_sub(1) else {
        return bytes.extend(&seeds[random.below(seeds.len())]);
    };
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(32)).min(bytes.len());
    match random.below(9) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.number() as u8,
        2 => {
            let edges = [0u64, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff];
            let edges = [&edges[..], &[0x8000_0000, 0xffff_ffff, 1 << 63, u64::MAX]].concat();
            let edge = edges[random.below(edges.len())];
            let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
            let big = edge.to_be_bytes();
            let from = match random.below(2) {
                0 => &edge.to_le_bytes()[..width],
                _ => &big[8 - width..],
            };
            bytes[at..at + width].copy_from_slice(from);
        }
        3 => bytes[at] = bytes[at].wrapping_add([1, 255, 16, 128][random.below(4)]),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let piece = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            for _ in 0..1 << random.below(8) {
                bytes.splice(to..to, piece.iter().copied());
            }
        }
        6 => {
            let other = &seeds[random.below(seeds.len())];
            if !other.is_empty() {
                let from = random.below(other.len());
                let length = (1 + random.below(64)).min(other.len() - from);
                bytes.splice(at..at, other[from..from + length].iter().copied());
            }
        }
        7 => bytes.truncate(last.min(at)),
        _ => bytes[at..end].fill([0, 255][random.below(2)]),
    }
}

/// Swaps lines, changes numbers, and quotes.
fn change_words(random: &mut Random, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return change(random, bytes, seeds);
    }
    let at = random.below(lines.len());
    match random.below(4) {
        0 => {
            let other = String::from_utf8_lossy(&seeds[random.below(seeds.len())]).into_owned();
            let others: Vec<&str> = other.lines().collect();
            if !others.is_empty() {
                lines[at] = others[random.below(others.len())].to_owned();
            }
        }
        1 => drop(lines.remove(at)),
        2 => {
            let values = ["0", "-1", "1", "9223372036854775807", "1e308", "nan", "-0.0", "true"];
            let more = ["\"\"", "[]", "{}", "65536", "4294967296", "0.5", "\"vulkan:9\"", "\"a\""];
            let value = [values, more][random.below(2)][random.below(8)];
            if let Some((key, _)) = lines[at].split_once('=') {
                lines[at] = format!("{key}= {value}");
            }
        }
        _ => {
            let to = random.below(lines.len());
            lines.swap(at, to);
        }
    }
    *bytes = lines.join("\n").into_bytes();
}
