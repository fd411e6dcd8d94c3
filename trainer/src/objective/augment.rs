//! Differentiable augmentation (Zhao et al. 2020, "DiffAugment"): the discriminator sees only
//! augmented images, real or fake, so that it cannot memorize a small data set. Gradients pass
//! through to the generator.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Device, Int, Tensor, TensorData};
use models::kernels;
use rand::RngExt;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

/// Largest shift, as a share of the image's side.
const SHIFT: f32 = 0.125;
/// Side of the square that is cut out, as a share of the image's side.
const CUT: f32 = 0.5;

/// The augmentations, applied in this order regardless of how they are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Augment {
    /// Brightness by up to a half, saturation from none to double, contrast from half to one and a
    /// half.
    pub color: bool,
    /// A shift by up to an eighth of the side; the gap is gray.
    pub translation: bool,
    /// A gray square of half the side, anywhere.
    pub cutout: bool,
}

impl Augment {
    /// Whether there are no images.
    pub fn is_none(&self) -> bool {
        *self == Augment::default()
    }

    /// Augments each image of `[n, c, h, w]` in [-1, 1] with probability `p`.
    pub fn apply(&self, x: Tensor<4>, p: f32, rng: &mut StdRng) -> Tensor<4> {
        let [n, channels, height, width] = x.dims();
        let mut x = x;
        let device = x.device();
        if self.color {
            let mut shades = [vec![0.0; n], vec![1.0; n], vec![1.0; n]];
            for i in 0..n {
                let drawn = [
                    rng.random::<f32>() - 0.5,
                    2.0 * rng.random::<f32>(),
                    rng.random::<f32>() + 0.5,
                ];
                if rng.random::<f32>() < p {
                    for (shade, value) in shades.iter_mut().zip(drawn) {
                        shade[i] = value;
                    }
                }
            }
            x = color(x, shades, channels, &device);
        }
        if self.translation || self.cutout {
            let windows: Vec<Window> = (0..n)
                .map(|_| {
                    let mut window = Window::draw(height, width, rng);
                    let meant = rng.random::<f32>() < p;
                    if !(meant && self.translation) {
                        window.shift = (0, 0);
                    }
                    if !(meant && self.cutout) {
                        window.cut = None;
                    }
                    window
                })
                .collect();
            x = moved(x, &windows, &device);
        }
        x
    }
}

/// The shift of an image and the square cut out of it, in rows and columns.
struct Window {
    shift: (i32, i32),
    cut: Option<(i32, i32)>,
}

impl Window {
    fn draw(height: usize, width: usize, rng: &mut StdRng) -> Window {
        let mut shift = |side: usize| {
            let most = (side as f32 * SHIFT + 0.5) as i32;
            rng.random_range(-most..=most)
        };
        let shift = (shift(height), shift(width));
        // The center of the square is anywhere in the image, so parts of it can fall outside.
        let mut corner = |side: usize| {
            let half = (side as f32 * CUT + 0.5) as i32 / 2;
            rng.random_range(0..=side as i32) - half
        };
        Window { shift, cut: Some((corner(height), corner(width))) }
    }
}

/// Brightness, saturation and contrast of each image.
fn color(x: Tensor<4>, shades: [Vec<f32>; 3], channels: usize, device: &Device) -> Tensor<4> {
    let n = shades[0].len();
    let [brightness, saturation, contrast] =
        shades.map(|v| Tensor::<4>::from_data(TensorData::new(v, [n, 1, 1, 1]), device));
    let mut x = x + brightness;
    if channels > 1 {
        let gray = x.clone().mean_dim(1);
        x = (x - gray.clone()) * saturation + gray;
    }
    let mean = x.clone().mean_dim(3).mean_dim(2).mean_dim(1);
    (x - mean.clone()) * contrast + mean
}

/// Shifts every image and cuts out its square.
fn moved(x: Tensor<4>, windows: &[Window], device: &Device) -> Tensor<4> {
    let [n, channels, height, width] = x.dims();
    let (h, w) = (height as i32, width as i32);
    let cut = ((height as f32 * CUT + 0.5) as i32, (width as f32 * CUT + 0.5) as i32);
    // For each pixel of the result the index of the one that it shows, or -1.
    let mut from: Vec<i32> = Vec::with_capacity(n * height * width);
    for window in windows {
        for row in 0..h {
            for column in 0..w {
                let (y, x) = (row - window.shift.0, column - window.shift.1);
                let inside = (0..h).contains(&y) && (0..w).contains(&x);
                let hidden = window.cut.is_some_and(|(top, left)| {
                    (top..top + cut.0).contains(&row) && (left..left + cut.1).contains(&column)
                });
                from.push(if inside && !hidden { y * w + x } else { -1 });
            }
        }
    }
    if kernels::on_cpu(&x) {
        return kernels::move_pixels(x, from.into());
    }
    let plane = height * width;
    let keep = from.iter().map(|&from| if from < 0 { 0.0 } else { 1.0 }).collect();
    let keep: Tensor<4> =
        Tensor::from_data(TensorData::new::<f32, _>(keep, [n, 1, height, width]), device);
    let from = from
        .chunks_exact(plane)
        .flat_map(|from| (0..channels).flat_map(move |_| from.iter().map(|from| *from.max(&0))));
    let from = TensorData::new(from.collect::<Vec<i32>>(), [n, channels, plane]);
    let from = Tensor::<3, Int>::from_data(from, device);
    let x = x.reshape([n, channels, plane]).gather(2, from);
    x.reshape([n, channels, height, width]) * keep
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(self.color, "color"), (self.translation, "translation"), (self.cutout, "cutout")];
        let names: Vec<&str> = names.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        match names.is_empty() {
            true => write!(f, "none"),
            false => write!(f, "{}", names.join(",")),
        }
    }
}

