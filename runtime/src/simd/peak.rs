//! What a core can do at most: multiply-adds and nothing else, all in registers.

use std::hint::black_box;
use std::time::Instant;

#[cfg(target_arch = "x86_64")]
use super::dots::Vnni;
#[cfg(target_arch = "x86_64")]
use super::lanes;
use super::{Isa, Kind, Portable, dots};
use crate::int8::LANES;
use dots::{Dots, Row};

/// Sums that do not wait for each other.
const SUMS: usize = 12;
const ROUNDS: usize = 20_000;

/// `plain`: arithmetic that the compiler sees through, not instructions by name.
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn sums<D: Dots>(x: &[D::X; 4], weights: &[D::Weight; 64], plain: bool) -> [D::Sum; LANES] {
    // SAFETY: as promised by the caller; there are as many inputs and weights as any type takes at a time.
    unsafe {
        let w = D::weights(weights.as_ptr());
        let mut sums = [D::zero(); SUMS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                // Plain arithmetic would be done once for all: as if another input came each time.
                let x = if plain { black_box(x) } else { x };
                *sum = sum.add_products(x.as_ptr(), w);
            }
            // Else the loop is a product.
            black_box(());
        }
        for sum in sums {
            black_box(sum.sums());
        }
        sums[0].sums()
    }
}

/// # Safety
/// The CPU has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(int8: bool) {
    // SAFETY: as promised by the caller.
    unsafe {
        match int8 {
            true => drop(black_box(sums::<dots::Avx2>(&[1; 4], &[1; 64], false))),
            false => {
                drop(black_box(sums::<Row<lanes::Avx2, f32, 2>>(&[0.5; 4], &[0.5; 64], false)))
            }
        }
    }
}

/// # Safety
/// The CPU has AVX-512 F, and VNNI for `int8`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni,avx2,fma")]
unsafe fn avx512(int8: bool) {
    // SAFETY: as promised by the caller.
    unsafe {
        match int8 {
            true => drop(black_box(sums::<Vnni>(&[1; 4], &[1; 64], false))),
            false => {
                drop(black_box(sums::<Row<lanes::Avx512, f32, 1>>(&[0.5; 4], &[0.5; 64], false)))
            }
        }
    }
}

/// Multiply-adds a second of one thread with an instruction set, of floats or of bytes: the best of a few tries.
pub fn peak(isa: Isa, int8: bool) -> f64 {
    let once = || match (isa.0, int8) {
        // SAFETY: needs no instruction that is not in every CPU of the target.
        (Kind::Portable, true) => unsafe {
            black_box(sums::<dots::Portable>(&[1; 4], &[1; 64], true));
        },
        // SAFETY: as above.
        (Kind::Portable, false) => unsafe {
            black_box(sums::<Row<Portable, f32, 4>>(&[0.5; 4], &[0.5; 64], true));
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Isa::all` found AVX-512 F, and VNNI was looked for.
        (Kind::Avx512, _) if super::vnni() => unsafe { avx512(int8) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Isa::all` found AVX2 and FMA, or AVX-512 F, which implies them.
        (Kind::Avx2 | Kind::Avx512, _) => unsafe { avx2(int8) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: NEON is part of the target.
        (Kind::Neon, true) => unsafe {
            black_box(sums::<dots::Neon>(&[1; 4], &[1; 64], false));
        },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        (Kind::Neon, false) => unsafe {
            black_box(sums::<Row<super::lanes::Neon, f32, 4>>(&[0.5; 4], &[0.5; 64], false));
        },
    };
    let inputs = if int8 { 4 } else { 1 };
    let products = (SUMS * ROUNDS * LANES * inputs) as f64;
    let try_once = |_| {
        let start = Instant::now();
        once();
        products / start.elapsed().as_secs_f64().max(1e-9)
    };
    (0..20).map(try_once).fold(0.0, f64::max)
}

/// Bytes a second that one thread reads of `len` bytes, over and over: the best of a few tries. Of as many bytes as a
/// model's weights, it says how fast they can come at most.
pub fn read_speed(len: usize) -> f64 {
    let values = std::vec![1.0f32; (len / 4).max(1024)];
    let try_once = |_| {
        let start = Instant::now();
        match Isa::best().0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX2, or AVX-512 F, which implies it.
            Kind::Avx2 | Kind::Avx512 => unsafe { read_avx2(black_box(&values)) },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => read(black_box(&values)),
            Kind::Portable => read(black_box(&values)),
        }
        size_of_val(&values[..]) as f64 / start.elapsed().as_secs_f64().max(1e-9)
    };
    (0..20).map(try_once).fold(0.0, f64::max)
}

/// Sums that a loop over registers makes of all values.
#[inline(always)]
fn read(values: &[f32]) {
    let mut sums = [0.0f32; 64];
    for part in values.chunks_exact(64) {
        for (sum, v) in sums.iter_mut().zip(part) {
            *sum += v;
        }
    }
    black_box(sums);
}

/// # Safety
/// The CPU has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn read_avx2(values: &[f32]) {
    read(values);
}
