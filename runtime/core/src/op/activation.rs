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
    /// `x` if positive, else `alpha * (exp(x) - 1)` (Clevert et al. 2016, section 3).
    Elu(f32),
    /// [`Activation::Elu`] with the constants that normalize (Klambauer et al. 2017, section 2).
    Selu,
    /// `x` times the distribution function of the normal distribution (Hendrycks and Gimpel 2016).
    Gelu,
    /// The approximation of [`Activation::Gelu`] by tanh, section 2 of the same paper.
    GeluTanh,
    /// `x * sigmoid(x)`, also called swish.
    Silu,
    /// `x * tanh(softplus(x))` (Misra 2020).
    Mish,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x` limited to the interval from the first to the second number: ReLU6 has 0 and 6.
    Clip(f32, f32),
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
            Activation::Elu(alpha) => elu(x, alpha),
            // The constants of section 2, to the digits that f32 has.
            Activation::Selu => 1.050_701 * elu(x, 1.673_263_2),
            Activation::Gelu => 0.5 * x * (1.0 + erf(x * core::f32::consts::FRAC_1_SQRT_2)),
            Activation::GeluTanh => {
                // sqrt(2 / pi)
                0.5 * x * (1.0 + tanh(0.797_884_6 * (x + 0.044_715 * x * x * x)))
            }
            Activation::Silu => x / (1.0 + exp(-x)),
            Activation::Mish => x * tanh(softplus(x)),
            Activation::Softplus => softplus(x),
            Activation::Clip(least, most) => {
                if x > most {
                    most
                } else if x < least {
                    least
                } else {
                    x
                }
            }
        }
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Activation::None => "None",
            Activation::Relu => "Relu",
            Activation::LeakyRelu(_) => "LeakyRelu",
            Activation::Tanh => "Tanh",
            Activation::Sigmoid => "Sigmoid",
            Activation::Elu(_) => "Elu",
            Activation::Selu => "Selu",
            Activation::Gelu => "Gelu",
            Activation::GeluTanh => "GeluTanh",
            Activation::Silu => "Silu",
            Activation::Mish => "Mish",
            Activation::Softplus => "Softplus",
            Activation::Clip(..) => "Clip",
        }
    }

    /// The one or two numbers that belong to it.
    pub fn numbers(self) -> [Option<f32>; 2] {
        match self {
            Activation::LeakyRelu(number) | Activation::Elu(number) => [Some(number), None],
            Activation::Clip(least, most) => [Some(least), Some(most)],
            Activation::None
            | Activation::Relu
            | Activation::Tanh
            | Activation::Sigmoid
            | Activation::Selu
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu
            | Activation::Mish
            | Activation::Softplus => [None; 2],
        }
    }

    /// Whether its numbers are finite, and the least is below the most.
    pub fn is_valid(self) -> bool {
        let finite = self.numbers().into_iter().flatten().all(f32::is_finite);
        finite && !matches!(self, Activation::Clip(least, most) if least >= most)
    }

    /// Applies the function to every value, in place. Inlined, so that it is compiled for the
    /// instruction set of its caller.
    #[inline(always)]
    pub fn apply(self, values: &mut [f32]) {
        // Loops rather than closures, which would be compiled without the caller's instructions.
        match self {
            Activation::None => {}
            Activation::Relu => {
                // A choice would become a masked store, which takes AMD's cores ten times as long.
                for v in values {
                    *v = v.max(0.0);
                }
            }
            Activation::LeakyRelu(slope) => {
                // As above.
                let steep = slope > 1.0;
                for v in values {
                    let other = slope * *v;
                    *v = if steep { v.min(other) } else { v.max(other) };
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
            Activation::Elu(_)
            | Activation::Selu
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::Silu
            | Activation::Mish
            | Activation::Softplus
            | Activation::Clip(..) => self.rare(values),
        }
    }

    /// [`Activation::apply`] of those that few generators have: one copy for all instruction sets,
    /// so that firmware stays small.
    #[inline(never)]
    fn rare(self, values: &mut [f32]) {
        for v in values {
            *v = self.of(*v);
        }
    }
}

#[inline(always)]
fn elu(x: f32, alpha: f32) -> f32 {
    if x > 0.0 { x } else { alpha * (exp(x) - 1.0) }
}

/// `ln(1 + exp(x))`, with an absolute error below 1e-6 (see the test): `ln(1 + u)` with
/// `u = exp(-|x|)` is `2 artanh(s)` with `s = u / (2 + u)`, at most 1/3, whose series is cut at the
/// thirteenth power.
#[inline(always)]
fn softplus(x: f32) -> f32 {
    let u = exp(-x.abs());
    let s = u / (2.0 + u);
    let q = s * s;
    let mut p = 1.0 / 13.0;
    for term in [1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0] {
        p = p * q + term;
    }
    let positive = if x > 0.0 { x } else { 0.0 };
    positive + 2.0 * s * p
}

/// The error function, with an absolute error below 6e-7 (see the test): Abramowitz and Stegun,
/// formula 7.1.26.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let mut p = 1.061_405_4;
    for term in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = p * t + term;
    }
    let y = 1.0 - p * t * exp(-x * x);
    if x < 0.0 { -y } else { y }
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
    /// 1.5 * 2^23: adding it rounds to an integer, which the lowest bits then are.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * core::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * HIGH) - n * LOW;
    let mut p = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + term;
    }
    // 2^n, built from its bits: n is between -126 and 127.
    p * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use core::f64;

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
    fn rare_ones_against_f64() {
        // The integral of the normal density by Simpson's rule.
        let phi = |x: f64| {
            let (n, density) =
                (2000, |t: f64| (-0.5 * t * t).exp() / (2.0 * f64::consts::PI).sqrt());
            let h = x / n as f64;
            let inner = |i: i32| (if i % 2 == 1 { 4.0 } else { 2.0 }) * density(i as f64 * h);
            let sum: f64 = (1..n).map(inner).sum();
            0.5 + h / 3.0 * (density(0.0) + sum + density(x))
        };
        let elu = |x: f64, alpha: f64| if x > 0.0 { x } else { alpha * x.exp_m1() };
        for i in -1200..=1200 {
            let x = i as f64 * 0.01;
            let softplus = x.exp().ln_1p();
            let cube = 0.044_715 * x * x * x;
            let cases = [
                (Activation::Elu(0.7), elu(x, 0.7)),
                (Activation::Selu, 1.050_700_987_355_480_5 * elu(x, 1.673_263_242_354_377_2)),
                (Activation::Gelu, x * phi(x)),
                (
                    Activation::GeluTanh,
                    0.5 * x * (1.0 + ((2.0 / f64::consts::PI).sqrt() * (x + cube)).tanh()),
                ),
                (Activation::Silu, x / (1.0 + (-x).exp())),
                (Activation::Mish, x * softplus.tanh()),
                (Activation::Softplus, softplus),
                (Activation::Clip(0.0, 6.0), x.clamp(0.0, 6.0)),
            ];
            for (activation, want) in cases {
                let mut got = [x as f32];
                activation.apply(&mut got);
                let off = (got[0] as f64 - want).abs();
                assert!(off < 3e-6, "{activation:?} of {x}: {} {want}", got[0]);
            }
        }
        for activation in [Activation::Silu, Activation::Softplus, Activation::Gelu] {
            assert_eq!(activation.of(500.0), 500.0, "{activation:?}");
            assert!(activation.of(-500.0).abs() < 1e-30, "{activation:?}");
        }
        assert!(Activation::Clip(0.0, 6.0).of(f32::NAN).is_nan());
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
