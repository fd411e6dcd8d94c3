//! Latents: the points from which a generator makes images. A seed names the same latent on every
//! device.
//!
//! Numbers come from SplitMix64 (Steele, Lea and Flood 2014, figure 17), the normal distribution
//! from the inverse of its distribution function (Wichura 1988, algorithm AS 241, PPND16), in `f64`
//! with only `+ - * /` and comparisons, which IEEE 754 defines to the bit; the logarithm and square
//! root for the tails are built from the same. So a latent has the same bits on every conforming
//! machine, with or without floating-point hardware.

use core::fmt;

use crate::sqrt::sqrt;

/// Where the values of a latent come from.
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::Latent;
///
/// let mut z = [0.0; 4];
/// Latent::from_seed(42).truncated(0.7).fill(&mut z)?;
/// Latent::between(1, 2, 0.5).fill(&mut z)?;
/// # Ok::<(), runtime::LatentLength>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latent<'a> {
    source: Source<'a>,
    truncation: f32,
    label: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source<'a> {
    Seed(u64),
    Values(&'a [f32]),
    /// The point at `t` on the way from the first seed to the second.
    Between(u64, u64, f32),
}

/// A latent does not suit a model: given values do not have the length that it needs, or it takes
/// no latent at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatentLength {
    /// Length that the model needs; 0 if its input is a picture.
    pub need: usize,
    /// Length of the latent; 0 if it can have any.
    pub got: usize,
}

impl fmt::Display for LatentLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.need {
            0 => write!(f, "the model takes a picture, not a latent: translate one"),
            need => write!(f, "the latent has {} values, the model needs {need}", self.got),
        }
    }
}

impl core::error::Error for LatentLength {}

impl<'a> Latent<'a> {
    /// Independent values from N(0, 1), for any length.
    pub const fn from_seed(seed: u64) -> Latent<'static> {
        Latent { source: Source::Seed(seed), truncation: 1.0, label: None }
    }

    /// These values.
    pub const fn from_values(values: &'a [f32]) -> Latent<'a> {
        Latent { source: Source::Values(values), truncation: 1.0, label: None }
    }

    /// The point at `t`, from 0 to 1, on the way from one seed's latent to another's along the
    /// sphere (White 2016, "Sampling Generative Networks", section 2.1): every point is as far from
    /// the origin as samples are.
    pub const fn between(from: u64, to: u64, t: f32) -> Latent<'static> {
        Latent { source: Source::Between(from, to, t), truncation: 1.0, label: None }
    }

    /// The same with every value multiplied by `truncation`. Below 1, faces are more ordinary and
    /// better formed.
    pub const fn truncated(self, truncation: f32) -> Latent<'a> {
        Latent { truncation, ..self }
    }

    /// The same with class `label`, for conditional models. Without it, seeds cycle through the
    /// classes; seed 0 has the first.
    pub const fn labeled(self, label: u32) -> Latent<'a> {
        Latent { label: Some(label), ..self }
    }

    /// Writes the values of the latent.
    ///
    /// # Errors
    /// [`LatentLength`] if given values do not have the length of `z`.
    pub fn fill(&self, z: &mut [f32]) -> Result<(), LatentLength> {
        self.fill_for(z, 0)
    }

    /// Number of given values; `None` if it fits any length.
    pub(crate) fn len(&self) -> Option<usize> {
        match self.source {
            Source::Values(values) => Some(values.len()),
            Source::Seed(_) | Source::Between(..) => None,
        }
    }

    /// Writes the latent of a model of `labels` classes: its values, followed by one value per
    /// class, 1 for the label's class and 0 for the others (Mirza and Osindero 2014, section 3.2).
    /// Labels wrap around at the number of classes. Given values may include those of the classes.
    /// Between two seeds, the class is interpolated too.
    ///
    /// # Errors
    /// [`LatentLength`] if given values have neither the length of `z` nor, with a label, its
    /// length without the classes.
    pub fn fill_for(&self, z: &mut [f32], labels: usize) -> Result<(), LatentLength> {
        let need = z.len();
        let (z, classes) = z.split_at_mut(need.saturating_sub(labels));
        match self.source {
            Source::Seed(seed) => {
                let mut normal = Normal::new(seed);
                z.iter_mut().for_each(|v| *v = normal.sample());
                mark(classes, self.class(seed), 1.0);
            }
            Source::Values(values) => {
                let whole = values.len() == need;
                let before = values.len() == z.len() && self.label.is_some();
                if !whole && !before {
                    let got = values.len();
                    return Err(LatentLength { need, got });
                }
                let (values, given) = values.split_at(z.len());
                z.copy_from_slice(values);
                match self.label {
                    Some(label) => mark(classes, u64::from(label), 1.0),
                    None => classes.copy_from_slice(given),
                }
            }
            Source::Between(from, to, t) => {
                slerp(from, to, t, z);
                let t = t.clamp(0.0, 1.0);
                mark(classes, self.class(from), 1.0 - t);
                add(classes, self.class(to), t);
            }
        }
        z.iter_mut().for_each(|v| *v *= self.truncation);
        Ok(())
    }

    /// The label, or the class whose turn it is for a seed; wraps around.
    fn class(&self, seed: u64) -> u64 {
        self.label.map_or(seed, u64::from)
    }
}

