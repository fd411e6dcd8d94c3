//! Normalized channels in bytes with AVX2, 16 channels at a time.

use core::arch::x86_64::*;
use core::ops::Range;

use super::norm::lanes_of;
use super::part::{Part, Places};
use crate::int8::{self, FRACTION, Norm};
use crate::layer::{Int8, Layer};
use crate::layout::{LANES, padded};

/// Registers of 16 sums, and of 16 integers of 64 bits: even lanes, then odd ones, of each eight.
const REGISTERS: usize = 2;
const LONG: usize = 4;

/// A part of a layer.
pub(super) struct Bytes<'a> {
    pub layer: &'a Layer<'a>,
    pub epsilon: f32,
    pub int8: &'a Int8<'a>,
    pub part: Part,
    pub x: &'a [u8],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, u8>,
}

impl Bytes<'_> {
    /// Computes the part.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn run(&self) {
        let (c, blocks) = (padded(self.layer.input.c), self.layer.input.c.div_ceil(LANES));
        for block in self.part.share(blocks) {
            // SAFETY: as promised by the caller.
            unsafe {
                let moments = moments(self.x, c, block * LANES);
                self.apply(block, &self.norms(block, moments));
            }
        }
    }

    /// The channels of a block.
    #[inline(always)]
    pub fn channels(&self, block: usize) -> Range<usize> {
        block * LANES..self.layer.input.c.min((block + 1) * LANES)
    }

    /// How the channels of a block are normalized, from their sums and those of their squares.
    #[inline(always)]
    pub fn norms(&self, block: usize, moments: [(u64, u64); LANES]) -> [Norm; LANES] {
        let n = self.layer.input.plane() as u64;
        let mut norms = [Norm::NONE; LANES];
        for ((norm, moments), channel) in norms.iter_mut().zip(moments).zip(self.channels(block)) {
            *norm = Norm::with(n, moments, self.epsilon, (self.int8, channel), root);
        }
        norms
    }

    /// Normalizes the channels of a block.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    pub unsafe fn apply(&self, block: usize, norms: &[Norm; LANES]) {
        let Bytes { layer, int8, x, y, .. } = *self;
        let (c, channels) = (padded(layer.input.c), self.channels(block));
        let first = channels.start;
        // SAFETY: as promised by the caller; likewise below.
        let Some(factors) = (unsafe { Factors::new(norms, int8) }) else {
            // A channel that hardly varies.
            for (norm, channel) in norms.iter().zip(channels) {
                for (pixel, x) in x[channel..].iter().step_by(c).enumerate() {
                    // SAFETY: the channels are the part's own; so below.
                    unsafe { y.put(pixel * c + channel, norm.byte(*x, int8)) };
                }
            }
            return;
        };
        for (pixel, x) in x.chunks_exact(c).enumerate() {
            let values = unsafe { factors.values(&lanes_of(&x[first..])) };
            let bytes = int8::bytes(&values, int8.table);
            let to = unsafe { y.cut(pixel * c + first, channels.len()) };
            match to.first_chunk_mut() {
                Some(to) => *to = bytes,
                None => to.copy_from_slice(&bytes[..channels.len()]),
            }
        }
    }
}

/// What [`crate::sqrt::integer`] is, from the root of the number rounded to a float, which is off by less than 1.
#[inline(always)]
fn root(n: u64) -> u64 {
    // SAFETY: each CPU of this architecture has SSE2.
    let root = unsafe {
        let n = _mm_set_sd(n as f64);
        _mm_cvtsd_f64(_mm_sqrt_sd(n, n)) as u64
    };
    // The square of a root above the largest one has more than 64 bits.
    let off = |root: u64| root.checked_mul(root).is_none_or(|square| square > n);
    match (off(root), off(root + 1)) {
        (true, _) => root - 1,
        (false, true) => root,
        (false, false) => root + 1,
    }
}

/// Eight of 16 bytes as integers of 32 bits.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn eight(bytes: &[u8; LANES], half: usize) -> __m256i {
    // SAFETY: as promised by the caller; half of 16 bytes are eight.
    unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes.as_ptr().add(8 * half).cast())) }
}

/// The sums of 16 channels of pixels of `c` bytes, and of their squares.
///
/// # Safety
/// The CPU has AVX2.
#[inline(always)]
unsafe fn moments(x: &[u8], c: usize, first: usize) -> [(u64, u64); LANES] {
    let mut each = [(0, 0); LANES];
    // Runs so short that the sum of the squares of bytes fits into 32 bits.
    for run in x.chunks(c.saturating_mul(1 << 16)) {
        // SAFETY: as promised by the caller; the arrays have two registers.
        unsafe {
            let mut sums = [_mm256_setzero_si256(); REGISTERS];
            let mut squares = sums;
            for pixel in run.chunks_exact(c) {
                let pixel = lanes_of(&pixel[first..]);
                for half in 0..REGISTERS {
                    let x = eight(&pixel, half);
                    sums[half] = _mm256_add_epi32(sums[half], x);
                    squares[half] = _mm256_add_epi32(squares[half], _mm256_madd_epi16(x, x));
                }
            }
            let (mut sum, mut square) = ([0u32; LANES], [0u32; LANES]);
            for half in 0..REGISTERS {
                _mm256_storeu_si256(sum.as_mut_ptr().add(8 * half).cast(), sums[half]);
                _mm256_storeu_si256(square.as_mut_ptr().add(8 * half).cast(), squares[half]);
            }
            for (lane, (to_sum, to_square)) in each.iter_mut().enumerate() {
                *to_sum += u64::from(sum[lane]);
                *to_square += u64::from(square[lane]);
            }
        }
    }
    each
}

