//! 16-bit floats (IEEE 754 binary16) as bits, as f16 records store them.

/// The largest finite value.
pub const MOST: f32 = 65_504.0;

/// The exact value of finite bits, subnormal ones included. The exponent and fraction of a half,
/// moved to where a float has them, are a number 2^112 times too small.
#[inline(always)]
pub fn widen(bits: u16) -> f32 {
    let small = f32::from_bits(u32::from(bits & 0x7fff) << 13);
    let sign = u32::from(bits & 0x8000) << 16;
    f32::from_bits((small * SCALE).to_bits() | sign)
}

/// 2^112.
pub(crate) const SCALE: f32 = f32::from_bits((112 + 127) << 23);

/// The bits of the nearest half, ties to even. Values beyond [`MOST`] by half a step or more become
/// infinite; NaN stays NaN.
pub fn narrow(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let size = bits & 0x7fff_ffff;
    if size > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    // From 65520 on the nearest half would be beyond the largest.
    if size >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    // Below 2^-14 steps are 2^-24 wide: adding 0.5 leaves room for exactly those bits.
    if size < 0x3880_0000 {
        let fixed = f32::from_bits(size) + 0.5;
        return sign | (fixed.to_bits() - 0x3f00_0000) as u16;
    }
    let odd = size >> 13 & 1;
    sign | ((size - ((127 - 15) << 23) + 0xfff + odd) >> 13) as u16
}

/// Whether the value is neither infinite nor NaN.
pub fn is_finite(bits: u16) -> bool {
    bits & 0x7c00 != 0x7c00
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let cases = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65_504.0),
            // 2^-14, the largest below it, 2^-24.
            (0x0400, 6.103_515_6e-5),
            (0x03ff, 6.097_555e-5),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
        ];
        for (bits, value) in cases {
            assert_eq!(widen(bits).to_bits(), f32::to_bits(value), "{bits:#06x}");
            assert_eq!(narrow(value), bits, "{value}");
        }
        assert_eq!(narrow(1e-9), 0);
        assert_eq!(narrow(-65_519.0), 0xfbff);
        assert!(!is_finite(narrow(65_520.0)) && !is_finite(narrow(f32::NAN)));
    }

    #[test]
    fn every_value_survives_the_round_trip() {
        for bits in (0..=u16::MAX).filter(|b| is_finite(*b)) {
            assert_eq!(narrow(widen(bits)), bits, "{bits:#06x}");
        }
    }

    #[test]
    fn rounds_to_nearest_even() {
        for bits in (0..0x7bffu16).step_by(7) {
            let (low, high) = (widen(bits), widen(bits + 1));
            let middle = (low + high) / 2.0;
            let even = bits + (bits & 1);
            assert_eq!(narrow(middle), even, "{bits:#06x}");
            assert_eq!(narrow(f32::from_bits(middle.to_bits() - 1)), bits);
            assert_eq!(narrow(f32::from_bits(middle.to_bits() + 1)), bits + 1);
        }
    }
}
