//! Packed layers, of floats of 32 or 16 bits.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::panels::{Line, Panels};
use super::tile::{self, OfHalves, Tile};
use super::walk::{self, At, Kernel};
use super::{STACK, lines as lines_of};
use crate::layout::{LANES, Layout};
use crate::simd::activate::activated;
use crate::simd::lanes::{Avx512, Stored};
use crate::simd::part::Work;
use crate::simd::prefetch::prefetch;
use crate::simd::set;
use crate::simd::tiles::Group;

/// Channels of two lines: of 16-bit floats, and of what is left of each.
const CHANNELS: usize = 32;
/// Tiles of weights that are kept, in pairs. All of a block of lanes, if they fit; otherwise they are made again for
/// other positions.
const PAIRS: usize = 32;
/// Bytes of weights that are fetched before they are used.
const AHEAD: usize = 4 << 10;

/// Lines of a pixel of so many channels.
pub(super) fn lines(channels: usize) -> usize {
    2 * channels.div_ceil(CHANNELS)
}

/// A part of a layer that [`super::suits`].
pub(in crate::simd) struct Floats<'a, W> {
    pub layout: &'a Layout,
    pub work: Work<'a, W>,
}

/// The part, and the weights at hand.
struct Job<'a, W> {
    layout: &'a Layout,
    work: Work<'a, W>,
    pairs: &'a mut MaybeUninit<[[Tile; 2]; PAIRS]>,
    set: set::Avx512,
    /// Which words of two registers make up the high halves of all: pairs of the same lane, or one register after
    /// the other.
    pairwise: __m512i,
    onward: __m512i,
}

impl<W: Stored> Floats<'_, W> {
    /// Computes the part.
    ///
    /// # Safety
    /// The CPU has AVX-512, and AMX, which the system lets this process use.
    #[target_feature(enable = "avx512f,avx512bw,avx2,fma,f16c")]
    pub unsafe fn run(mut self) {
        let (layout, part) = (self.layout, self.work.part);
        let Some(panels) = Panels::new(layout, lines_of(self.work.layer)) else { return };
        assert!(self.work.x.len() >= layout.pixels() * layout.depth());
        // The scratch if it is longer: that of Winograd, which these instructions do without.
        let scratch = core::mem::take(&mut self.work.scratch);
        let (_, scratch, _) = unsafe { scratch.align_to_mut::<MaybeUninit<Line>>() };
        let mut room = MaybeUninit::<[Line; STACK]>::uninit();
        let room = match scratch.len() > STACK {
            true => (scratch.as_mut_ptr().cast(), scratch.len()),
            false => (room.as_mut_ptr().cast::<Line>(), STACK),
        };
        let mut pairs = MaybeUninit::uninit();
        let mut pairwise = [0u16; 32];
        let mut onward = [0u16; 32];
        for i in 0..32 {
            pairwise[i] = (i % 2 * 32 + i / 2 * 2 + 1) as u16;
            onward[i] = (2 * i + 1) as u16;
        }
        // SAFETY: as promised by the caller.
        unsafe {
            let mut job = Job {
                layout,
                work: self.work,
                pairs: &mut pairs,
                set: set::Avx512::new(),
                pairwise: _mm512_loadu_si512(pairwise.as_ptr().cast()),
                onward: _mm512_loadu_si512(onward.as_ptr().cast()),
            };
            walk::run(&mut job, (layout, &panels), part, room);
        }
    }
}

/// Splits the floats of two registers in two 16-bit floats each, and stores the first and the second of each, in
/// the order of `words`.
///
/// # Safety
/// The CPU has AVX-512 with BW; both lines are writable.
#[inline(always)]
unsafe fn split(x: [__m512; 2], words: __m512i, to: [*mut Line; 2]) {
    // SAFETY: as promised by the caller.
    unsafe {
        let half = _mm512_set1_epi32(0x8000);
        let high = _mm512_set1_epi32(0xffff_0000_u32 as i32);
        let rounded = [
            _mm512_add_epi32(_mm512_castps_si512(x[0]), half),
            _mm512_add_epi32(_mm512_castps_si512(x[1]), half),
        ];
        let first = _mm512_permutex2var_epi16(rounded[0], words, rounded[1]);
        _mm512_store_si512(to[0].cast(), first);
        let cut = [_mm512_and_si512(rounded[0], high), _mm512_and_si512(rounded[1], high)];
        let rest = [
            _mm512_sub_ps(x[0], _mm512_castsi512_ps(cut[0])),
            _mm512_sub_ps(x[1], _mm512_castsi512_ps(cut[1])),
        ];
        let rounded = [
            _mm512_add_epi32(_mm512_castps_si512(rest[0]), half),
            _mm512_add_epi32(_mm512_castps_si512(rest[1]), half),
        ];
        let second = _mm512_permutex2var_epi16(rounded[0], words, rounded[1]);
        _mm512_store_si512(to[1].cast(), second);
    }
}

