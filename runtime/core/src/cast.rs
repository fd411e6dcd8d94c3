//! Bytes as numbers and back, without a copy.
#![allow(unsafe_code, reason = "reinterprets slices whose types have no invalid bit patterns")]

/// Bytes as floats: `None` if they are misaligned or end within a float.
pub fn floats(bytes: &[u8]) -> Option<&[f32]> {
    // SAFETY: every pattern of 32 bits is an f32.
    let (before, floats, after) = unsafe { bytes.align_to::<f32>() };
    (before.is_empty() && after.is_empty()).then_some(floats)
}

/// Bytes as 32-bit integers: `None` if they are misaligned or end within one.
pub fn words(bytes: &[u8]) -> Option<&[i32]> {
    // SAFETY: every pattern of 32 bits is an i32.
    let (before, words, after) = unsafe { bytes.align_to::<i32>() };
    (before.is_empty() && after.is_empty()).then_some(words)
}

/// Bytes as 16-bit integers: `None` if they are misaligned or end within one.
pub fn halves(bytes: &[u8]) -> Option<&[u16]> {
    // SAFETY: every pattern of 16 bits is a u16.
    let (before, halves, after) = unsafe { bytes.align_to::<u16>() };
    (before.is_empty() && after.is_empty()).then_some(halves)
}

/// Bytes as signed ones.
pub fn signed(bytes: &[u8]) -> &[i8] {
    // SAFETY: the two have the same size and alignment, and no invalid patterns.
    unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// Floats as their bytes.
pub fn bytes(floats: &[f32]) -> &[u8] {
    // SAFETY: every byte of a float may be read as one.
    unsafe { core::slice::from_raw_parts(floats.as_ptr().cast(), size_of_val(floats)) }
}

/// Floats as their bytes, mutable.
pub fn bytes_mut(floats: &mut [f32]) -> &mut [u8] {
    // SAFETY: as above, and every pattern of 32 bits is an f32.
    unsafe { core::slice::from_raw_parts_mut(floats.as_mut_ptr().cast(), size_of_val(floats)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Aligned;

    #[test]
    fn alignment_is_checked() {
        let aligned = Aligned([0u8; 12]);
        assert_eq!(floats(&aligned.0).map(<[f32]>::len), Some(3));
        assert_eq!(floats(&aligned.0[1..9]), None);
        assert_eq!(floats(&aligned.0[..7]), None);
        assert_eq!(floats(&[]).map(<[f32]>::len), Some(0));
    }
}
