//! Square root, which `core` lacks. The same bits on every device.

/// By Newton's method, starting with half the exponent; 0 unless `x` is positive.
pub(crate) fn sqrt(x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let mut y = f64::from_bits((x.to_bits() >> 1) + (1023 << 51));
    for _ in 0..6 {
        y = 0.5 * (y + x / y);
    }
    y
}

/// The largest integer whose square is at most `n`, by Newton's method from above.
pub(crate) fn integer(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let mut root = 1u64 << (64 - n.leading_zeros()).div_ceil(2);
    loop {
        let next = (root + n / root) / 2;
        if next >= root {
            return root;
        }
        root = next;
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn roots_of_floats() {
        for x in [1e-300, 1e-5, 0.5, 1.0, 2.0, 65_536.0, 1e10] {
            assert!((sqrt(x) / x.sqrt() - 1.0).abs() < 1e-15, "{x}");
        }
        assert_eq!([sqrt(0.0), sqrt(-1.0)], [0.0, 0.0]);
    }

    #[test]
    fn roots_of_integers() {
        let edges = [1u64, 2, 3, 255, 65_535, 65_536, u64::from(u32::MAX)];
        for root in edges {
            assert_eq!(integer(root * root), root);
            assert_eq!(integer(root * root - 1), root - 1);
        }
        assert_eq!(integer(0), 0);
        assert_eq!(integer(u64::MAX), u64::from(u32::MAX));
    }
}