/// What turns the bytes of 16 channels into values: see [`Norm::byte`].
struct Factors {
    n: __m256i,
    sum: [__m256i; REGISTERS],
    factor: [__m256i; LONG],
    shift: [__m256i; LONG],
    after: [__m256i; LONG],
    top: __m256i,
}

impl Factors {
    /// `None` if a factor or a shift is too large.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn new(norms: &[Norm; LANES], int8: &Int8<'_>) -> Option<Factors> {
        let (offset, top) = int8.span();
        let mut sums = [0i32; LANES];
        let (mut factor, mut shift, mut after) = ([0i64; LANES], [0i64; LANES], [0i64; LANES]);
        for (lane, norm) in norms.iter().enumerate() {
            sums[lane] = i32::try_from(norm.sum).ok()?;
            // Even lanes of each eight, then odd ones.
            let at = lane / 8 * 8 + lane % 2 * 4 + lane % 8 / 2;
            factor[at] = i64::from(i32::try_from(norm.factor).ok()?);
            shift[at] = i64::from(norm.shift);
            if !(1..=62).contains(&norm.shift) {
                return None;
            }
            // There is no arithmetic shift of 64 bits: products are made positive by adding 2^63,
            // and what that adds to the result is subtracted.
            after[at] = norm.bias + (offset << FRACTION) - (1 << (63 - norm.shift));
        }
        let n = i32::try_from(norms[0].n).ok()?;
        // SAFETY: as promised by the caller; registers are within the arrays.
        unsafe {
            let mut all = Factors {
                n: _mm256_set1_epi32(n),
                sum: [_mm256_setzero_si256(); REGISTERS],
                factor: [_mm256_setzero_si256(); LONG],
                shift: [_mm256_setzero_si256(); LONG],
                after: [_mm256_setzero_si256(); LONG],
                top: _mm256_set1_epi64x(((top + 1) << FRACTION) - 1),
            };
            for i in 0..REGISTERS {
                all.sum[i] = _mm256_loadu_si256(sums.as_ptr().add(8 * i).cast());
            }
            for i in 0..LONG {
                all.factor[i] = _mm256_loadu_si256(factor.as_ptr().add(4 * i).cast());
                all.shift[i] = _mm256_loadu_si256(shift.as_ptr().add(4 * i).cast());
                all.after[i] = _mm256_loadu_si256(after.as_ptr().add(4 * i).cast());
            }
            Some(all)
        }
    }

    /// The values of a pixel before the table.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn values(&self, x: &[u8; LANES]) -> [i32; LANES] {
        let mut values = [0; LANES];
        for half in 0..REGISTERS {
            // SAFETY: as promised by the caller; the array has two registers.
            unsafe {
                let scaled = _mm256_mullo_epi32(eight(x, half), self.n);
                let off = _mm256_sub_epi32(scaled, self.sum[half]);
                let even = self.long(off, 2 * half);
                let odd = self.long(_mm256_srli_epi64::<32>(off), 2 * half + 1);
                let both = _mm256_or_si256(even, _mm256_slli_epi64::<32>(odd));
                _mm256_storeu_si256(values.as_mut_ptr().add(8 * half).cast(), both);
            }
        }
        values
    }

    /// The values of the even lanes, of the factors `at`.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn long(&self, off: __m256i, at: usize) -> __m256i {
        // SAFETY: as promised by the caller.
        unsafe {
            let product = _mm256_mul_epi32(off, self.factor[at]);
            let product = _mm256_xor_si256(product, _mm256_set1_epi64x(i64::MIN));
            let v = _mm256_add_epi64(_mm256_srlv_epi64(product, self.shift[at]), self.after[at]);
            let v = _mm256_andnot_si256(_mm256_cmpgt_epi64(_mm256_setzero_si256(), v), v);
            let v = _mm256_blendv_epi8(v, self.top, _mm256_cmpgt_epi64(v, self.top));
            _mm256_srli_epi64::<{ FRACTION }>(v)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::root;
    use crate::sqrt::integer;

    #[test]
    fn roots() {
        for bits in 0..64 {
            let edge = u64::MAX >> bits;
            let square = integer(edge).pow(2);
            for n in [edge - 1, edge, square - 1, square, square + 1, edge / 3 * 2] {
                assert_eq!(root(n), integer(n), "{n}");
            }
        }
        assert_eq!(root(0), 0);
    }
}
