//! The checksum of a record's data section.

use crate::simd::{Isa, Job, Set};

const BASIS: u32 = 0x811c_9dc5;
/// Lanes of the checksum.
const LANES: usize = 16;
/// Bytes of a word for each lane.
const BLOCK: usize = 4 * LANES;

/// The checksum of a data section.
///
/// Word `i` (little-endian) goes into lane `i mod 16` by a step of 32-bit FNV-1a followed by a
/// rotation by 13; at the end the lanes are folded in the same way. For a given word each step is a
/// bijection of the state, so a change of one word always shows; the rotation moves high bits down,
/// where the next product spreads them. There are 16 lanes because megabytes are checked before the
/// first face appears.
pub fn checksum(data: &[u8]) -> u32 {
    let (blocks, rest) = data.as_chunks();
    let mut lanes = Isa::best().floats(Blocks { lanes: [BASIS; LANES], blocks });
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    mix(&mut lanes, &[last]);
    lanes.into_iter().fold(BASIS ^ data.len() as u32, step)
}

/// Whole blocks, mixed into the lanes.
struct Blocks<'a> {
    lanes: [u32; LANES],
    blocks: &'a [[u8; BLOCK]],
}

impl Job for Blocks<'_> {
    type Output = [u32; LANES];

    #[inline(always)]
    fn run<S: Set>(mut self, _: S) -> [u32; LANES] {
        mix(&mut self.lanes, self.blocks);
        self.lanes
    }
}

#[inline(always)]
fn mix(lanes: &mut [u32; LANES], blocks: &[[u8; BLOCK]]) {
    // A local copy, which stays in registers.
    let mut state = *lanes;
    for block in blocks {
        for (lane, word) in state.iter_mut().zip(block.as_chunks().0) {
            *lane = step(*lane, u32::from_le_bytes(*word));
        }
    }
    *lanes = state;
}

#[inline(always)]
fn step(state: u32, word: u32) -> u32 {
    const PRIME: u32 = 0x0100_0193;
    (state ^ word).wrapping_mul(PRIME).rotate_left(13)
}
