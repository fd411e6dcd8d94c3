//! The ways to a set of pairs: images that hold both side by side, two folders, one folder whose
//! inputs are made, and drawn faces with their line drawings.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::decode::{Half, halves};
use super::error::{DataError, Skipped};
use super::form::Form;
use super::open::{Open, on_threads};
use super::pair::Pair;
use super::set::{DataSet, Image, Input, Inputs, Origin, hash, sketch_pixels};
use super::source::{Found, find};

impl Open<'_> {
    /// The pairs of a folder or archive; their inputs have the form `input`, and come from each image
    /// as `pair` says.
    ///
    /// # Errors
    /// As [`Open::path`]; [`DataError::PairedArrays`]. An image that should hold a pair and does not is
    /// [`DataSet::skipped`].
    pub fn pairs(&self, path: &Path, input: &Form, pair: Pair) -> Result<DataSet, DataError> {
        let of_input = match pair {
            Pair::Left => Half::Left,
            Pair::Right => Half::Right,
            Pair::Edges | Pair::Gray | Pair::Blur | Pair::Mask => {
                return Ok(self.path(path)?.made(pair, input));
            }
        };
        let target = self.form;
        let both = Open { budget: self.halved(input), ..*self };
        let files = match find(path)? {
            Found::Files(files) => files,
            Found::Stack(_) => return Err(DataError::PairedArrays(path.into())),
        };
        let mut data = both.files(files, path, |bytes, entry| {
            let origin = |half| Origin::Half(entry.clone(), half);
            let (forms, of_target) = match of_input {
                Half::Left => ([input, target], Half::Right),
                Half::Right => ([target, input], Half::Left),
            };
            let mut halves = halves(bytes, &entry.name, forms)?;
            let right = halves.pop().unwrap_or_default();
            let left = halves.pop().unwrap_or_default();
            let (a, b) = match of_input {
                Half::Left => (left, right),
                Half::Right => (right, left),
            };
            let input = Input { pixels: Some(a), origin: origin(of_input) };
            Ok((b, origin(of_target), Some(input)))
        })?;
        data.inputs = Some(Inputs { form: *input, made: None });
        data.fingerprint = hash(data.fingerprint, pair.to_string().as_bytes());
        data.description += &format!(", the input on the {pair}");
        Ok(data)
    }

    /// The images of `targets`, each with the image of `inputs` that has its name but for the
    /// extension. Images of arrays are named by their number.
    ///
    /// # Errors
    /// As [`Open::path`] for both paths; [`DataError::Unpaired`] names images without a partner.
    pub fn beside(
        &self,
        targets: &Path,
        inputs: &Path,
        input: &Form,
    ) -> Result<DataSet, DataError> {
        let budget = self.halved(input);
        let mut b = Open { budget, ..*self }.path(targets)?;
        let a = Open { form: input, budget, ..*self }.path(inputs)?;
        // The partner of a file that cannot be decoded is left out with it.
        let skipped = |set: &DataSet| -> BTreeMap<String, ()> {
            set.skipped.iter().map(|skipped| (stem(&skipped.name), ())).collect()
        };
        let (a_skipped, b_skipped) = (skipped(&a), skipped(&b));
        let a_names = names(&a, inputs)?;
        let b_names = names(&b, targets)?;
        let only = |own: &Names, other: &Names, skipped: &BTreeMap<String, ()>| -> Vec<String> {
            let alone = own
                .iter()
                .filter(|(stem, _)| !other.contains_key(*stem) && !skipped.contains_key(*stem));
            alone.map(|(_, (_, name))| name.clone()).collect()
        };
        let unpaired = [only(&a_names, &b_names, &b_skipped), only(&b_names, &a_names, &a_skipped)];
        if unpaired.iter().any(|names| !names.is_empty()) {
            let [of_a, of_b] = unpaired;
            let inputs = (inputs.into(), of_a);
            return Err(DataError::Unpaired { inputs, targets: (targets.into(), of_b) });
        }
        let mut found: BTreeMap<usize, Image> = a.images.into_iter().enumerate().collect();
        let mut of_b: Vec<Option<Image>> = b.images.into_iter().map(Some).collect();
        b.fingerprint = hash(b.fingerprint, &a.fingerprint.to_le_bytes());
        b.images = Vec::new();
        // In the order of the targets.
        let mut order: Vec<(usize, usize)> = b_names
            .iter()
            .filter_map(|(stem, &(at, _))| Some((at, a_names.get(stem)?.0)))
            .collect();
        order.sort_unstable();
        for (target, partner) in order {
            if let (Some(mut image), Some(a)) = (of_b[target].take(), found.remove(&partner)) {
                image.input = Some(Box::new(Input { pixels: a.pixels, origin: a.origin }));
                b.images.push(image);
            }
        }
        b.inputs = Some(Inputs { form: *input, made: None });
        b.description =
            format!("{} pairs: {}; inputs: {}", b.images.len(), b.description, a.description);
        b.skipped.extend(a.skipped.into_iter().map(|Skipped { name, reason }| Skipped {
            name: format!("{}/{name}", inputs.display()),
            reason,
        }));
        Ok(b)
    }

    /// [`Open::faces`] with their line drawings as inputs of the form `input`.
    pub fn sketches(&self, count: usize, seed: u64, input: &Form) -> DataSet {
        let budget = self.halved(input);
        let mut data = Open { budget, ..*self }.faces(count, seed);
        let draw = |image: &mut Image| {
            if let Origin::Drawn(seed) = image.origin {
                let pixels = image.pixels.is_some().then(|| sketch_pixels(seed, input));
                image.input = Some(Box::new(Input { pixels, origin: Origin::Sketch(seed) }));
            }
        };
        on_threads(self.workers, || data.images.par_iter_mut().for_each(draw));
        data.inputs = Some(Inputs { form: *input, made: None });
        data.fingerprint = hash(data.fingerprint, b"sketches");
        data.description += " and their line drawings";
        data
    }

    /// The part of the budget that is left for targets beside inputs of this form.
    fn halved(&self, input: &Form) -> usize {
        let (target, input) = (self.form.values().max(1), input.values());
        (self.budget as f64 * target as f64 / (target + input) as f64) as usize
    }
}

impl DataSet {
    /// The set with inputs of the form `input` that are made from the images as `pair` says.
    pub fn made(mut self, pair: Pair, input: &Form) -> DataSet {
        self.inputs = Some(Inputs { form: *input, made: Some(pair) });
        self.fingerprint = hash(self.fingerprint, pair.to_string().as_bytes());
        self.description += match pair {
            Pair::Edges => ", from their edges",
            Pair::Gray => ", from gray",
            Pair::Blur => ", from blurred ones",
            Pair::Mask => ", from masked ones",
            Pair::Left | Pair::Right => "",
        };
        self
    }
}

/// Index and name of each image, by its name without extension.
type Names = BTreeMap<String, (usize, String)>;

fn names(data: &DataSet, path: &Path) -> Result<Names, DataError> {
    let mut names = Names::new();
    for i in 0..data.len() {
        let name = data.name(i).map_or_else(|| i.to_string(), String::from);
        if let Some((_, other)) = names.insert(stem(&name), (i, name.clone())) {
            return Err(DataError::Ambiguous(path.into(), [other, name]));
        }
    }
    Ok(names)
}

fn stem(name: &str) -> String {
    Path::new(name).with_extension("").to_string_lossy().into_owned()
}