/// Writes `value` at the class and 0 elsewhere.
fn mark(classes: &mut [f32], class: u64, value: f32) {
    classes.fill(0.0);
    add(classes, class, value);
}

fn add(classes: &mut [f32], class: u64, value: f32) {
    if !classes.is_empty() {
        classes[(class % classes.len() as u64) as usize] += value;
    }
}

/// Spherical interpolation between the latents of two seeds.
fn slerp(from: u64, to: u64, t: f32, z: &mut [f32]) {
    let pair = || (Normal::new(from), Normal::new(to));
    let (mut dot, mut a2, mut b2) = (0.0f64, 0.0f64, 0.0f64);
    let (mut a, mut b) = pair();
    for _ in 0..z.len() {
        let (x, y) = (a.sample() as f64, b.sample() as f64);
        (dot, a2, b2) = (dot + x * y, a2 + x * x, b2 + y * y);
    }
    let norm = sqrt(a2 * b2);
    let cos = if norm > 0.0 { (dot / norm).clamp(-1.0, 1.0) } else { 1.0 };
    let angle = acos(cos);
    let t = t.clamp(0.0, 1.0) as f64;
    // Latents in the same direction, such as those of one seed: the arc is a straight line.
    let (wa, wb) = match sin(angle) {
        s if s < 1e-9 => (1.0 - t, t),
        s => (sin((1.0 - t) * angle) / s, sin(t * angle) / s),
    };
    let (mut a, mut b) = pair();
    for v in z {
        *v = (wa * a.sample() as f64 + wb * b.sample() as f64) as f32;
    }
}

/// A stream of values from N(0, 1).
#[derive(Clone, Debug)]
pub struct Normal {
    state: u64,
}

impl Normal {
    /// The stream of `seed`.
    pub const fn new(seed: u64) -> Normal {
        // Seeds are usually small, consecutive numbers. One round of the output function moves
        // their first states far apart, so that no two streams differ by a small, constant offset.
        Normal { state: mix(seed) }
    }

