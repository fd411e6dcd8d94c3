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
        // SAFETY: as promised by the caller; likewise below.
        unsafe {
            if let Some(lines) = Lines::new(norms, int8) {
                return self.normalize(channels, &lines);
            }
            if let Some(factors) = Factors::new(norms, int8) {
                return self.normalize(channels, &factors);
            }
        }
        // A channel that hardly varies.
        for (norm, channel) in norms.iter().zip(channels) {
            for (pixel, x) in x[channel..].iter().step_by(c).enumerate() {
                // SAFETY: the channels are the part's own.
                unsafe { y.put(pixel * c + channel, norm.byte(*x, int8)) };
            }
        }
    }

    /// Normalizes at most 16 channels.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn normalize<V: Values>(&self, channels: Range<usize>, of: &V) {
        let c = padded(self.layer.input.c);
        for (pixel, x) in self.x.chunks_exact(c).enumerate() {
            // SAFETY: as promised by the caller.
            let values = unsafe { of.values(&lanes_of(&x[channels.start..])) };
            let bytes = int8::bytes(&values, self.int8.table);
            // SAFETY: the channels are the part's own.
            let to = unsafe { self.y.cut(pixel * c + channels.start, channels.len()) };
            match to.first_chunk_mut() {
                Some(to) => *to = bytes,
                None => to.copy_from_slice(&bytes[..channels.len()]),
            }
        }
    }
}

/// What turns a byte `x` of a channel into a value: `(x factor + start) >> shift`, which is what
/// [`Norm::byte`] has before the table: where one part of a sum is an integer, the other one may be rounded down
/// first.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// Not negative.
    pub factor: i64,
    pub start: i64,
    /// 0 to 47.
    pub shift: i64,
}

impl Line {
    /// `None` if sums do not fit into 64 bits or values not into 32, or if the factor is negative.
    #[inline(always)]
    pub fn new(norm: &Norm, int8: &Int8<'_>) -> Option<Line> {
        let factor = norm.n.checked_mul(norm.factor).filter(|factor| *factor >= 0)?;
        let bias = norm.bias + (int8.span().0 << FRACTION);
        let shift = u32::try_from(norm.shift).ok().filter(|shift| *shift < 40)?;
        let start = (bias << shift).checked_sub(norm.sum.checked_mul(norm.factor)?)?;
        if (bias << shift) >> shift != bias {
            return None;
        }
        // A factor is often odd, but the number of pixels a power of 2.
        let shift = shift + FRACTION as u32;
        let even = factor.trailing_zeros().min(shift);
        let (factor, start, shift) = (factor >> even, start >> even, shift - even);
        for value in [start, start.checked_add(factor.checked_mul(255)?)?] {
            i32::try_from(value >> shift).ok()?;
        }
        Some(Line { factor, start, shift: i64::from(shift) })
    }
}

/// What turns the bytes of 16 channels into values.
trait Values {
    /// The values of a pixel before the table.
    ///
    /// # Safety
    /// The CPU has AVX2.
    unsafe fn values(&self, x: &[u8; LANES]) -> [i32; LANES];
}

/// [`Line`]s of 16 channels.
struct Lines {
    factor: [__m256i; LONG],
    start: [__m256i; LONG],
    /// Right of even lanes, left of odd ones.
    shift: [__m256i; LONG],
    top: __m256i,
}

/// Where a lane is among the even ones and then the odd ones of each eight.
#[inline(always)]
fn place(lane: usize) -> usize {
    lane / 8 * 8 + lane % 2 * 4 + lane % 8 / 2
}

impl Lines {
    /// `None` if there are none, a factor has more than 32 bits, or a shift is above 32.
    ///
    /// # Safety
    /// The CPU has AVX2.
    #[inline(always)]
    unsafe fn new(norms: &[Norm; LANES], int8: &Int8<'_>) -> Option<Lines> {
        let (mut factors, mut starts, mut shifts) = ([0i64; LANES], [0i64; LANES], [0i64; LANES]);
        for (lane, norm) in norms.iter().enumerate() {
            let Line { factor, start, shift } = Line::new(norm, int8)?;
            if factor > i64::from(u32::MAX) || shift > 32 {
                return None;
            }
            let shift = if lane % 2 == 0 { shift } else { 32 - shift };
            let at = place(lane);
            (factors[at], starts[at], shifts[at]) = (factor, start, shift);
        }
        // SAFETY: as promised by the caller; registers are within the arrays.
        unsafe {
            Some(Lines {
                factor: each!(i => _mm256_loadu_si256(factors.as_ptr().add(4 * i).cast())),
                start: each!(i => _mm256_loadu_si256(starts.as_ptr().add(4 * i).cast())),
                shift: each!(i => _mm256_loadu_si256(shifts.as_ptr().add(4 * i).cast())),
                top: _mm256_set1_epi32(int8.span().1 as i32),
            })
        }
    }
}

