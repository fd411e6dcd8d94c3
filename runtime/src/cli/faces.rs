//! Which faces are generated: seeds or latents, and classes.

use std::error::Error;
use std::path::Path;

use runtime::{Latent, Limits, Model};

use super::npy;

/// The latents of the faces to generate.
pub struct Faces {
    values: Values,
    label: Label,
    truncation: f32,
    pub count: usize,
}

enum Values {
    /// Consecutive seeds from this one on.
    Seeds(u64),
    /// Rows of a file.
    Rows(Vec<Vec<f32>>),
}

/// How classes are assigned to faces.
enum Label {
    /// The model has none, or the latents include them.
    None,
    /// All faces have this one.
    One(u32, String),
    /// Each row of the grid has one: faces per row, names.
    Rows(usize, Vec<String>),
    /// Seeds cycle through them: names.
    Cycle(Vec<String>),
}

/// What is asked for.
pub struct Request<'a> {
    pub seed: u64,
    pub label: Option<&'a str>,
    pub grid: Option<(usize, usize)>,
    pub count: Option<usize>,
    pub latent: Option<&'a Path>,
    pub truncation: f32,
}

impl Faces {
    /// The faces of a request.
    ///
    /// # Errors
    /// One that names the option.
    pub fn new(
        request: &Request<'_>,
        model: &Model<'_>,
        limits: &Limits,
    ) -> Result<Faces, Box<dyn Error>> {
        let label = label(request, model)?;
        // With a label, latents may omit the values of the classes.
        let short = match label {
            Label::One(..) => model.latent() - model.classes(),
            Label::None | Label::Rows(..) | Label::Cycle(_) => model.latent(),
        };
        let asked = request.grid.map(|(rows, columns)| rows * columns).or(request.count);
        let (values, count) = match request.latent {
            Some(path) => {
                let rows = npy::read(path, [model.latent(), short], limits)?;
                let count = asked.unwrap_or(rows.len());
                if count > rows.len() {
                    let have = rows.len();
                    return Err(
                        format!("{count} faces requested, but there are {have} latents").into()
                    );
                }
                (Values::Rows(rows), count)
            }
            None => (Values::Seeds(request.seed), asked.unwrap_or(1)),
        };
        let seeds = match &label {
            Label::Rows(columns, _) => *columns,
            Label::None | Label::One(..) | Label::Cycle(_) => count,
        };
        if request.seed.checked_add(seeds as u64 - 1).is_none() {
            let (seed, most) = (request.seed, u64::MAX);
            return Err(
                format!("--seed {seed}: the last of {seeds} seeds would exceed {most}").into()
            );
        }
        Ok(Faces { values, label, truncation: request.truncation, count })
    }

    fn seed(&self, first: u64, i: usize) -> u64 {
        match &self.label {
            // Rows of a grid repeat the seeds: only the class differs.
            Label::Rows(columns, _) => first + (i % columns) as u64,
            Label::None | Label::One(..) | Label::Cycle(_) => first + i as u64,
        }
    }

    /// The latent of face `i`.
    pub fn latent(&self, i: usize) -> Latent<'_> {
        let latent = match &self.values {
            Values::Seeds(first) => Latent::from_seed(self.seed(*first, i)),
            Values::Rows(rows) => Latent::from_values(&rows[i]),
        };
        let latent = match &self.label {
            Label::None | Label::Cycle(_) => latent,
            Label::One(label, _) => latent.labeled(*label),
            Label::Rows(columns, names) => latent.labeled((i / columns % names.len()) as u32),
        };
        latent.truncated(self.truncation)
    }

    /// How face `i` can be generated again.
    pub fn name(&self, i: usize) -> String {
        let first = match &self.values {
            Values::Rows(_) => return format!("row {i}"),
            Values::Seeds(first) => *first,
        };
        let seed = self.seed(first, i);
        match &self.label {
            Label::None => format!("seed {seed}"),
            Label::One(_, name) => format!("seed {seed}, label {name}"),
            Label::Rows(columns, names) => {
                format!("seed {seed}, label {}", names[i / columns % names.len()])
            }
            Label::Cycle(names) => {
                format!("seed {seed}, label {}", names[(seed % names.len() as u64) as usize])
            }
        }
    }

    /// The values of all latents.
    ///
    /// # Errors
    /// If a latent does not have the model's length.
    pub fn values(&self, model: &Model<'_>) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
        let mut rows = Vec::with_capacity(self.count);
        for i in 0..self.count {
            let mut row = vec![0.0; model.latent()];
            self.latent(i).fill_for(&mut row, model.classes())?;
            rows.push(row);
        }
        Ok(rows)
    }
}

/// How classes are assigned.
fn label(request: &Request<'_>, model: &Model<'_>) -> Result<Label, String> {
    let names: Vec<String> = model.labels().map(ToString::to_string).collect();
    let Some(asked) = request.label else {
        return Ok(match request.grid {
            _ if names.is_empty() || request.latent.is_some() => Label::None,
            Some((_, columns)) => Label::Rows(columns, names),
            None => Label::Cycle(names),
        });
    };
    if names.is_empty() {
        return Err(format!("--label {asked}: this model is not conditional and has no labels"));
    }
    let number = || asked.parse().ok().filter(|&n: &usize| n < names.len());
    match names.iter().position(|name| name == asked).or_else(number) {
        Some(i) => Ok(Label::One(i as u32, names[i].clone())),
        None => Err(format!("--label {asked}: the model's labels are {}", names.join(", "))),
    }
}
