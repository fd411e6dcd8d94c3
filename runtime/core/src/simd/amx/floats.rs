//! Packed layers, of floats of 32 or 16 bits.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::panels::Panels;
use super::tile::{self, Line, Tile};
use super::walk::{self, At, Kernel, Rows};
use super::{STACK, ahead, lines as lines_of};
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

/// Lines that a pixel takes.
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
        assert!(self.work.x.len() >= layout.images() * layout.pixels() * layout.depth());
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
/// the order of `words`. A float that has been a 16-bit one (`SHORT`) is their sum without rounding.
///
/// # Safety
/// The CPU has AVX-512 with BW; both lines are writable.
#[inline(always)]
unsafe fn split<const SHORT: bool>(x: [__m512; 2], words: __m512i, to: [*mut Line; 2]) {
    // SAFETY: as promised by the caller.
    unsafe {
        let rounded = [round::<SHORT>(x[0]), round::<SHORT>(x[1])];
        let first = _mm512_permutex2var_epi16(rounded[0], words, rounded[1]);
        _mm512_store_si512(to[0].cast(), first);
        let high = _mm512_set1_epi32(0xffff_0000_u32 as i32);
        let first = [_mm512_and_si512(rounded[0], high), _mm512_and_si512(rounded[1], high)];
        let rest = [
            round::<SHORT>(_mm512_sub_ps(x[0], _mm512_castsi512_ps(first[0]))),
            round::<SHORT>(_mm512_sub_ps(x[1], _mm512_castsi512_ps(first[1]))),
        ];
        let second = _mm512_permutex2var_epi16(rest[0], words, rest[1]);
        _mm512_store_si512(to[1].cast(), second);
    }
}

/// Floats whose first 16 bits are rounded, or cut off if `SHORT`.
///
/// # Safety
/// The CPU has AVX-512.
#[inline(always)]
unsafe fn round<const SHORT: bool>(x: __m512) -> __m512i {
    // SAFETY: as promised by the caller.
    unsafe {
        match SHORT {
            true => _mm512_castps_si512(x),
            false => _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000)),
        }
    }
}

impl<W: Stored> Job<'_, W> {
    /// Whether weights are 16-bit floats.
    const SHORT: bool = size_of::<W>() == 2;

    /// Makes `P` rows, from `row` on, of tiles of the weights of up to 32 of `n` channels.
    ///
    /// # Safety
    /// The CPU has AVX-512 with BW; `n` rows of 16 weights are readable.
    #[inline(always)]
    unsafe fn make<const P: usize>(
        &self,
        (weight, n, ahead): (*const W, usize, usize),
        row: usize,
        to: *mut [Tile; 2],
    ) {
        let to = to.cast::<Line>();
        for row in row..(row + P).min(tile::ROWS) {
            let at = [2 * row, 2 * row + 1].map(|channel| weight.wrapping_add(channel * LANES));
            // SAFETY: as promised by the caller; `to` has 16 lines, and 16 more.
            unsafe {
                let mut x = [_mm512_setzero_ps(); 2];
                prefetch(at[0].wrapping_add(ahead));
                if !Self::SHORT {
                    prefetch(at[1].wrapping_add(ahead));
                }
                if 2 * row < n {
                    x[0] = W::load::<Avx512>(at[0]).0;
                }
                if 2 * row + 1 < n {
                    x[1] = W::load::<Avx512>(at[1]).0;
                }
                let to = [to.add(row), to.add(tile::ROWS + row)];
                match Self::SHORT {
                    true => split::<true>(x, self.pairwise, to),
                    false => split::<false>(x, self.pairwise, to),
                }
            }
        }
    }

    /// Adds the products of sum `C`, and makes a share of the weights of the next step.
    ///
    /// # Safety
    /// As [`tile::add_floats`] and [`Job::make`].
    #[inline(always)]
    unsafe fn cell<const C: u8, const M: usize, const N: usize>(
        &self,
        inputs: (*const Line, usize, usize),
        pairs: [*mut [Tile; 2]; N],
        next: Option<&Next<W, N>>,
    ) {
        if usize::from(C) >= M * N {
            return;
        }
        let (m, n) = (usize::from(C) / N, usize::from(C) % N);
        // SAFETY: as promised by the caller.
        unsafe {
            tile::add_floats::<C, M, N>(inputs, pairs[n]);
            let Some(Next { weight, channels, ahead, to }) = next else { return };
            let (weight, to, ahead) = (weight[n], to[n], *ahead);
            match (M, *channels >= CHANNELS) {
                (1, true) => self.make::<16>((weight, CHANNELS, ahead), 0, to),
                (2, true) => self.make::<8>((weight, CHANNELS, ahead), 8 * m, to),
                (3, true) => self.make::<6>((weight, CHANNELS, ahead), 6 * m, to),
                (_, true) => self.make::<4>((weight, CHANNELS, ahead), 4 * m, to),
                (_, false) if m == 0 => self.make::<16>((weight, *channels, ahead), 0, to),
                (_, false) => {}
            }
        }
    }
}

