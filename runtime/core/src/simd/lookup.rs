//! Sums to bytes with AVX-512 VBMI: four times 16 at a time, with the table of the activation in registers.

use core::arch::x86_64::*;

use crate::int8::{HALVES, TOGETHER};
use crate::layer::TABLE;
use crate::layout::LANES;

/// Bytes of a register.
const REGISTER: usize = 64;
/// Bytes that an instruction looks up in two registers.
const PAIR: usize = 2 * REGISTER;

/// How 16 sums are requantized with a shift of [`HALVES`]: what [`crate::int8::requantize`] does, before values
/// are clamped.
#[derive(Clone, Copy)]
pub(super) struct Scaling {
    bias: __m512i,
    scale: [__m512i; 2],
    half: __m512i,
    shift: __m128i,
}

impl Scaling {
    /// `None` if the shift is too small or too large.
    ///
    /// # Safety
    /// The CPU has AVX-512 F.
    #[inline(always)]
    pub unsafe fn new(
        bias: &[i32; LANES],
        scale: &[i32; LANES],
        shift: u32,
        offset: i64,
    ) -> Option<Scaling> {
        if !HALVES.contains(&shift) {
            return None;
        }
        // At most 2^51 + 2^61, and products at most 2^62.
        let half = (1 << (shift - 1)) + (offset << shift);
        // SAFETY: as promised by the caller; the arrays are a register long each.
        unsafe {
            let scale = _mm512_loadu_si512(scale.as_ptr().cast());
            Some(Scaling {
                bias: _mm512_loadu_si512(bias.as_ptr().cast()),
                scale: [scale, _mm512_srli_epi64::<32>(scale)],
                half: _mm512_set1_epi64(half),
                shift: _mm_cvtsi32_si128(shift as i32 - 32),
            })
        }
    }

    /// The values of sums.
    ///
    /// # Safety
    /// The CPU has AVX-512 F.
    #[inline(always)]
    pub unsafe fn of(&self, sums: __m512i) -> __m512i {
        // SAFETY: as promised by the caller.
        unsafe {
            let sums = _mm512_add_epi32(sums, self.bias);
            let even = _mm512_add_epi64(_mm512_mul_epi32(sums, self.scale[0]), self.half);
            let sums = _mm512_srli_epi64::<32>(sums);
            let odd = _mm512_add_epi64(_mm512_mul_epi32(sums, self.scale[1]), self.half);
            // The upper halves of both.
            let upper = _mm512_mask_shuffle_epi32::<0b11_11_01_01>(odd, 0x5555, even);
            _mm512_sra_epi32(upper, self.shift)
        }
    }
}

/// The bytes of values: clamped, and as the table of the activation has them, if there is one.
///
/// # Safety
/// The CPU has AVX-512 F, BW and VBMI.
#[inline(always)]
pub(super) unsafe fn bytes(values: [__m512i; TOGETHER], table: &[u8]) -> __m512i {
    let [a, b, c, d] = values;
    // SAFETY: as promised by the caller.
    unsafe {
        let Some(table) = table.first_chunk::<TABLE>() else {
            // Four bytes of each register, side by side.
            let fours = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            return _mm512_permutexvar_epi32(order, fours);
        };
        let top = _mm512_set1_epi16(TABLE as i16 - 1);
        let first = _mm512_min_epu16(_mm512_packus_epi32(a, b), top);
        let last = _mm512_min_epu16(_mm512_packus_epi32(c, d), top);
        let order = _mm512_loadu_si512(ORDER.as_ptr().cast());
        let low = _mm512_permutex2var_epi8(first, order, last);
        let order = _mm512_or_si512(order, _mm512_set1_epi8(1));
        let high = _mm512_permutex2var_epi8(first, order, last);
        look_up(table, low, high)
    }
}

