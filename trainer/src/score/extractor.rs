//! A network in ONNX that turns images into features, run by rten, which supports far more
//! operators than `runtime` does.

use std::fmt;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use quality::Pictures;
use quality::features::{Features, FeaturesError};
use rayon::prelude::*;
use rten::{Dimension, Model, NodeId};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Images per call, if the network takes batches.
const BATCH: usize = 16;

/// How images are resized for the extractor. Scores of different methods are not comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Cubic (a = -0.5) on floats, clipped, not rounded: as clean-fid does.
    Bicubic,
    /// Linear on floats: as PyTorch does with align_corners off, for images that become larger.
    Bilinear,
}

impl std::str::FromStr for Resize {
    type Err = String;

    fn from_str(text: &str) -> Result<Resize, String> {
        match text {
            "bicubic" => Ok(Resize::Bicubic),
            "bilinear" => Ok(Resize::Bilinear),
            _ => Err("bicubic or bilinear".into()),
        }
    }
}

/// The input of an extractor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// Side in pixels.
    pub size: usize,
    /// The method of resizing.
    pub resize: Resize,
    /// Values of black and white.
    pub range: [f32; 2],
    /// Mean to subtract from each channel after that.
    pub mean: [f32; 3],
    /// Divisor of each channel after that.
    pub std: [f32; 3],
}

/// A loaded extractor.
pub struct Extractor {
    model: Model,
    input: NodeId,
    output: NodeId,
    batch: usize,
    spec: Spec,
    path: PathBuf,
    hash: String,
}

/// Why there are no features.
#[derive(Debug)]
pub enum ExtractorError {
    /// The file cannot be read.
    Read(PathBuf, std::io::Error),
    /// A model that rten cannot load, and its error.
    Load(PathBuf, String),
    /// Its input is not one `[n, 3, size, size]`.
    Input(PathBuf, String, usize),
    /// It has no such output; the outputs it has.
    NoOutput(PathBuf, String, String),
    /// Its output is not `[n, d]`: the shape.
    Output(PathBuf, Vec<usize>),
    /// Running it failed, with the error of rten.
    Run(PathBuf, String),
    /// A mean or deviation that makes no sense: name and reason.
    Spec(&'static str, String),
    /// Its output is not finite.
    Features(FeaturesError),
}

impl fmt::Display for ExtractorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExtractorError::Read(path, _) => write!(f, "cannot read {}", path.display()),
            ExtractorError::Load(path, what) => {
                write!(f, "{}: not an ONNX model that can be run: {what}", path.display())
            }
            ExtractorError::Input(path, what, size) => {
                write!(
                    f,
                    "{}: it takes {what}, not one input [n, 3, {size}, {size}] of floats",
                    path.display()
                )
            }
            ExtractorError::NoOutput(path, name, known) => {
                write!(f, "{}: it has no output {name:?}; there are {known}", path.display())
            }
            ExtractorError::Output(path, shape) => {
                write!(
                    f,
                    "{}: it gives {shape:?}, not a row of features an image [n, d]",
                    path.display()
                )
            }
            ExtractorError::Run(path, what) => write!(f, "{}: {what}", path.display()),
            ExtractorError::Spec(key, what) => write!(f, "{key} {what}"),
            ExtractorError::Features(_) => write!(f, "the extractor's features"),
        }
    }
}

impl std::error::Error for ExtractorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ExtractorError::Read(_, error) => Some(error),
            ExtractorError::Features(error) => Some(error),
            _ => None,
        }
    }
}

impl Spec {
    /// Refuses values that make no sense.
    fn check(&self) -> Result<(), ExtractorError> {
        let [low, high] = self.range;
        if !(low.is_finite() && high.is_finite() && low < high) {
            let what = format!("is {low},{high}: black before white");
            return Err(ExtractorError::Spec("extractor-range", what));
        }
        if let Some(std) = self.std.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(ExtractorError::Spec("std", format!("is {std}: above 0")));
        }
        if let Some(mean) = self.mean.iter().find(|m| !(low..=high).contains(*m)) {
            let what = format!("is {mean}: outside the range {low} to {high} of the images");
            return Err(ExtractorError::Spec("mean", what));
        }
        if let Some(std) = self.std.iter().find(|s| **s > 2.0 * (high - low)) {
            let what = format!("is {std}: more than images of {low} to {high} can differ");
            return Err(ExtractorError::Spec("std", what));
        }
        Ok(())
    }
}

impl Extractor {
    /// Loads `path`; `output` names one of several outputs.
    ///
    /// # Errors
    /// [`ExtractorError`] names the file and what is wrong with it.
    pub fn load(
        path: &Path,
        output: Option<&str>,
        spec: Spec,
    ) -> Result<Extractor, ExtractorError> {
        spec.check()?;
        let bytes = std::fs::read(path).map_err(|e| ExtractorError::Read(path.into(), e))?;
        let hash = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        let model =
            Model::load(bytes).map_err(|e| ExtractorError::Load(path.into(), e.to_string()))?;
        let wrong = |what: String| ExtractorError::Input(path.into(), what, spec.size);
        let &[input] = model.input_ids() else {
            return Err(wrong(format!("{} inputs", model.input_ids().len())));
        };
        let shape = model.input_shape(0).unwrap_or_default();
        let fits = |dimension: &Dimension, want: usize| match dimension {
            Dimension::Fixed(n) => *n == want,
            Dimension::Symbolic(_) => true,
        };
        let fitting = match &shape[..] {
            // A model with an undeclared input shape is tried.
            [] => true,
            [_, c, h, w] => fits(c, 3) && fits(h, spec.size) && fits(w, spec.size),
            _ => false,
        };
        if !fitting {
            let sides: Vec<String> = shape
                .iter()
                .map(|d| match d {
                    Dimension::Fixed(n) => n.to_string(),
                    Dimension::Symbolic(name) => name.clone(),
                })
                .collect();
            return Err(wrong(format!("[{}]", sides.join(", "))));
        }
        let batch = match shape.first() {
            Some(Dimension::Fixed(n)) => (*n).max(1),
            _ => BATCH,
        };
        let name =
            |id: &NodeId| model.node_info(*id).and_then(|n| n.name()).unwrap_or("").to_string();
        let output = match output {
            None => model.output_ids().first().copied(),
            Some(wanted) => model.output_ids().iter().copied().find(|id| name(id) == wanted),
        };
        let output = output.ok_or_else(|| {
            let known: Vec<String> = model.output_ids().iter().map(name).collect();
            ExtractorError::NoOutput(path.into(), String::new(), known.join(", "))
        })?;
        Ok(Extractor { model, input, output, batch, spec, path: path.into(), hash })
    }

