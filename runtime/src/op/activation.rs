//! Activations. `core` has no exponential; this one gives the same bits on every device.

/// The function applied to each output value of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Identity.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x` if positive, else `slope * x`.
    LeakyRelu(f32),
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
}

impl Activation {
    /// Applies the function to one value.
    #[inline(always)]
    pub fn of(self, x: f32) -> f32 {
        match self {
            Activation::None => x,
            Activation::Relu => {
                if x > 0.0 {
                    x
                } else {
                    0.0
                }
            }
            Activation::LeakyRelu(slope) => {
                if x > 0.0 {
                    x
                } else {
                    slope * x
                }
            }
            Activation::Tanh => tanh(x),
            Activation::Sigmoid => 1.0 / (1.0 + exp(-x)),
        }
    }

    /// Applies the function to every value, in place. Inlined, so that it is compiled for the
    /// instruction set of its caller.
    #[inline(always)]
    pub fn apply(self, values: &mut [f32]) {
        // Loops rather than closures, which would be compiled without the caller's instructions.
        match self {
            Activation::None => {}
            Activation::Relu => {
                for v in values {
                    *v = Activation::Relu.of(*v);
                }
            }
            Activation::LeakyRelu(slope) => {
                for v in values {
                    *v = Activation::LeakyRelu(slope).of(*v);
                }
            }
            Activation::Tanh => {
                for v in values {
                    *v = tanh(*v);
                }
            }
            Activation::Sigmoid => {
                for v in values {
                    *v = Activation::Sigmoid.of(*v);
                }
            }
        }
    }
}

/// Hyperbolic tangent, with an error below 3e-7 (see the test).
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let e = exp(2.0 * x.clamp(-10.0, 10.0));
    // Beyond 10 the result is 1 to the last bit.
    1.0 - 2.0 / (e + 1.0)
}

/// The exponential, with a relative error below 3e-7: `x = n ln 2 + r` with ln 2 in two parts (Cody
/// and Waite 1980, chapter 6), then the Taylor series of `exp(r)` for `|r| <= ln 2 / 2`, whose
/// eighth term is below 6e-9.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    /// 1.5 * 2^23: adding it rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let n = (x * core::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = (x - n * HIGH) - n * LOW;
    let mut p = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + term;
    }
    // 2^n, built from its bits: n is between -126 and 127.
    p * f32::from_bits(((n as i32 + 127) << 23) as u32)
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn against_f64() {
        for i in -200_000..=200_000 {
            let x = i as f32 * 1e-3;
            let want = (x as f64).tanh();
            assert!((tanh(x) as f64 - want).abs() < 3e-7, "tanh {x}");
            let sigmoid = 1.0 / (1.0 + (-x as f64).exp());
            assert!((Activation::Sigmoid.of(x) as f64 - sigmoid).abs() < 3e-7, "sigmoid {x}");
            if x.abs() < 80.0 {
                let want = (x as f64).exp();
                assert!((exp(x) as f64 / want - 1.0).abs() < 3e-7, "exp {x}");
            }
        }
    }

    #[test]
    fn edges() {
        for x in [f32::INFINITY, 1e30] {
            assert_eq!((tanh(x), tanh(-x)), (1.0, -1.0));
        }
        assert!(tanh(f32::NAN).is_nan());
        let mut values = [-2.0, 3.0];
        Activation::LeakyRelu(0.25).apply(&mut values);
        assert_eq!(values, [-0.5, 3.0]);
    }
}
