//! Int8 layers.

use super::group::Group;
use super::{Finish, run};
use crate::int8::{self, TOGETHER};
use crate::layer::Int8;
use crate::layout::Layout;
use crate::simd::dots::Bytes;
use crate::simd::part::{Part, Places};
use crate::simd::set::{Job, Set};

/// A part of an int8 layer that multiplies.
pub(in crate::simd) struct Pixels<'a> {
    pub int8: &'a Int8<'a>,
    pub layout: &'a Layout,
    pub part: Part,
    pub x: &'a [u8],
    /// [`crate::simd::scratch_len`] bytes.
    pub scratch: &'a mut [u8],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, u8>,
}

impl Job for Pixels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, _: S) {
        let Pixels { int8, layout, part, x, scratch, y } = self;
        scratch.fill(int8.padding);
        let mut finish = Requantize { int8, y };
        // SAFETY: the set proves that the CPU has the instructions, and nothing else writes the
        // places of the part.
        unsafe { run::<S::Bytes, _>(layout, (int8.weight, 1.0), part, x, scratch, &mut finish) }
    }
}

/// Requantizes sums to bytes.
struct Requantize<'a> {
    int8: &'a Int8<'a>,
    y: Places<'a, u8>,
}

impl<D: Bytes> Finish<D> for Requantize<'_> {
    #[inline(always)]
    unsafe fn finish(
        &mut self,
        group: &Group<'_>,
        block: usize,
        positions: &[(usize, usize)],
        (sums, apart): (&[D], usize),
    ) {
        let int8 = self.int8;
        let lanes = |values| group.lanes(block, values);
        let (Some(bias), Some(scale)) = (lanes(int8.bias), lanes(int8.scale)) else {
            return;
        };
        if D::TOGETHER == TOGETHER {
            for (some, at) in positions.chunks(TOGETHER).enumerate() {
                let sums = &sums[some * TOGETHER * apart..];
                // SAFETY: as promised by the caller; the last sums may be there several times.
                let bytes = unsafe {
                    let sums = each!(i => sums[i.min(at.len() - 1) * apart]);
                    D::together(sums, bias, scale, int8)
                };
                for (at, bytes) in at.iter().zip(&bytes) {
                    // SAFETY: no other thread computes the block at this position.
                    unsafe { group.place(block, *at, bytes, self.y) };
                }
            }
            return;
        }
        for (at, sums) in positions.iter().zip(sums.iter().step_by(apart)) {
            // SAFETY: as promised by the caller.
            let values = unsafe { sums.requantized(bias, scale, int8.shift, int8.span()) };
            let bytes = int8::bytes(&values, int8.table);
            // SAFETY: as above.
            unsafe { group.place(block, *at, &bytes, self.y) };
        }
    }
}
