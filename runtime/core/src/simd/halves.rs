//! Arithmetic of 16-bit floats on 64-bit Arm.
//!
//! The compiler's own functions are to be inlined always, which they cannot be into functions for
//! any CPU; these are inlined when those have been compiled for one.

use core::arch::aarch64::*;

/// `sum + w * x[I]`, lane by lane.
///
/// # Safety
/// The CPU has FEAT_FP16, here and below.
#[inline]
#[target_feature(enable = "fp16")]
pub(super) unsafe fn add_lane<const I: i32>(
    sum: float16x8_t,
    w: float16x8_t,
    x: float16x8_t,
) -> float16x8_t {
    vfmaq_laneq_f16::<I>(sum, w, x)
}

/// `a + b`, lane by lane.
///
/// # Safety
/// As [`add_lane`].
#[inline]
#[target_feature(enable = "fp16")]
pub(super) unsafe fn add(a: float16x8_t, b: float16x8_t) -> float16x8_t {
    vaddq_f16(a, b)
}

/// `a * b`, lane by lane.
///
/// # Safety
/// As [`add_lane`].
#[inline]
#[target_feature(enable = "fp16")]
pub(super) unsafe fn multiply(a: float16x8_t, b: float16x8_t) -> float16x8_t {
    vmulq_f16(a, b)
}
