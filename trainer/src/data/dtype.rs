//! Types of values in NumPy arrays.

use half::f16;

/// The type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// `u`, `i`, `f`, or `b` for booleans.
    pub letter: u8,
    /// Bytes of a value.
    pub width: usize,
    big_endian: bool,
}

impl Kind {
    /// Parses a type as NumPy writes it: `<f4`. `None` if it is not supported.
    pub fn of(descr: &str) -> Option<Kind> {
        let (order, letter, width) = match *descr.as_bytes() {
            [order, letter, width] if width.is_ascii_digit() => (order, letter, width - b'0'),
            _ => return None,
        };
        let known = match letter {
            b'u' | b'i' => [1, 2, 4, 8].contains(&width),
            b'f' => [2, 4, 8].contains(&width),
            b'b' => width == 1,
            _ => false,
        };
        let big_endian = order == b'>';
        (known && b"<>|=".contains(&order)).then_some(Kind {
            letter,
            width: width.into(),
            big_endian,
        })
    }

    /// The value of [`Kind::width`] bytes. Those of 64-bit integers are rounded.
    pub fn value(self, bytes: &[u8]) -> f64 {
        let mut value = [0; 8];
        let value = &mut value[..self.width];
        value.copy_from_slice(bytes);
        if self.big_endian {
            value.reverse();
        }
        match (self.letter, &*value) {
            (b'f', &[a, b]) => f16::from_le_bytes([a, b]).into(),
            (b'f', &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).into(),
            (b'f', &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
            (b'i', &[.., last]) => {
                let fill = if last > 127 { 255 } else { 0 };
                let mut wide = [fill; 8];
                wide[..value.len()].copy_from_slice(value);
                i64::from_le_bytes(wide) as f64
            }
            _ => {
                let mut wide = [0; 8];
                wide[..value.len()].copy_from_slice(value);
                u64::from_le_bytes(wide) as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_in_both_orders() {
        let cases: [(&str, &[u8], f64); 11] = [
            ("|u1", &[200], 200.0),
            ("|i1", &[200], -56.0),
            ("|b1", &[1], 1.0),
            ("<u2", &[1, 2], 513.0),
            (">u2", &[1, 2], 258.0),
            ("<i2", &[255, 255], -1.0),
            (">i4", &[255, 255, 255, 254], -2.0),
            ("<i8", &[7, 0, 0, 0, 0, 0, 0, 0], 7.0),
            ("<f2", &[0, 0x3e], 1.5),
            ("=f4", &1.5f32.to_ne_bytes(), 1.5),
            (">f8", &(-0.1f64).to_be_bytes(), -0.1),
        ];
        for (descr, bytes, want) in cases {
            let kind = Kind::of(descr).unwrap();
            assert_eq!((kind.width, kind.value(bytes)), (bytes.len(), want), "{descr}");
        }
        for descr in ["|O", "<c8", "<U5", "<M8[ns]", "f4", "", "<f16", "<u3", "|S1"] {
            assert_eq!(Kind::of(descr), None, "{descr}");
        }
    }
}