/// The weights of a step.
struct Next<W, const N: usize> {
    weight: [*const W; N],
    /// Channels that are left.
    channels: usize,
    /// From these weights to those to fetch.
    ahead: usize,
    to: [*mut [Tile; 2]; N],
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
                    split::<false>(x, self.onward, [first, second]);
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
        let (depth, taps) = (self.layout.depth(), at.taps.len());
        let (lines, apart) = (at.panels.lines / 2, at.panels.apart(at.rows));
        let of_block = taps * depth * LANES;
        let weight = &self.work.weight[self.layout.weights(at.group) + at.block * of_block..];
        let weight = &weight[..N * of_block];
        let steps = taps * lines;
        // A power of two. Weights that are used once stay in the first cache.
        let kept = if at.once { 2 * N } else { PAIRS };
        let made = at.again && N * steps <= kept;
        let pairs = self.pairs.as_mut_ptr().cast::<[Tile; 2]>();
        let step_of = |step: usize| -> Next<W, N> {
            let (tap, line) = (step / lines, step % lines);
            let from = (tap * depth + line * CHANNELS) * LANES;
            Next {
                weight: each!(n => weight.as_ptr().wrapping_add(n * of_block + from)),
                channels: depth - line * CHANNELS,
                ahead: ahead(from, AHEAD / size_of::<W>(), (of_block, N)),
                to: each!(n => pairs.wrapping_add((step * N + n) & (kept - 1))),
            }
        };
        let mut next = step_of(0);
        if !made {
            for n in 0..N {
                // SAFETY: as promised by the caller; the weights of what is left of a pixel are readable.
                unsafe {
                    self.make::<16>((next.weight[n], next.channels, next.ahead), 0, next.to[n])
                };
            }
        }
        for step in 0..steps {
            let (tap, line) = (step / lines, step % lines);
            let inputs = (at.tap(tap).wrapping_add(2 * line * apart), at.spread, apart);
            let pairs = next.to;
            next = step_of(step + 1);
            // A step ahead, since what has just been stored is slow to load.
            let next = (!made && step + 1 < steps).then_some(&next);
            // SAFETY: as above. Tiles of inputs are within the panels; those of weights were made.
            unsafe {
                self.cell::<0, M, N>(inputs, pairs, next);
                self.cell::<1, M, N>(inputs, pairs, next);
                self.cell::<2, M, N>(inputs, pairs, next);
                self.cell::<3, M, N>(inputs, pairs, next);
            }
        }
    }

    #[inline(always)]
    unsafe fn finish(&self, group: &Group<'_>, block: usize, rows: Rows<'_>) {
        let Some(bias) = group.lanes(block, self.work.bias) else { return };
        for (position, sums) in rows {
            let mut values = [0.0; LANES];
            // SAFETY: as promised by the caller; a line has 16 floats.
            unsafe {
                let sums = _mm512_load_ps(sums.0.as_ptr().cast());
                let sums = _mm512_add_ps(sums, _mm512_loadu_ps(bias.as_ptr()));
                _mm512_storeu_ps(values.as_mut_ptr(), sums);
                let values = activated(self.set, self.work.layer.activation, values);
                group.place(block, position, &values, self.work.y);
            }
        }
    }
}
