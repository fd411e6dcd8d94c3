//! Interpolation and arithmetic of latents, two experiments of the DCGAN paper (Radford et al.
//! 2016, sections 6.1 and
//! 6.3.2).

use std::error::Error;
use std::fmt;

use image::RgbImage;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use runtime::cpu::Cpu;
use runtime::latent::Latent;
use runtime::model::Model;

use crate::score::Target;

/// The latents of a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Number of values.
    pub length: usize,
    /// Number of values at the end that are the one-hot class.
    pub classes: usize,
}

/// A walk from latent to latent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Along the sphere (White 2016, section 2.1): every stop has the norm of a sample.
    Sphere,
    /// In a straight line.
    Line,
}

/// The latents of a walk through `seeds`: `steps` stops from each to the next, the next excluded,
/// and the last seed. If `closed`, it returns to the first.
pub fn walk(seeds: &[u64], steps: usize, path: Path, closed: bool, space: Space) -> Vec<Vec<f32>> {
    let count = seeds.len();
    let legs = match closed {
        true => count,
        false => count.saturating_sub(1),
    };
    let mut all = Vec::new();
    for leg in 0..legs {
        let (from, to) = (seeds[leg], seeds[(leg + 1) % count]);
        all.extend((0..steps).map(|step| {
            let t = step as f32 / steps as f32;
            match path {
                Path::Sphere => values(&Latent::between(from, to, t), space),
                Path::Line => {
                    let ends = of_seed(from, space).into_iter().zip(of_seed(to, space));
                    ends.map(|(a, b)| (1.0 - t) * a + t * b).collect()
                }
            }
        }));
    }
    if !closed {
        all.extend(seeds.last().map(|&seed| of_seed(seed, space)));
    }
    all
}

fn of_seed(seed: u64, space: Space) -> Vec<f32> {
    values(&Latent::from_seed(seed), space)
}

fn values(latent: &Latent<'_>, space: Space) -> Vec<f32> {
    let mut z = vec![0.0; space.length];
    // Cannot fail: seeds make a latent of any length.
    let _ = latent.fill_for(&mut z, space.classes);
    z
}

/// Groups of seeds and their signs, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms(pub Vec<(f32, Vec<u64>)>);

impl Terms {
    /// The sum of the groups' mean latents: single latents are unstable, means of three are not
    /// (section 6.3.2).
    pub fn latent(&self, space: Space) -> Vec<f32> {
        let mut sum = vec![0.0; space.length];
        for (sign, seeds) in &self.0 {
            for &seed in seeds {
                let z = of_seed(seed, space);
                let weight = sign / seeds.len() as f32;
                sum.iter_mut().zip(z).for_each(|(s, z)| *s += weight * z);
            }
        }
        sum
    }

    /// `n` latents around `z` with uniform noise of up to `noise` on each value (0.25 in the
    /// paper).
    pub fn neighbors(z: &[f32], n: usize, noise: f32, seed: u64) -> Vec<Vec<f32>> {
        let mut rng = StdRng::seed_from_u64(seed ^ 0xa217);
        (0..n)
            .map(|_| z.iter().map(|v| v + noise * (2.0 * rng.random::<f32>() - 1.0)).collect())
            .collect()
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (sign, seeds)) in self.0.iter().enumerate() {
            let sign = match (i, *sign < 0.0) {
                (0, false) => "",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
            write!(f, "{sign}mean({})", seeds.join(", "))?;
        }
        Ok(())
    }
}

/// The pictures of latents, in order.
///
/// # Errors
/// One that names the generator.
pub fn pictures(target: &Target, latents: &[Vec<f32>]) -> Result<Vec<RgbImage>, Box<dyn Error>> {
    let failed = |e: &dyn fmt::Display| format!("{}: {e}", target.name);
    let model = Model::parse(target.record.bytes()).map_err(|e| failed(&e))?;
    let shape = model.output();
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena).map_err(|e| failed(&e))?;
    latents
        .iter()
        .map(|z| {
            let image = cpu.generate(&Latent::from_values(z)).map_err(|e| failed(&e))?;
            Ok(RgbImage::from_fn(shape.w as u32, shape.h as u32, |x, y| {
                image::Rgb(image.pixel(x as usize, y as usize))
            }))
        })
        .collect()
}

