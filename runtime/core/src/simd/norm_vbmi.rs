//! [`super::norm_bytes`] with AVX-512, VBMI and IFMA: four pixels of 16 channels at a time.

use core::arch::x86_64::*;

use super::lookup;
use super::norm_bytes::{Bytes, Line};
use crate::int8::{Norm, TOGETHER};
use crate::layer::Int8;
use crate::layout::{LANES, padded};

/// Channels in a register of 64 bits each.
const HALF: usize = LANES / 2;

impl Bytes<'_> {
    /// Computes the part.
    ///
    /// # Safety
    /// The CPU has AVX-512 F, BW, DQ, VL, VNNI, VBMI and IFMA.
    #[target_feature(
        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512ifma,avx2,fma,f16c"
    )]
    pub unsafe fn run_vbmi(&self) {
        let c = self.layer.input.c;
        for block in self.part.share(c.div_ceil(LANES)) {
            // SAFETY: as promised by the caller, for all of this.
            unsafe {
                match c - block * LANES {
                    LANES.. => self.block::<true>(block),
                    _ => self.block::<false>(block),
                }
            }
        }
    }

    /// Computes a block of channels. `FULL`: there are 16.
    ///
    /// # Safety
    /// As [`Bytes::run_vbmi`].
    #[inline(always)]
    unsafe fn block<const FULL: bool>(&self, block: usize) {
        let (c, channels) = (padded(self.layer.input.c), self.channels(block));
        let mask = ((1u32 << channels.len()) - 1) as __mmask16;
        let pixels =
            Pixels { x: &self.x[..self.layer.input.plane() * c], c, first: channels.start, mask };
        // SAFETY: as promised by the caller; the channels are the part's own.
        unsafe {
            let norms = self.norms(block, pixels.moments::<FULL>());
            let Some(lines) = Lines::new(&norms, self.int8) else {
                return self.apply(block, &norms);
            };
            let n = pixels.x.len() / c;
            let whole = n - n % TOGETHER;
            let from = pixels.x.as_ptr().add(channels.start);
            for pixel in (0..whole).step_by(TOGETHER) {
                let values = each!(i => lines.of::<FULL>(from.add((pixel + i) * c), mask));
                let bytes = lookup::bytes(values, self.int8.table);
                let bytes = core::mem::transmute::<__m512i, [__m128i; TOGETHER]>(bytes);
                for (i, bytes) in bytes.into_iter().enumerate() {
                    let to = self.y.cut((pixel + i) * c + channels.start, channels.len());
                    store::<FULL>(to, mask, bytes);
                }
            }
            for pixel in whole..n {
                let values = [lines.of::<FULL>(from.add(pixel * c), mask); TOGETHER];
                let bytes = lookup::bytes(values, self.int8.table);
                let to = self.y.cut(pixel * c + channels.start, channels.len());
                store::<FULL>(to, mask, _mm512_castsi512_si128(bytes));
            }
        }
    }
}

/// Loads 16 bytes, or those of the mask.
///
/// # Safety
/// The CPU has AVX-512 BW and VL; the bytes are readable.
#[inline(always)]
unsafe fn load<const FULL: bool>(from: *const u8, mask: __mmask16) -> __m128i {
    // SAFETY: as promised by the caller.
    unsafe {
        match FULL {
            true => _mm_loadu_si128(from.cast()),
            false => _mm_maskz_loadu_epi8(mask, from.cast()),
        }
    }
}

/// Stores 16 bytes, or those of the mask.
///
/// # Safety
/// The CPU has AVX-512 BW and VL; there is a place for each bit of the mask.
#[inline(always)]
unsafe fn store<const FULL: bool>(to: &mut [u8], mask: __mmask16, bytes: __m128i) {
    // SAFETY: as promised by the caller.
    unsafe {
        match FULL {
            true => _mm_storeu_si128(to.as_mut_ptr().cast(), bytes),
            false => _mm_mask_storeu_epi8(to.as_mut_ptr().cast(), mask, bytes),
        }
    }
}

/// Some channels of pixels of `c` bytes.
struct Pixels<'a> {
    x: &'a [u8],
    c: usize,
    first: usize,
    mask: __mmask16,
}

impl Pixels<'_> {
    /// Their sums, and those of their squares.
    ///
    /// # Safety
    /// As [`Bytes::run_vbmi`].
    #[inline(always)]
    unsafe fn moments<const FULL: bool>(&self) -> [(u64, u64); LANES] {
        let mut each = [(0, 0); LANES];
        // Runs so short that the sum of products of bytes and of bytes minus 128 fits into 32 bits.
        for run in self.x.chunks(self.c << 16) {
            let n = run.len() / self.c;
            let whole = n - n % TOGETHER;
            // SAFETY: as promised by the caller; pixels are within the run.
            unsafe {
                let from = run.as_ptr().add(self.first);
                let mut sums = [_mm512_setzero_si512(); 2];
                for pixel in (0..whole).step_by(TOGETHER) {
                    let four = each!(i => load::<FULL>(from.add((pixel + i) * self.c), self.mask));
                    sums = add(sums, four);
                }
                for pixel in whole..n {
                    let none = _mm_setzero_si128();
                    let one = load::<FULL>(from.add(pixel * self.c), self.mask);
                    sums = add(sums, [one, none, none, none]);
                }
                let [sum, product] = core::mem::transmute::<[__m512i; 2], [[i32; LANES]; 2]>(sums);
                for (lane, (to_sum, to_square)) in each.iter_mut().enumerate() {
                    let (sum, product) = (i64::from(sum[lane]), i64::from(product[lane]));
                    *to_sum += sum as u64;
                    *to_square += (product + 128 * sum) as u64;
                }
            }
        }
        each
    }
}

