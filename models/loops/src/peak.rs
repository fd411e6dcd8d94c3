//! What a CPU can do at most.

use std::hint::black_box;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};

/// Multiply-adds per second of all threads on registers: the best of a few tries.
pub fn peak() -> f64 {
    const STEPS: usize = 4_000_000;
    let lanes = Arch::new().dispatch(Lanes) as f64;
    (0..5)
        .map(|_| {
            let began = Instant::now();
            let all = rayon::broadcast(|_| Arch::new().dispatch(Products(STEPS)));
            black_box(&all);
            let count = all.len() as f64 * STEPS as f64 * CHAINS as f64 * lanes;
            count / began.elapsed().as_secs_f64()
        })
        .fold(0.0, f64::max)
}

/// Independent chains of multiply-adds: more than a CPU has in flight.
const CHAINS: usize = 12;

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

struct Products(usize);

impl WithSimd for Products {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let by = simd.splat_f32s(black_box(0.999));
        let add = simd.splat_f32s(black_box(0.001));
        let mut sums = [simd.splat_f32s(black_box(1.0)); CHAINS];
        for _ in 0..self.0 {
            let mut i = 0;
            while i < CHAINS {
                sums[i] = simd.mul_add_e_f32s(sums[i], by, add);
                i += 1;
            }
        }
        let mut sum = 0.0;
        for s in sums {
            sum += simd.reduce_sum_f32s(s);
        }
        sum
    }
}