/// Where the lower bytes of 64 values are among words of packed registers.
const ORDER: [u8; REGISTER] = {
    let mut order = [0; REGISTER];
    let mut at = 0;
    while at < REGISTER {
        let (value, lane) = (at / LANES, at % LANES);
        let word = value / 2 * 32 + lane / 4 * 8 + value % 2 * 4 + lane % 4;
        order[at] = 2 * word as u8;
        at += 1;
    }
    order
};

/// The bytes of a table at indices of 10 bits.
///
/// # Safety
/// The CPU has AVX-512 F, BW and VBMI.
#[inline(always)]
unsafe fn look_up(table: &[u8; TABLE], low: __m512i, high: __m512i) -> __m512i {
    // SAFETY: as promised by the caller; two registers of eight pairs are within the table.
    unsafe {
        let eighths: [__m512i; TABLE / PAIR] = each!(i => {
            let from = table.as_ptr().add(i * PAIR);
            let both = [from, from.add(REGISTER)];
            let both: [__m512i; 2] = each!(i => _mm512_loadu_si512(both[i].cast()));
            _mm512_permutex2var_epi8(both[0], low, both[1])
        });
        let odd = _mm512_movepi8_mask(low);
        let quarters: [__m512i; 4] =
            each!(i => _mm512_mask_blend_epi8(odd, eighths[2 * i], eighths[2 * i + 1]));
        let odd = _mm512_test_epi8_mask(high, _mm512_set1_epi8(1));
        let halves: [__m512i; 2] =
            each!(i => _mm512_mask_blend_epi8(odd, quarters[2 * i], quarters[2 * i + 1]));
        let odd = _mm512_test_epi8_mask(high, _mm512_set1_epi8(2));
        _mm512_mask_blend_epi8(odd, halves[0], halves[1])
    }
}

/// Bytes as a table of all bytes has them.
///
/// # Safety
/// The CPU has AVX-512 F, BW and VBMI.
#[inline(always)]
pub(super) unsafe fn map(x: &[u8], table: &[u8; 256], y: &mut [u8]) {
    const HALF: usize = REGISTER / 2;
    let n = x.len().min(y.len());
    let (mut from, mut to, mut left) = (x.as_ptr(), y.as_mut_ptr(), n);
    // SAFETY: as promised by the caller; `left` bytes are readable and writable.
    unsafe {
        let table: [__m512i; 4] =
            each!(i => _mm512_loadu_si512(table.as_ptr().add(i * REGISTER).cast()));
        while left >= REGISTER {
            let bytes = map_register(_mm512_loadu_si512(from.cast()), table);
            _mm512_storeu_si512(to.cast(), bytes);
            (from, to, left) = (from.add(REGISTER), to.add(REGISTER), left - REGISTER);
        }
        while left >= HALF {
            let bytes = _mm512_castsi256_si512(_mm256_loadu_si256(from.cast()));
            let bytes = _mm512_castsi512_si256(map_register(bytes, table));
            _mm256_storeu_si256(to.cast(), bytes);
            (from, to, left) = (from.add(HALF), to.add(HALF), left - HALF);
        }
        while left >= LANES {
            let bytes = _mm512_castsi128_si512(_mm_loadu_si128(from.cast()));
            let bytes = _mm512_castsi512_si128(map_register(bytes, table));
            _mm_storeu_si128(to.cast(), bytes);
            (from, to, left) = (from.add(LANES), to.add(LANES), left - LANES);
        }
    }
    crate::int8::mapped(&x[n - left..], table, &mut y[n - left..]);
}

/// What 64 bytes become.
///
/// # Safety
/// The CPU has AVX-512 F, BW and VBMI.
#[inline(always)]
unsafe fn map_register(bytes: __m512i, table: [__m512i; 4]) -> __m512i {
    // SAFETY: as promised by the caller.
    unsafe {
        let low = _mm512_permutex2var_epi8(table[0], bytes, table[1]);
        let high = _mm512_permutex2var_epi8(table[2], bytes, table[3]);
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), low, high)
    }
}