impl Values for Lines {
    #[inline(always)]
    unsafe fn values(&self, x: &[u8; LANES]) -> [i32; LANES] {
        let mut values = [0; LANES];
        for half in 0..REGISTERS {
            let (even, odd) = (2 * half, 2 * half + 1);
            // SAFETY: as promised by the caller; the array has two registers.
            unsafe {
                let x = eight(x, half);
                let sum = _mm256_mul_epu32(x, self.factor[even]);
                let sum = _mm256_add_epi64(sum, self.start[even]);
                let lower = _mm256_srlv_epi64(sum, self.shift[even]);
                let sum = _mm256_mul_epu32(_mm256_srli_epi64::<32>(x), self.factor[odd]);
                let sum = _mm256_add_epi64(sum, self.start[odd]);
                let upper = _mm256_sllv_epi64(sum, self.shift[odd]);
                let v = _mm256_blend_epi32::<0xaa>(lower, upper);
                let v = _mm256_min_epi32(_mm256_max_epi32(v, _mm256_setzero_si256()), self.top);
                _mm256_storeu_si256(values.as_mut_ptr().add(8 * half).cast(), v);
            }
        }
        values
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

/// The same for any number of pixels and factors of either sign.
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
            let at = place(lane);
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

impl Values for Factors {
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
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Isa;
    use crate::sqrt::integer;

    /// Norms of channels of many sizes and scales, with and without a table.
    pub fn each(mut see: impl FnMut(&[Norm; LANES], &Int8<'_>)) {
        let table: [u8; 1024] = core::array::from_fn(|i| (i * i / 5 % 256) as u8);
        for case in 0..2000u64 {
            let random = |salt: u64| (case * 16 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            let bias: [i32; LANES] = core::array::from_fn(|c| random(c as u64) as i32 % (1 << 18));
            let scale: [i32; LANES] =
                core::array::from_fn(|c| (random(c as u64) % (1 << 30)) as i32);
            let int8 = Int8 {
                weight: &[],
                bias: &bias,
                scale: &scale,
                shift: 2 + (case % 29) as u32,
                table: if case % 2 == 0 { &table } else { &[] },
                padding: 0,
                zero: 131,
            };
            let n = [1, 4, 63, 1024, 1000, 16_384, 1 << 20][case as usize % 7];
            let norms = core::array::from_fn(|c| {
                let middle = random(100 + c as u64) % 256;
                let square = middle * middle + random(200 + c as u64) % (1 << (case % 13));
                Norm::new(n, (n * middle, n * square.min(255 * middle)), 0.3, &int8, c)
            });
            see(&norms, &int8);
        }
    }

    /// The values of all bytes in each of 16 channels.
    #[target_feature(enable = "avx2,fma,f16c")]
    fn all(norms: &[Norm; LANES], int8: &Int8<'_>) -> [Option<[[i32; LANES]; 256]>; 2] {
        // SAFETY: the function is compiled for the instructions.
        unsafe {
            let mut all = [None; 2];
            if let Some(lines) = Lines::new(norms, int8) {
                let mut values = [[0; LANES]; 256];
                for (x, to) in values.iter_mut().enumerate() {
                    *to = lines.values(&[x as u8; LANES]);
                }
                all[0] = Some(values);
            }
            if let Some(factors) = Factors::new(norms, int8) {
                let mut values = [[0; LANES]; 256];
                for (x, to) in values.iter_mut().enumerate() {
                    *to = factors.values(&[x as u8; LANES]);
                }
                all[1] = Some(values);
            }
            all
        }
    }

    #[test]
    fn values_are_those_of_norms() {
        if !Isa::best().has_avx2() {
            return;
        }
        let mut computed = [0; 2];
        each(|norms, int8| {
            // SAFETY: the CPU has the instructions.
            for (all, computed) in unsafe { all(norms, int8) }.iter().zip(&mut computed) {
                let Some(all) = all else { continue };
                *computed += 1;
                for (x, values) in all.iter().enumerate() {
                    let got = int8::bytes(values, int8.table);
                    let want: [u8; LANES] = core::array::from_fn(|c| norms[c].byte(x as u8, int8));
                    assert_eq!(got, want, "{x}, {int8:?}");
                }
            }
        });
        assert!(computed.iter().all(|n| *n > 200), "{computed:?}");
    }

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
