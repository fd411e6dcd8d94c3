//! Layers in blocks: the sums of a few positions and a few blocks of lanes stay in registers while
//! the input streams by.

use super::dots::Dots;
use super::part::Part;
use crate::layout::{LANES, Layout};
#[cfg(not(target_arch = "x86_64"))]
use group::Group;
use search::Search;
use taps::Taps;

mod few;
mod floats;
mod group;
mod pixels;
mod search;
mod taps;

pub(super) use floats::Floats;
#[cfg(target_arch = "x86_64")]
pub(super) use group::Group;
pub(super) use pixels::Pixels;

/// Most blocks and sums of a tile, of any instruction set of the target; [`taps::WIDE`] are the positions.
const DEEP: usize = if cfg!(target_arch = "x86_64") { 4 } else { 2 };
const SUMS: usize = if cfg!(target_arch = "x86_64") { 24 } else { 8 };

/// Most blocks, in times of what is computed together, for which taps are found once, and most bytes of their
/// weights: a part of the second cache.
const TIMES: usize = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) { 4 } else { 1 };
const CACHED: usize = 128 << 10;

/// What is done with sums.
trait Finish<D> {
    /// Takes the sums of a block of lanes of some positions, `apart` of each other.
    ///
    /// # Safety
    /// The CPU has the instructions of `D`.
    unsafe fn finish(
        &mut self,
        group: &Group<'_>,
        block: usize,
        positions: &[(usize, usize)],
        sums: (&[D], usize),
    );
}

/// `scale`: see [`Dots::start`].
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn run<D: Dots, F: Finish<D>>(
    layout: &Layout,
    (weight, scale): (&[D::Weight], f32),
    part: Part,
    x: &[D::X],
    border: &[D::X],
    finish: &mut F,
) {
    let depth = layout.depth();
    assert!(x.len() >= layout.images() * layout.pixels() * depth);
    assert!(border.len() >= depth || !layout.has_border());
    let clear = border.iter().all(|value| D::is_zero(*value));
    let mut taps = Taps::new();
    // SAFETY: as promised by the caller.
    let mut sums = [unsafe { D::zero() }; SUMS];
    let mut begin = 0;
    for index in 0..layout.groups() {
        let group = Group::new(layout, index, (part, D::DEEP), clear);
        let of_block = layout.taps(index) * depth * LANES;
        let weight = &weight[begin..begin + group.blocks * of_block];
        begin += weight.len();
        if group.positions.is_empty() {
            continue;
        }
        let mut search = Search::new(&group, (x, border), &mut taps);
        let mut block = group.of_part.start;
        while block < group.of_part.end {
            let (deep, most) = shape::<D>(&group, group.of_part.end - block);
            // Taps are found once for a few times `deep` blocks, if their weights stay in the cache.
            let cached = CACHED / size_of_val(&weight[..deep * of_block]).max(1);
            let times = ((group.of_part.end - block) / deep).min(TIMES).min(cached).max(1);
            // SAFETY: as promised by the caller.
            let blocks: [Blocks<D>; TIMES] = unsafe {
                each!(time => {
                    let first = block + if time < times { time * deep } else { 0 };
                    Blocks::new(&group, (weight, of_block, scale), first, deep)
                })
            };
            let mut left = group.positions.len();
            search.begin();
            while left > 0 {
                let wide = wide::<D>(deep, most, left.min(search.alike::<D>()));
                search.next(wide);
                for blocks in &blocks[..times] {
                    // SAFETY: as promised by the caller. `x` and `border` were compared with the layout above, and
                    // the weights are those of the group.
                    unsafe { sum(&mut search, blocks, wide, &mut sums) };
                    for b in 0..deep {
                        let (block, sums) = (blocks.first + b, (&sums[b..], deep));
                        // SAFETY: as promised by the caller.
                        unsafe { finish.finish(&group, block, search.positions(), sums) };
                    }
                }
                left -= wide;
            }
            block += times * deep;
        }
    }
}

/// Blocks of lanes that are computed at a time, of `left`, and most positions.
#[inline(always)]
fn shape<D: Dots>(group: &Group<'_>, left: usize) -> (usize, usize) {
    match group.alike().min(group.positions.len()) {
        1 if D::NARROW[0] > 0 && left >= D::NARROW[0] => (D::NARROW[0], 1),
        1 | 2 if D::NARROW[1] > 0 && left >= D::NARROW[1] => (D::NARROW[1], 2),
        _ => (D::DEEP.min(left), D::WIDE),
    }
}

/// Positions that are computed at a time, of `left`, at most `most`, of `deep` blocks.
#[inline(always)]
fn wide<D: Dots>(deep: usize, most: usize, left: usize) -> usize {
    match most.min(D::WIDE).min(left) {
        12.. if deep == 1 => 12,
        6.. => 6,
        4.. => 4,
        2.. => 2,
        _ => 1,
    }
}