/// Adds to the sums of 16 channels four pixels, and their products with themselves minus 128.
///
/// # Safety
/// As [`Bytes::run_vbmi`].
#[inline(always)]
unsafe fn add(sums: [__m512i; 2], [a, b, c, d]: [__m128i; TOGETHER]) -> [__m512i; 2] {
    // SAFETY: as promised by the caller.
    unsafe {
        let first = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(a), b);
        let last = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(c), d);
        let all = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), last);
        let order = _mm512_loadu_si512(ORDER.as_ptr().cast());
        let fours = _mm512_permutexvar_epi8(order, all);
        let off = _mm512_xor_si512(fours, _mm512_set1_epi8(i8::MIN));
        [
            _mm512_dpbusd_epi32(sums[0], fours, _mm512_set1_epi8(1)),
            _mm512_dpbusd_epi32(sums[1], fours, off),
        ]
    }
}

/// Where the four bytes of each channel are in four pixels of 16 channels.
const ORDER: [u8; TOGETHER * LANES] = {
    let mut order = [0; TOGETHER * LANES];
    let mut at = 0;
    while at < order.len() {
        order[at] = (at % TOGETHER * LANES + at / TOGETHER) as u8;
        at += 1;
    }
    order
};

/// [`Line`]s of 16 channels.
struct Lines {
    factor: [__m512i; 2],
    start: [__m512i; 2],
    shift: [__m512i; 2],
}

impl Lines {
    /// `None` if there are none, or products do not fit into 52 bits.
    ///
    /// # Safety
    /// As [`Bytes::run_vbmi`].
    #[inline(always)]
    unsafe fn new(norms: &[Norm; LANES], int8: &Int8<'_>) -> Option<Lines> {
        let (mut factors, mut starts, mut shifts) = ([0i64; LANES], [0i64; LANES], [0i64; LANES]);
        for (lane, norm) in norms.iter().enumerate() {
            let Line { factor, start, shift } = Line::new(norm, int8)?;
            if factor * 255 >= 1 << 52 {
                return None;
            }
            (factors[lane], starts[lane], shifts[lane]) = (factor, start, shift);
        }
        // SAFETY: as promised by the caller; the arrays have two registers.
        unsafe {
            Some(Lines {
                factor: each!(i => _mm512_loadu_si512(factors.as_ptr().add(i * HALF).cast())),
                start: each!(i => _mm512_loadu_si512(starts.as_ptr().add(i * HALF).cast())),
                shift: each!(i => _mm512_loadu_si512(shifts.as_ptr().add(i * HALF).cast())),
            })
        }
    }

    /// The values of a pixel.
    ///
    /// # Safety
    /// As [`Bytes::run_vbmi`]; 16 bytes are readable, or those of the mask.
    #[inline(always)]
    unsafe fn of<const FULL: bool>(&self, from: *const u8, mask: __mmask16) -> __m512i {
        // SAFETY: as promised by the caller.
        unsafe {
            let x = match FULL {
                true => [_mm_loadl_epi64(from.cast()), _mm_loadl_epi64(from.add(HALF).cast())],
                false => {
                    let both = _mm_maskz_loadu_epi8(mask, from.cast());
                    [both, _mm_srli_si128::<{ HALF as i32 }>(both)]
                }
            };
            let values: [__m512i; 2] = each!(i => {
                let x = _mm512_cvtepu8_epi64(x[i]);
                let sum = _mm512_madd52lo_epu64(self.start[i], x, self.factor[i]);
                _mm512_srav_epi64(sum, self.shift[i])
            });
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            _mm512_permutex2var_epi32(values[0], even, values[1])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::norm_bytes::tests::each;
    use super::*;
    use crate::Isa;

    /// The bytes of all bytes in each of 16 channels.
    #[target_feature(
        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512ifma,avx2,fma,f16c"
    )]
    fn all(norms: &[Norm; LANES], int8: &Int8<'_>) -> Option<[[u8; LANES]; 256]> {
        let mut all = [[0; LANES]; 256];
        // SAFETY: the function is compiled for the instructions.
        unsafe {
            let lines = Lines::new(norms, int8)?;
            for (x, to) in all.iter_mut().enumerate() {
                let values = [lines.of::<true>([x as u8; LANES].as_ptr(), 0); TOGETHER];
                let bytes = lookup::bytes(values, int8.table);
                *to = core::mem::transmute::<__m512i, [[u8; LANES]; TOGETHER]>(bytes)[3];
            }
        }
        Some(all)
    }

    #[test]
    fn lines_are_norms() {
        if !Isa::best().has_vbmi() {
            return;
        }
        let mut computed = 0;
        each(|norms, int8| {
            // SAFETY: the CPU has the instructions.
            let Some(all) = (unsafe { all(norms, int8) }) else { return };
            computed += 1;
            for (x, bytes) in all.iter().enumerate() {
                let want: [u8; LANES] = core::array::from_fn(|c| norms[c].byte(x as u8, int8));
                assert_eq!(*bytes, want, "{x}, {int8:?}");
            }
        });
        assert!(computed > 500, "{computed}");
    }
}
