//! The limits of a core: multiply-adds from registers, and bytes from memory.

use std::hint::black_box;
use std::time::Instant;

use super::dots::Dots;
use super::isa::Isa;
use super::set::{Job, Set};
use crate::layout::LANES;

/// Most sums that do not wait for each other; fewer if registers do not hold that many.
const SUMS: usize = 12;
const ROUNDS: usize = 20_000;
const TRIES: usize = 20;

/// Multiply-adds of floats and nothing else.
struct Floats;

impl Job for Floats {
    type Output = usize;

    #[inline(always)]
    fn run<S: Set>(self, _: S) -> usize {
        // SAFETY: the set proves that the CPU has the instructions; so below.
        unsafe { sums::<S::Row<f32>>(&[0.5; 4], &[0.5; 64], S::PLAIN) }
    }
}

/// Multiply-adds of bytes and nothing else.
struct Bytes;

impl Job for Bytes {
    type Output = usize;

    #[inline(always)]
    fn run<S: Set>(self, _: S) -> usize {
        unsafe { sums::<S::Bytes>(&[1; 4], &[1; 64], S::PLAIN) }
    }
}

/// Returns the number of sums. `plain`: the compiler sees through the arithmetic.
///
/// # Safety
/// The CPU has the instructions of `D`.
#[inline(always)]
unsafe fn sums<D: Dots>(x: &[D::X; 4], weights: &[D::Weight; 64], plain: bool) -> usize {
    // SAFETY: as promised by the caller; no type reads more inputs and weights at a time.
    unsafe {
        let w = D::weights(weights.as_ptr());
        let mut sums = [D::zero(); SUMS];
        let count = (D::WIDE * D::DEEP).min(SUMS);
        for _ in 0..ROUNDS {
            for sum in sums.iter_mut().take(count) {
                // Plain arithmetic would be done once for all rounds: pretend that inputs change.
                let x = if plain || D::FOLDED { black_box(x) } else { x };
                *sum = sum.add_products(x.as_ptr(), w);
            }
            // Without this the loop would become one product.
            black_box(());
        }
        for sum in sums {
            black_box(sum.sums());
        }
        count
    }
}

/// Multiply-adds per second of one thread, of floats or of bytes: the best of several tries.
pub fn peak(isa: Isa, int8: bool) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if isa.has_tiles() {
        let mut all = 0;
        // SAFETY: so there is AMX.
        let seconds = least_seconds(|| all = unsafe { super::amx::products(int8, ROUNDS) });
        return all as f64 / seconds;
    }
    let inputs = if int8 { 4 } else { 1 };
    let mut sums = 0;
    let seconds = least_seconds(|| {
        sums = match int8 {
            true => isa.bytes(Bytes),
            false => isa.floats(Floats),
        }
    });
    (sums * ROUNDS * LANES * inputs) as f64 / seconds
}

/// Bytes per second that one thread reads from `len` bytes, over and over: the best of several
/// tries. For the length of a model's weights it bounds how fast they can be read.
pub fn read_speed(len: usize) -> f64 {
    let values = std::vec![1.0f32; (len / 4).max(1024)];
    let bytes = size_of_val(&values[..]) as f64;
    bytes / least_seconds(|| Isa::best().floats(Read(black_box(&values))))
}

fn least_seconds(mut work: impl FnMut()) -> f64 {
    let mut once = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64().max(1e-9)
    };
    (0..TRIES).map(&mut once).fold(f64::INFINITY, f64::min)
}

/// Sums of all values, in registers.
struct Read<'a>(&'a [f32]);

impl Job for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let mut sums = [0.0f32; 64];
        for part in self.0.chunks_exact(64) {
            for (sum, v) in sums.iter_mut().zip(part) {
                *sum += v;
            }
        }
        black_box(sums);
    }
}
