//! Cortex-M with the DSP extension (M4, M7, most M33, M55, M85): two 16-bit products and their sum
//! in one instruction.

use super::dots::{Bytes, Dots, Portable};
use crate::layout::{LANES, QUAD};

/// 16 sums, four of which are in registers at a time.
#[derive(Clone, Copy)]
pub(crate) struct Dsp(Portable);

impl Dots for Dsp {
    const WIDE: usize = 1;
    const DEEP: usize = 1;
    const QUAD: usize = QUAD;
    type X = u8;
    type Weight = i8;
    type Sum = i32;
    type Weights = <Portable as Dots>::Weights;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: needs no special instruction.
        Dsp(unsafe { Portable::zero() })
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> Self::Weights {
        // SAFETY: as promised by the caller.
        unsafe { Portable::weights(from) }
    }

    #[inline(always)]
    unsafe fn add_products(self, x: *const u8, weights: Self::Weights) -> Self {
        // SAFETY: as promised by the caller.
        Dsp(unsafe { self.0.add_products(x, weights) })
    }

    #[inline(always)]
    unsafe fn add_tap<const P: usize, const B: usize>(
        sums: &mut [[Self; B]; P],
        under: [*const u8; P],
        (weight, of_block): (*const i8, usize),
        depth: usize,
        lanes: usize,
    ) {
        for (sums, x) in sums.iter_mut().zip(under) {
            for (b, sums) in sums.iter_mut().enumerate() {
                let weight = weight.wrapping_add(b * of_block);
                let fours = sums.0.0.as_chunks_mut::<4>().0.iter_mut();
                for (four, sums) in fours.enumerate().take(lanes.div_ceil(4)) {
                    // SAFETY: `depth` bytes and 16 times as many weights are readable, as promised
                    // by the caller; each four lanes use 16 of the 64 weights of every 4 bytes.
                    unsafe { four_lanes(sums, x, weight.add(4 * QUAD * four), depth / QUAD) };
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn sums(self) -> [i32; LANES] {
        self.0.0
    }

    #[inline(always)]
    fn is_zero(x: u8) -> bool {
        x == 0
    }
}

impl Bytes for Dsp {}

/// Adds the products of `4 * quads` bytes to four lanes.
///
/// # Safety
/// `4 * quads` bytes are readable at `x`, and 16 weights at `weight` and at every 64 from there,
/// `quads` times. The CPU has the DSP extension.
#[inline(always)]
unsafe fn four_lanes(sums: &mut [i32; 4], x: *const u8, weight: *const i8, quads: usize) {
    if quads == 0 {
        return;
    }
    let [mut s0, mut s1, mut s2, mut s3] = *sums;
    // Bytes 0 and 2 of a word become the halves of one register, 1 and 3 of another; inputs are
    // unsigned, weights signed. SAFETY: reads what the caller promised and writes registers.
    // Nothing reads the Q flag that smlad sets.
    unsafe {
        core::arch::asm!(
            "2:",
            "ldr {w}, [{x}], #4",
            "uxtb16 {even}, {w}",
            "uxtb16 {odd}, {w}, ror #8",
            "ldr {w}, [{weight}]",
            "sxtb16 {t}, {w}",
            "sxtb16 {w}, {w}, ror #8",
            "smlad {s0}, {t}, {even}, {s0}",
            "smlad {s0}, {w}, {odd}, {s0}",
            "ldr {w}, [{weight}, #4]",
            "sxtb16 {t}, {w}",
            "sxtb16 {w}, {w}, ror #8",
            "smlad {s1}, {t}, {even}, {s1}",
            "smlad {s1}, {w}, {odd}, {s1}",
            "ldr {w}, [{weight}, #8]",
            "sxtb16 {t}, {w}",
            "sxtb16 {w}, {w}, ror #8",
            "smlad {s2}, {t}, {even}, {s2}",
            "smlad {s2}, {w}, {odd}, {s2}",
            "ldr {w}, [{weight}, #12]",
            "adds {weight}, #64",
            "sxtb16 {t}, {w}",
            "sxtb16 {w}, {w}, ror #8",
            "smlad {s3}, {t}, {even}, {s3}",
            "smlad {s3}, {w}, {odd}, {s3}",
            "subs {quads}, #1",
            "bne 2b",
            x = inout(reg) x => _,
            weight = inout(reg) weight => _,
            quads = inout(reg) quads => _,
            w = out(reg) _,
            t = out(reg) _,
            even = out(reg) _,
            odd = out(reg) _,
            s0 = inout(reg) s0,
            s1 = inout(reg) s1,
            s2 = inout(reg) s2,
            s3 = inout(reg) s3,
            options(nostack, readonly),
        );
    }
    *sums = [s0, s1, s2, s3];
}