    /// The next value.
    pub fn sample(&mut self) -> f32 {
        self.state = self.state.wrapping_add(GOLDEN);
        let bits = mix(self.state) >> 11;
        // The middle of one of 2^53 equal intervals of (0, 1): never 0 or 1.
        let p = (bits as f64 + 0.5) / 9_007_199_254_740_992.0;
        quantile(p) as f32
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `num(x) / den(x)`, coefficients from the constant up.
fn ratio(x: f64, num: &[f64; 8], den: &[f64; 8]) -> f64 {
    let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
    horner(num) / horner(den)
}

/// The normal quantile: AS 241, PPND16, accurate to about 1 part in 10^16.
fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(0.180625 - q * q, &A, &B);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = sqrt(-ln(tail));
    let value = match r <= 5.0 {
        true => ratio(r - 1.6, &C, &D),
        false => ratio(r - 5.0, &E, &F),
    };
    if q < 0.0 { -value } else { value }
}

// Coefficients of AS 241 (Applied Statistics 37, 1988, pages 477 to 484).
const A: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const B: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_545,
];
const C: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    7.745_450_142_783_414e-4,
];
const D: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const E: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    0.001_242_660_947_388_078_4,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const F: [f64; 8] = [
    1.0,
    0.599_832_206_555_888,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

/// Natural logarithm of a positive, normal number: `x = m 2^e` with `m` in [1/sqrt 2, sqrt 2), then
/// the series of `2 artanh((m - 1) / (m + 1))`, whose last term is below 1e-17.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut e = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut m = f64::from_bits(bits & !(0x7ff << 52) | 1023 << 52);
    if m > core::f64::consts::SQRT_2 {
        (m, e) = (m * 0.5, e + 1);
    }
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    let series = (0..12).rev().fold(0.0, |sum, k| sum * s2 + 1.0 / (2 * k + 1) as f64);
    e as f64 * core::f64::consts::LN_2 + 2.0 * s * series
}

/// Sine from 0 to pi, with an error below 1e-15: the Taylor series about 0, mirrored at pi / 2.
fn sin(x: f64) -> f64 {
    let x = if x > core::f64::consts::FRAC_PI_2 { core::f64::consts::PI - x } else { x };
    let x2 = x * x;
    let (mut term, mut sum) = (x, x);
    for k in 1..12 {
        term = -term * x2 / ((2 * k) * (2 * k + 1)) as f64;
        sum += term;
    }
    sum
}