/// A name that is not an augmentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAugment(String);

impl fmt::Display for UnknownAugment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no augmentation {:?}: none, or some of color,translation,cutout",
            self.0
        )
    }
}

impl std::error::Error for UnknownAugment {}

impl FromStr for Augment {
    type Err = UnknownAugment;

    fn from_str(text: &str) -> Result<Augment, UnknownAugment> {
        let mut augment = Augment::default();
        for name in text.split(',').map(str::trim) {
            match name {
                "none" | "" => {}
                "color" => augment.color = true,
                "translation" => augment.translation = true,
                "cutout" => augment.cutout = true,
                other => return Err(UnknownAugment(other.into())),
            }
        }
        Ok(augment)
    }
}

impl TryFrom<String> for Augment {
    type Error = UnknownAugment;

    fn try_from(text: String) -> Result<Augment, UnknownAugment> {
        text.parse()
    }
}

impl From<Augment> for String {
    fn from(augment: Augment) -> String {
        augment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    /// `[2, 1, 4, 4]`: 1 to 16, and their negatives.
    fn counting(device: &Device) -> Tensor<4> {
        let values: Vec<f32> =
            (1..=16).chain((1..=16).map(|v: i32| -v)).map(|v| v as f32).collect();
        Tensor::from_data(TensorData::new(values, [2, 1, 4, 4]), device)
    }

    #[test]
    fn an_image_moves_and_loses_a_square() {
        let device = Device::flex();
        let windows =
            [Window { shift: (1, -1), cut: None }, Window { shift: (0, 0), cut: Some((-1, 3)) }];
        let got = values(moved(counting(&device), &windows, &device));
        #[rustfmt::skip]
        let want = [
            0.0, 0.0, 0.0, 0.0,
            2.0, 3.0, 4.0, 0.0,
            6.0, 7.0, 8.0, 0.0,
            10.0, 11.0, 12.0, 0.0,
            // Of the two by two square only one pixel lies inside the image.
            -1.0, -2.0, -3.0, 0.0,
            -5.0, -6.0, -7.0, -8.0,
            -9.0, -10.0, -11.0, -12.0,
            -13.0, -14.0, -15.0, -16.0,
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn colors_by_hand() {
        let device = Device::flex();
        let x = Tensor::<4>::from_data([[[[0.1, 0.3]], [[0.5, -0.1]], [[0.0, 0.4]]]], &device);
        let got = values(color(x, [vec![0.25], vec![2.0], vec![0.5]], 3, &device));
        let bright = [[0.35f32, 0.55], [0.75, 0.15], [0.25, 0.65]];
        let gray = [0, 1].map(|p| bright.iter().map(|c| c[p]).sum::<f32>() / 3.0);
        let vivid: Vec<f32> =
            bright.iter().flat_map(|c| [0, 1].map(|p| 2.0 * (c[p] - gray[p]) + gray[p])).collect();
        let mean = vivid.iter().sum::<f32>() / 6.0;
        for (got, v) in got.iter().zip(&vivid) {
            let want = 0.5 * (v - mean) + mean;
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
    }

    #[test]
    fn with_probability_0_nothing_changes_and_with_1_everything_may() {
        let device = Device::flex();
        let all: Augment = "color,translation,cutout".parse().unwrap();
        let mut rng = StdRng::seed_from_u64(0);
        let x = counting(&device);
        assert_eq!(values(all.apply(x.clone(), 0.0, &mut rng)), values(x.clone()));
        assert_ne!(values(all.apply(x.clone(), 1.0, &mut rng)), values(x));
    }

    #[test]
    fn gradients_pass_to_the_pixels_that_are_left() {
        let device = Device::flex().autodiff();
        let x = counting(&device).require_grad();
        let windows =
            [Window { shift: (0, 1), cut: None }, Window { shift: (0, 0), cut: Some((0, 0)) }];
        let grads = moved(x.clone(), &windows, &device).sum().backward();
        let got = values(x.grad(&grads).unwrap());
        // The first image lost its last column, the second its upper left quarter.
        assert_eq!(got[..4], [1.0, 1.0, 1.0, 0.0]);
        assert_eq!(got[16..20], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(got[24..28], [1.0; 4]);
    }

    #[test]
    fn names() {
        let augment: Augment = "cutout, color".parse().unwrap();
        assert_eq!(augment.to_string(), "color,cutout");
        assert_eq!("none".parse(), Ok(Augment::default()));
        let error = "color,blur".parse::<Augment>().unwrap_err();
        assert!(error.to_string().contains("\"blur\""), "{error}");
    }
}