    /// SHA-256 of the file, in hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Its input.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The features of images; `progress` is called with the number done.
    ///
    /// # Errors
    /// [`ExtractorError`] if running it fails or its output has another shape.
    pub fn features(
        &self,
        images: &Pictures,
        progress: &dyn Fn(usize),
    ) -> Result<Features, ExtractorError> {
        let size = self.spec.size;
        let (mut values, mut dimension) = (Vec::new(), 0);
        for first in (0..images.len()).step_by(self.batch) {
            let count = self.batch.min(images.len() - first);
            let each = 3 * size * size;
            // A network with a fixed batch size gets the last image again to fill a batch.
            let mut input = vec![0.0; self.batch * each];
            input
                .par_chunks_exact_mut(each)
                .enumerate()
                .for_each(|(i, out)| self.prepare(images, first + i.min(count - 1), out));
            let rows = match self.batch == BATCH {
                true => count,
                false => self.batch,
            };
            input.truncate(rows * each);
            let input = NdTensor::from_data([rows, 3, size, size], input);
            let run = |e: String| ExtractorError::Run(self.path.clone(), e);
            let mut outputs = self
                .model
                .run(vec![(self.input, input.into())], &[self.output], None)
                .map_err(|e| run(e.to_string()))?;
            let output = outputs.pop().ok_or_else(|| run("it gave nothing".into()))?;
            let output: rten_tensor::Tensor<f32> =
                output.try_into().map_err(|_| run("its output is not of floats".into()))?;
            let shape = output.shape().to_vec();
            // [n, d, 1, 1] works too.
            let tail = shape.get(2..).unwrap_or_default();
            if shape.len() < 2 || shape[0] != rows || tail.iter().any(|&n| n != 1) || shape[1] == 0
            {
                return Err(ExtractorError::Output(self.path.clone(), shape));
            }
            dimension = shape[1];
            let taken = output.to_vec().into_iter().take(count * dimension);
            values.extend(taken.map(f64::from));
            progress(first + count);
        }
        Features::new("the extractor", dimension.max(1), values).map_err(ExtractorError::Features)
    }

    /// An image in the form of the extractor's input; gray ones have three equal channels.
    fn prepare(&self, images: &Pictures, i: usize, out: &mut [f32]) {
        let side = images.size();
        let Spec { size, resize, range: [low, high], mean, std } = &self.spec;
        let planes: Vec<Vec<f32>> = images
            .get(i)
            .chunks_exact((side * side) as usize)
            .map(|plane| resized(plane, side, *size as u32, *resize))
            .collect();
        for (c, out) in out.chunks_exact_mut(size * size).enumerate() {
            let plane = &planes[c.min(planes.len() - 1)];
            for (out, v) in out.iter_mut().zip(plane) {
                let v = low + (high - low) * v.clamp(0.0, 1.0);
                *out = (v - mean[c]) / std[c];
            }
        }
    }
}

fn resized(plane: &[u8], side: u32, size: u32, resize: Resize) -> Vec<f32> {
    // In [0, 1], the range of the library's float images: overshoots of the cubic filter are
    // clipped.
    let floats: Vec<f32> = plane.iter().map(|&v| f32::from(v) / 255.0).collect();
    if side == size {
        return floats;
    }
    let filter = match resize {
        Resize::Bicubic => FilterType::CatmullRom,
        Resize::Bilinear => FilterType::Triangle,
    };
    codecs::resize_plane(floats, side, size, filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        let spec = |range, mean: f32, std: f32| Spec {
            size: 32,
            resize: Resize::Bicubic,
            range,
            mean: [mean; 3],
            std: [std; 3],
        };
        let cases = [
            (spec([0.0, 1.0], 0.5, 0.5), None),
            (spec([1.0, 0.0], 0.5, 0.5), Some("extractor-range is 1,0: black before white")),
            (spec([0.0, 1.0], 0.5, 0.0), Some("std is 0: above 0")),
            (
                spec([0.0, 1.0], 123.7, 0.5),
                Some("mean is 123.7: outside the range 0 to 1 of the images"),
            ),
            (
                spec([0.0, 1.0], 0.5, 58.4),
                Some("std is 58.4: more than images of 0 to 1 can differ"),
            ),
            (spec([0.0, 255.0], 123.7, 58.4), None),
        ];
        for (spec, want) in cases {
            let got = spec.check().err().map(|e| e.to_string());
            assert_eq!(got.as_deref(), want);
        }
    }

    #[test]
    fn a_constant_stays_constant_and_grows() {
        for resize in [Resize::Bicubic, Resize::Bilinear] {
            let got = resized(&[77; 64], 8, 19, resize);
            assert_eq!(got.len(), 361);
            assert!(got.iter().all(|v| (v - 77.0 / 255.0).abs() < 1e-5));
        }
    }
}
