//! Element-wise functions and their gradients.

use pulp::{Arch, Simd, WithSimd};

use crate::Function;
use crate::parallel::{self, chunk};

/// Values in one task of the thread pool.
const TASK: usize = 1 << 14;

/// `function` of every value.
pub fn forward(x: &[f32], function: Function) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    parallel::chunks(&mut y, TASK, &|i, y| {
        let x = chunk(x, i, TASK);
        Arch::new().dispatch(Forward { x, y, function });
    });
    y
}

/// The gradient by the input of [`forward`], from its output `y` and the gradient `dy` by that.
pub fn backward(y: &[f32], dy: &[f32], function: Function) -> Vec<f32> {
    let mut dx = vec![0.0; y.len()];
    parallel::chunks(&mut dx, TASK, &|i, dx| {
        let [y, dy] = [y, dy].map(|values| chunk(values, i, TASK));
        Arch::new().dispatch(Backward { y, dy, dx, function });
    });
    dx
}

struct Forward<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    function: Function,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let each = self.y.iter_mut().zip(self.x);
        match self.function {
            Function::Relu => each.for_each(|(y, &x)| *y = x * step(x, 0.0)),
            Function::LeakyRelu(slope) => each.for_each(|(y, &x)| *y = x * step(x, slope)),
            Function::Tanh => each.for_each(|(y, &x)| *y = tanh(x)),
            Function::Sigmoid => each.for_each(|(y, &x)| *y = sigmoid(x)),
        }
    }
}

struct Backward<'a> {
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    function: Function,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let each = self.dx.iter_mut().zip(self.y.iter().zip(self.dy));
        match self.function {
            // No slope is negative, so the output has the sign of the input.
            Function::Relu => each.for_each(|(dx, (&y, dy))| *dx = dy * step(y, 0.0)),
            Function::LeakyRelu(slope) => {
                each.for_each(|(dx, (&y, dy))| *dx = dy * step(y, slope));
            }
            Function::Tanh => each.for_each(|(dx, (y, dy))| *dx = dy * (1.0 - y * y)),
            Function::Sigmoid => each.for_each(|(dx, (y, dy))| *dx = dy * y * (1.0 - y)),
        }
    }
}

/// 1 above 0, `slope` elsewhere. A factor rather than a branch: signs follow no pattern.
#[inline(always)]
fn step(x: f32, slope: f32) -> f32 {
    if x > 0.0 { 1.0 } else { slope }
}

/// Logistic function, as burn computes it: neither exponential overflows.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Hyperbolic tangent, `1 - 2 / (exp(2 x) + 1)`, in steps that a compiler vectorizes. The error is
/// below 2e-7, which the test below measures.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    // Adding and then subtracting 1.5 * 2^23 rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    // exp(2 x) = 2^(whole + rest): `whole` becomes the exponent, `rest` goes into a power series.
    let power = (x * (2.0 * std::f32::consts::LOG2_E)).clamp(-40.0, 40.0);
    let whole = (power + ROUND) - ROUND;
    let rest = (power - whole) * std::f32::consts::LN_2;
    const SERIES: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let mut sum = 1.0 / 5040.0;
    let mut i = 0;
    while i < SERIES.len() {
        sum = sum * rest + SERIES[i];
        i += 1;
    }
    let scale = f32::from_bits(((whole as i32 + 127) as u32) << 23);
    1.0 - 2.0 / (sum * scale + 1.0)
}