/// Arc cosine, with an error below 1e-7 at the ends and far less between them, by bisection of the
/// cosine.
fn acos(c: f64) -> f64 {
    // sin(pi/2 - x) = cos x falls from 1 at 0 to -1 at pi.
    let cos = |x: f64| match x <= core::f64::consts::FRAC_PI_2 {
        true => sin(core::f64::consts::FRAC_PI_2 - x),
        false => -sin(x - core::f64::consts::FRAC_PI_2),
    };
    let (mut low, mut high) = (0.0, core::f64::consts::PI);
    for _ in 0..52 {
        let middle = 0.5 * (low + high);
        match cos(middle) > c {
            true => low = middle,
            false => high = middle,
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<const N: usize>(latent: Latent) -> [f32; N] {
        let mut z = [0.0; N];
        latent.fill(&mut z).unwrap();
        z
    }

    #[test]
    fn known_quantiles() {
        // R 4: qnorm(c(0.975, 0.5, 0.1, 1e-3, 1e-10, 1e-300)), the first two in the middle, the
        // last far out.
        let cases = [
            (0.975, 1.959963984540054),
            (0.5, 0.0),
            (0.1, -1.2815515655446004),
            (1e-3, -3.090232306167814),
            (1e-10, -6.361340902404056),
            (1e-300, -37.0471),
        ];
        for (p, want) in cases {
            let tolerance = if p < 1e-200 { 1e-3 } else { 1e-13 };
            assert!((quantile(p) - want).abs() < tolerance, "{p}: {}", quantile(p));
        }
    }

    #[test]
    fn moments() {
        const N: usize = 200_000;
        let mut normal = Normal::new(1);
        let mut power = [0.0f64; 4];
        for _ in 0..N {
            let v = normal.sample() as f64;
            for (k, sum) in power.iter_mut().enumerate() {
                *sum += v.powi(k as i32 + 1) / N as f64;
            }
        }
        let [mean, var, skew, kurt] = power;
        assert!(mean.abs() < 0.01 && (var - 1.0).abs() < 0.02, "{power:?}");
        assert!(skew.abs() < 0.05 && (kurt - 3.0).abs() < 0.1, "{power:?}");
    }

    #[test]
    fn streams_of_neighboring_seeds_do_not_overlap() {
        let a: [f32; 64] = values(Latent::from_seed(0));
        for seed in 1..100 {
            let b: [f32; 64] = values(Latent::from_seed(seed));
            assert!(a.iter().all(|v| !b.contains(v)), "seed {seed}");
        }
    }

    #[test]
    fn the_same_bits_everywhere() {
        for (seed, want) in TABLE {
            let got: [f32; 4] = values(Latent::from_seed(seed));
            assert_eq!(got.map(f32::to_bits), want, "seed {seed}: {got:?}");
        }
    }

    /// The bits of the first four values of a few seeds, which every device must produce.
    const TABLE: [(u64, [u32; 4]); 4] = [
        (0, [0x3f98_89ab, 0xbe30_9fff, 0xbff7_cee4, 0x3ff2_6bde]),
        (1, [0x3f2c_7774, 0xbea6_aaae, 0xbe1f_0c9e, 0x3fd7_d3d2]),
        (42, [0x3e79_2746, 0xbf7e_3273, 0xbf77_ef80, 0xbfd5_07ee]),
        (u64::MAX, [0x3ec0_4105, 0x3f0a_0ee7, 0xbef2_04e8, 0xbff3_7b13]),
    ];

    #[test]
    fn arcs_end_where_they_should_and_keep_their_length() {
        let (a, b): ([f32; 64], [f32; 64]) =
            (values(Latent::from_seed(3)), values(Latent::from_seed(4)));
        let norm = |z: &[f32]| z.iter().map(|v| (v * v) as f64).sum::<f64>();
        let off =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let at = |t| values::<64>(Latent::between(3, 4, t));
        assert!(off(&at(0.0), &a) < 1e-5 && off(&at(1.0), &b) < 1e-5);
        let (low, high) = (norm(&a).min(norm(&b)), norm(&a).max(norm(&b)));
        for t in [0.25, 0.5, 0.75] {
            let n = norm(&at(t));
            assert!(n > low * 0.9 && n < high * 1.1, "{t}: {n} of {low} to {high}");
        }
        // From a seed to itself there is only one point.
        assert!(off(&values::<64>(Latent::between(3, 3, 0.5)), &a) < 1e-6);
    }

    #[test]
    fn classes_follow_the_values() {
        let of = |latent: Latent| {
            let mut z = [9.0; 5];
            latent.fill_for(&mut z, 3).unwrap();
            z
        };
        let free: [f32; 2] = values(Latent::from_seed(4));
        let with = |classes: [f32; 3]| [free[0], free[1], classes[0], classes[1], classes[2]];
        // Seeds cycle through the classes; an explicit label wins; truncation leaves classes alone.
        assert_eq!(of(Latent::from_seed(4)), with([0.0, 1.0, 0.0]));
        assert_eq!(of(Latent::from_seed(4).labeled(2)), with([0.0, 0.0, 1.0]));
        assert_eq!(of(Latent::from_seed(4).truncated(0.0))[2..], [0.0, 1.0, 0.0]);
        let between = of(Latent::between(4, 5, 0.25));
        assert_eq!(between[2..], [0.0, 0.75, 0.25]);
        assert_eq!(of(Latent::between(4, 5, 0.25).labeled(0))[2..], [1.0, 0.0, 0.0]);
        // Values with and without their classes.
        let given = [1.0, 2.0, 0.5, 0.5, 0.0];
        assert_eq!(of(Latent::from_values(&given)), given);
        let labeled = Latent::from_values(&given[..2]).labeled(1);
        assert_eq!(of(labeled), [1.0, 2.0, 0.0, 1.0, 0.0]);
        let error = Latent::from_values(&given[..2]).fill_for(&mut [0.0; 5], 3);
        assert_eq!(error, Err(LatentLength { need: 5, got: 2 }));
    }

    #[test]
    fn truncation_and_length() {
        let a: [f32; 8] = values(Latent::from_seed(5));
        let b: [f32; 8] = values(Latent::from_seed(5).truncated(0.5));
        assert_eq!(a.map(|v| v * 0.5), b);
        let error = Latent::from_values(&[1.0, 2.0]).fill(&mut [0.0; 3]).unwrap_err();
        assert_eq!(error, LatentLength { need: 3, got: 2 });
    }
}
