//! Packed layers.

use super::group::Group;
use super::{Finish, run};
use crate::layer::Layer;
use crate::layout::{LANES, Layout};
use crate::simd::activate::activated;
use crate::simd::dots::Dots;
#[cfg(target_arch = "aarch64")]
use crate::simd::dots::half;
use crate::simd::lanes::Stored;
use crate::simd::part::{Places, Work};
use crate::simd::set::{Job, Set};

/// A part of a packed layer that multiplies.
pub(in crate::simd) struct Floats<'a, W> {
    pub layout: &'a Layout,
    pub work: Work<'a, W>,
}

impl<W: Stored> Job for Floats<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self, set: S) {
        let Work { layer, weight, bias, part, x, scratch, y } = self.work;
        let border = if self.layout.has_border() { self.layout.depth() } else { 0 };
        let border = &mut scratch[..border];
        border.fill(0.0);
        let mut finish = Values { set, layer, bias, y };
        #[cfg(target_arch = "aarch64")]
        if let Some(weight) = W::halves(weight).filter(|_| S::HALVES && self.layout.has_border()) {
            let weight = (weight, half::scale(x, weight));
            // SAFETY: as below; the set has arithmetic of 16-bit floats.
            unsafe {
                return run::<half::Half, _>(self.layout, weight, part, x, border, &mut finish);
            }
        }
        // SAFETY: the set proves that the CPU has the instructions, and nothing else writes the
        // places of the part.
        unsafe { run::<S::Row<W>, _>(self.layout, (weight, 1.0), part, x, border, &mut finish) }
    }
}

/// Adds the bias and applies the activation.
struct Values<'a, S> {
    set: S,
    layer: &'a Layer<'a>,
    bias: &'a [f32],
    y: Places<'a, f32>,
}

impl<S: Set, D: Dots<Sum = f32>> Finish<D> for Values<'_, S> {
    #[inline(always)]
    unsafe fn finish(
        &mut self,
        group: &Group<'_>,
        block: usize,
        positions: &[(usize, usize)],
        (sums, apart): (&[D], usize),
    ) {
        let Some(bias) = group.lanes(block, self.bias) else {
            return;
        };
        for (at, sums) in positions.iter().zip(sums.iter().step_by(apart)) {
            // SAFETY: as promised by the caller.
            let sums = unsafe { sums.sums() };
            let values: [f32; LANES] = core::array::from_fn(|lane| sums[lane] + bias[lane]);
            let values = activated(self.set, self.layer.activation, values);
            // SAFETY: no other thread computes the block at this position.
            unsafe { group.place(block, *at, &values, self.y) };
        }
    }
}