/// The latents of a generator.
///
/// # Errors
/// One that names the generator.
pub fn space(target: &Target) -> Result<Space, Box<dyn Error>> {
    let model = Model::parse(target.record.bytes());
    let model = model.map_err(|e| format!("{}: {e}", target.name))?;
    Ok(Space { length: model.latent(), classes: model.classes() })
}

/// The sum of the groups' mean pictures, to compare with the sum of latents. It is clipped to black
/// and white.
pub fn pixel_sum(groups: &[(f32, Vec<RgbImage>)]) -> RgbImage {
    let first = groups.iter().find_map(|(_, images)| images.first());
    let (width, height) = first.map_or((0, 0), RgbImage::dimensions);
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([0, 1, 2].map(|c| {
            let sum: f32 = groups
                .iter()
                .flat_map(|(sign, images)| {
                    let weight = sign / images.len() as f32;
                    // Relative to mid-gray, as the values of the generator are.
                    images.iter().map(move |i| weight * (f32::from(i.get_pixel(x, y)[c]) - 127.5))
                })
                .sum();
            (sum + 128.0).clamp(0.0, 255.0) as u8
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(length: usize) -> Space {
        Space { length, classes: 0 }
    }

    #[test]
    fn a_walk_has_its_seeds_as_stops_and_keeps_its_distance() {
        let all = walk(&[1, 2, 3], 4, Path::Sphere, false, plain(64));
        assert_eq!(all.len(), 9);
        for (stop, seed) in [(0, 1), (4, 2), (8, 3)] {
            let off: f32 =
                all[stop].iter().zip(of_seed(seed, plain(64))).map(|(a, b)| (a - b).abs()).sum();
            assert!(off < 1e-4, "{off}");
        }
        let long = |z: &Vec<f32>| z.iter().map(|v| v * v).sum::<f32>().sqrt();
        let line = walk(&[1, 2], 2, Path::Line, false, plain(64));
        let sphere = walk(&[1, 2], 2, Path::Sphere, false, plain(64));
        assert!(long(&line[1]) < 0.9 * long(&sphere[1]));
        assert_eq!(walk(&[1, 2, 3], 4, Path::Sphere, true, plain(8)).len(), 12);
        assert_eq!(walk(&[5], 4, Path::Sphere, false, plain(8)).len(), 1);
    }

    #[test]
    fn classes_change_along_a_line() {
        let space = Space { length: 6, classes: 2 };
        let all = walk(&[2, 3], 4, Path::Sphere, false, space);
        let classes: Vec<&[f32]> = all.iter().map(|z| &z[4..]).collect();
        assert_eq!(classes[0], [1.0, 0.0]);
        assert_eq!(classes[1], [0.75, 0.25]);
        assert_eq!(classes[4], [0.0, 1.0]);
    }

    #[test]
    fn terms_add_up() {
        let terms = Terms(vec![(1.0, vec![4, 9]), (-1.0, vec![2]), (1.0, vec![2])]);
        let want: Vec<f32> = of_seed(4, plain(5))
            .iter()
            .zip(of_seed(9, plain(5)))
            .map(|(a, b)| (a + b) / 2.0)
            .collect();
        let off: f32 = terms.latent(plain(5)).iter().zip(want).map(|(a, b)| (a - b).abs()).sum();
        assert!(off < 1e-5);
        assert_eq!(terms.to_string(), "mean(4, 9) - mean(2) + mean(2)");
        let near = Terms::neighbors(&[0.0; 100], 8, 0.25, 1);
        assert!(near.iter().flatten().all(|v| v.abs() <= 0.25));
        assert!(near.iter().flatten().any(|v| v.abs() > 0.2));
    }

    #[test]
    fn the_sum_of_pixels_is_that_of_means() {
        let image = |v| RgbImage::from_pixel(1, 1, image::Rgb([v; 3]));
        let groups =
            [(1.0, vec![image(100), image(120)]), (-1.0, vec![image(60)]), (1.0, vec![image(80)])];
        // 110 - 60 + 80 around 127.5.
        assert_eq!(pixel_sum(&groups).get_pixel(0, 0)[0], 130);
    }
}
