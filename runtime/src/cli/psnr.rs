//! How far the pictures of two models are apart.

use std::error::Error;
use std::fmt;

use image::{Rgba, RgbaImage, imageops};
use runtime::{Cpu, Image, Latent, Limits, Model};

use super::picture;

/// Peak signal-to-noise ratios of faces over the bytes of their pixels, in dB.
pub struct Report {
    /// One per example.
    faces: Vec<f64>,
    /// What examples are called.
    example: &'static str,
    /// Bytes of record and arena of both models.
    sizes: [[usize; 2]; 2],
}

/// What both models make faces from.
pub enum Examples<'a> {
    /// Seeds from 0 up to this one.
    Seeds(u64),
    /// The pixels of pictures.
    Pictures(&'a [Vec<u8>]),
}

impl Examples<'_> {
    /// Number of faces.
    pub fn count(&self) -> usize {
        match self {
            Examples::Seeds(n) => *n as usize,
            Examples::Pictures(all) => all.len(),
        }
    }

    /// The pixels of a face.
    fn face(&self, cpu: &mut Cpu<'_>, i: usize) -> Result<Vec<[u8; 3]>, Box<dyn Error>> {
        let image: Image<'_> = match self {
            Examples::Seeds(_) => cpu.generate(&Latent::from_seed(i as u64))?,
            Examples::Pictures(all) => cpu.translate(&all[i])?,
        };
        Ok(image.pixels().collect())
    }
}

fn model<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Model<'a>, String> {
    Model::parse_within(bytes, limits).map_err(|e| e.to_string())
}

/// `10 log10(255^2 / mean squared difference)`, at most 99 dB.
fn psnr(a: &[[u8; 3]], b: &[[u8; 3]]) -> f64 {
    let squares = |(a, b): (&[u8; 3], &[u8; 3])| -> f64 {
        let off = |c: usize| f64::from(a[c]) - f64::from(b[c]);
        (0..3).map(|c| off(c) * off(c)).sum()
    };
    let mean = a.iter().zip(b).map(squares).sum::<f64>() / (3 * a.len()) as f64;
    match mean > 0.0 {
        true => (10.0 * (255.0 * 255.0 / mean).log10()).min(99.0),
        false => 99.0,
    }
}

impl Report {
    /// Compares the faces of examples.
    ///
    /// # Errors
    /// If one of the two is not a model within `limits`.
    pub fn of(
        before: &[u8],
        after: &[u8],
        examples: &Examples<'_>,
        limits: &Limits,
    ) -> Result<Report, Box<dyn Error>> {
        let models = [model(before, limits)?, model(after, limits)?];
        let [mut one, mut two] = [0, 1].map(|i| vec![0.0; models[i].arena_len()]);
        let mut a = Cpu::new(&models[0], &mut one)?;
        let mut b = Cpu::new(&models[1], &mut two)?;
        let mut all = Vec::new();
        for i in 0..examples.count() {
            all.push(psnr(&examples.face(&mut a, i)?, &examples.face(&mut b, i)?));
        }
        let arena = |i: usize| 4 * models[i].arena_len();
        let example = match examples {
            Examples::Seeds(_) => "seed",
            Examples::Pictures(_) => "picture",
        };
        Ok(Report {
            faces: all,
            example,
            sizes: [[before.len(), arena(0)], [after.len(), arena(1)]],
        })
    }

    fn worst(&self) -> (usize, f64) {
        let all = self.faces.iter().copied().enumerate();
        all.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 99.0))
    }

    /// Seven faces and the worst one, of the first model above those of the second.
    ///
    /// # Errors
    /// If one of the two is not a model, or the picture not within `limits`.
    pub fn side_by_side(
        &self,
        before: &[u8],
        after: &[u8],
        examples: &Examples<'_>,
        limits: &Limits,
    ) -> Result<RgbaImage, Box<dyn Error>> {
        let models = [model(before, limits)?, model(after, limits)?];
        let shape = models[0].output();
        picture::size((2, 8), [shape.w, shape.h], 1, limits)?;
        let (w, h) = (shape.w as u32, shape.h as u32);
        let mut sheet = RgbaImage::new(8 * w, 2 * h);
        for (row, model) in models.iter().enumerate() {
            let mut arena = vec![0.0; model.arena_len()];
            let mut cpu = Cpu::new(model, &mut arena)?;
            for column in 0..8 {
                let i = if column == 7 { self.worst().0 } else { column % self.faces.len() };
                let pixels = examples.face(&mut cpu, i)?;
                let face = RgbaImage::from_fn(w, h, |x, y| {
                    let [r, g, b] = pixels[(y * w + x) as usize];
                    Rgba([r, g, b, 255])
                });
                let (x, y) = (column as i64 * w as i64, row as i64 * h as i64);
                imageops::replace(&mut sheet, &face, x, y);
            }
        }
        Ok(sheet)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [[before, arena], [after, small]] = self.sizes;
        writeln!(f, "{:<10}{before} -> {after} bytes", "record")?;
        writeln!(f, "{:<10}{arena} -> {small} bytes", "arena")?;
        let mean = self.faces.iter().sum::<f64>() / self.faces.len() as f64;
        let (seed, worst) = self.worst();
        write!(
            f,
            "{:<10}{mean:.1} dB on average over {2} {1}s, {worst:.1} dB at worst ({1} {seed})",
            "PSNR",
            self.example,
            self.faces.len()
        )
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn worked_example() {
        let black = [[0; 3]; 4];
        assert_eq!(super::psnr(&black, &black), 99.0);
        // One of 12 bytes differs by 255: 10 log10(12).
        let mut other = black;
        other[2][1] = 255;
        assert!((super::psnr(&black, &other) - 10.791_812).abs() < 1e-6);
    }
}