impl<W: Stored> Job<'_, W> {
    /// Makes tiles of the weights of up to 32 of `n` channels.
    ///
    /// # Safety
    /// The CPU has AVX-512 with BW; `n` rows of 16 weights are readable.
    #[inline(always)]
    unsafe fn make(&self, weight: *const W, n: usize, to: *mut [Tile; 2]) {
        let to = to.cast::<Line>();
        // SAFETY: as promised by the caller; `to` has 16 lines, and 16 more.
        unsafe {
            for pair in 0..tile::ROWS {
                let at = |i: usize| weight.wrapping_add((2 * pair + i) * LANES);
                let mut x = [_mm512_setzero_ps(); 2];
                for (i, x) in x.iter_mut().enumerate() {
                    prefetch(at(i).wrapping_byte_add(AHEAD));
                    if 2 * pair + i < n {
                        *x = W::load::<Avx512>(at(i)).0;
                    }
                }
                split(x, self.pairwise, [to.add(pair), to.add(tile::ROWS + pair)]);
            }
        }
    }
}

impl<W: Stored> Kernel for Job<'_, W> {
    #[inline(always)]
    unsafe fn put(&self, pixel: Option<usize>, to: *mut Line, places: &[usize], apart: usize) {
        let depth = self.layout.depth();
        let x = pixel.map(|pixel| &self.work.x[pixel * depth..][..depth]);
        for (line, at) in (0..depth).step_by(CHANNELS).enumerate() {
            let mut both = [Line([0; 64]); 2];
            // SAFETY: as promised by the caller; the floats of a mask are within the pixel.
            unsafe {
                if let Some(x) = x {
                    let (x, mask) =
                        (x.as_ptr().add(at), u32::MAX >> (CHANNELS - CHANNELS.min(depth - at)));
                    let x = [
                        _mm512_maskz_loadu_ps(mask as u16, x),
                        _mm512_maskz_loadu_ps((mask >> LANES) as u16, x.wrapping_add(LANES)),
                    ];
                    let [first, second] = &mut both;
                    split(x, self.onward, [first, second]);
                }
                for place in places {
                    to.add(place + 2 * line * apart).write(both[0]);
                    to.add(place + (2 * line + 1) * apart).write(both[1]);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply<const M: usize, const N: usize>(&mut self, at: &At<'_>) {
        let (depth, taps) = (self.layout.depth(), at.view.rows * at.view.columns);
        let (lines, apart) = (at.panels.lines / 2, at.panels.apart(at.rows));
        let of_block = taps * depth * LANES;
        let weight = &self.work.weight[self.layout.weights(at.group) + at.block * of_block..];
        let weight = &weight[..N * of_block];
        let steps = taps * lines;
        let made = at.again() && N * steps <= PAIRS;
        let pairs = self.pairs.as_mut_ptr().cast::<[Tile; 2]>();
        for step in 0..steps + 1 {
            // A step ahead, since what has just been stored is slow to load.
            if !made && step < steps {
                let (tap, line) = (step / lines, step % lines);
                for n in 0..N {
                    let from = n * of_block + (tap * depth + line * CHANNELS) * LANES;
                    let left = depth - line * CHANNELS;
                    // SAFETY: as promised by the caller; the weights of what is left of a pixel are readable.
                    unsafe {
                        let to = pairs.add((step * N + n) % PAIRS);
                        let weight = weight.as_ptr().add(from);
                        match left >= CHANNELS {
                            true => self.make(weight, CHANNELS, to),
                            false => self.make(weight, left, to),
                        }
                    }
                }
            }
            let Some(step) = step.checked_sub(1) else { continue };
            let (tap, line) = (step / lines, step % lines);
            let inputs = at.tap((tap / at.view.columns, tap % at.view.columns));
            let first = inputs.wrapping_add(2 * line * apart);
            let second = first.wrapping_add(apart);
            // SAFETY: as promised by the caller. Tiles of inputs are within the panels; those of weights were made.
            unsafe {
                let pairs: [*const Line; N] =
                    each!(n => pairs.add((step * N + n) % PAIRS).cast::<Line>().cast_const());
                let rest: [*const Line; N] = each!(n => pairs[n].add(tile::ROWS));
                tile::add::<OfHalves, M, N>(first, pairs);
                tile::add::<OfHalves, M, N>(second, pairs);
                tile::add::<OfHalves, M, N>(first, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn finish(
        &self,
        group: &Group<'_>,
        block: usize,
        position: (usize, usize),
        (sums, row): (&Tile, usize),
    ) {
        let Some(bias) = group.lanes(block, self.work.bias) else { return };
        let sums: [f32; LANES] = sums.row(row);
        let mut values = [0.0; LANES];
        for (lane, value) in values.iter_mut().enumerate() {
            *value = sums[lane] + bias[lane];
        }
        let values = activated(self.set, self.work.layer.activation, values);
        // SAFETY: as promised by the caller.
        unsafe { group.place(block, position, &values, self.work.y) };
    }
}