/// Whether there are tiles of this many positions and blocks.
const fn is_tile<D: Dots>(wide: usize, deep: usize) -> bool {
    let whole = wide <= D::WIDE && deep <= D::DEEP && (wide < 12 || deep == 1);
    let narrow = wide == 1 && deep == D::NARROW[0] || wide <= 2 && deep == D::NARROW[1];
    whole || narrow
}

/// Blocks of lanes that are computed together.
#[derive(Clone, Copy)]
struct Blocks<D: Dots> {
    first: usize,
    weight: *const D::Weight,
    /// Weights of a block.
    of_block: usize,
    deep: usize,
    /// Lanes from the first one on.
    lanes: usize,
    /// What the sums start from.
    start: [D; DEEP],
}

impl<D: Dots> Blocks<D> {
    /// `deep` blocks from `block` on. `scale`: see [`Dots::start`].
    ///
    /// # Safety
    /// The CPU has the instructions of `D`.
    #[inline(always)]
    unsafe fn new(
        group: &Group<'_>,
        (weight, of_block, scale): (&[D::Weight], usize, f32),
        block: usize,
        deep: usize,
    ) -> Blocks<D> {
        let weight = &weight[block * of_block..(block + deep) * of_block];
        // SAFETY: as promised by the caller.
        let mut start = [unsafe { D::zero() }; DEEP];
        for (b, start) in start[..deep].iter_mut().enumerate() {
            // SAFETY: likewise; each block has that many weights.
            *start = unsafe { D::start(weight[b * of_block..].as_ptr(), of_block, scale) };
        }
        let lanes = group.layout.lanes() - block * LANES;
        Blocks { first: block, weight: weight.as_ptr(), of_block, deep, lanes, start }
    }
}

/// The sums of the `wide` positions of a tile, of each position those of all blocks.
///
/// # Safety
/// The CPU has the instructions of `D`; the input has the size of the layout, and the blocks have the weights of the
/// group.
#[inline(always)]
unsafe fn sum<D: Dots>(
    search: &mut Search<'_, D::X>,
    blocks: &Blocks<D>,
    wide: usize,
    sums: &mut [D; SUMS],
) {
    let (mut first, mut next) = (true, Some((0, 0)));
    while let Some(from) = next {
        next = search.taps(from);
        // SAFETY: as promised by the caller; taps are of inputs that there are.
        unsafe { add(search.taps, blocks, wide, (first, next.is_none()), sums) };
        first = false;
    }
}

/// Adds taps to the sums of `wide` positions of some blocks, of each position those of all blocks. Before the
/// `first` taps they start anew; after the `last` ones they are ended.
///
/// # Safety
/// The CPU has the instructions of `D`. The inputs under each tap are readable, and 16 weights for each of
/// them in each block.
#[inline(always)]
unsafe fn add<D: Dots>(
    taps: &Taps<D::X>,
    blocks: &Blocks<D>,
    wide: usize,
    (first, last): (bool, bool),
    sums: &mut [D; SUMS],
) {
    macro_rules! tiles {
        ($($wide:literal $deep:literal),*) => {
            match (wide, blocks.deep) {
                // SAFETY: as promised by the caller.
                $(($wide, $deep) if const { is_tile::<D>($wide, $deep) } => unsafe {
                    add_tile::<D, $wide, $deep>(taps, blocks, (first, last), sums)
                },)*
                _ => unreachable!("`wide` and `shape` give a tile that there is"),
            }
        };
    }
    tiles!(1 1, 2 1, 4 1, 6 1, 12 1, 1 2, 2 2, 4 2, 6 2, 1 3, 2 3, 4 3, 6 3, 1 4, 2 4, 4 4, 6 4)
}

/// [`add`] to a tile of `P` positions and `B` blocks.
///
/// # Safety
/// As [`add`].
#[inline(always)]
unsafe fn add_tile<D: Dots, const P: usize, const B: usize>(
    taps: &Taps<D::X>,
    blocks: &Blocks<D>,
    (first, last): (bool, bool),
    sums: &mut [D; SUMS],
) {
    // There are functions for all shapes, but calls only of those of [`is_tile`].
    let (Some(tile), Some(start)) =
        (sums.as_chunks_mut::<B>().0.first_chunk_mut::<P>(), blocks.start.first_chunk::<B>())
    else {
        unreachable!("no such tile");
    };
    // A copy, which stays in registers.
    let mut sums = if first { [*start; P] } else { *tile };
    for tap in taps.iter() {
        let Some(under) = tap.under.first_chunk::<P>() else { unreachable!("no such tile") };
        // SAFETY: as promised by the caller.
        unsafe {
            let weight = (blocks.weight.add(tap.weight), blocks.of_block);
            D::add_tap(&mut sums, *under, weight, tap.depth, blocks.lanes);
        }
    }
    if last {
        // SAFETY: as promised by the caller.
        unsafe { D::end(&mut sums) };
    }
    *tile = sums;
}
