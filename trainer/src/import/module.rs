//! The tensors of one module of a state dict, and errors that name them.

use super::error::ImportError;
use super::parts::tensor_name;
use super::state::{State, Tensor};

/// A module by its name in a state dict.
#[derive(Clone, Copy)]
pub(super) struct Module<'a> {
    pub state: &'a State,
    pub name: &'a str,
}

impl<'a> Module<'a> {
    /// The name of its tensor `part`.
    pub fn named(&self, part: &str) -> String {
        tensor_name(self.name, part)
    }

    pub fn get(&self, part: &str) -> Option<&'a Tensor> {
        self.state.get(&self.named(part))
    }

    pub fn need(&self, part: &str) -> Result<&'a Tensor, ImportError> {
        self.get(part).ok_or_else(|| ImportError::Missing(self.named(part)))
    }

    /// An error that names its weight.
    pub fn fail(&self, what: String) -> ImportError {
        ImportError::Layer(self.named("weight"), what)
    }

    /// The weight of a layer: a matrix or a kernel.
    pub fn weight(&self) -> Result<&'a Tensor, ImportError> {
        let weight = self.need("weight")?;
        match weight.shape.len() {
            2 | 4 => Ok(weight),
            _ => Err(self.fail(format!("a weight of {:?} is not one of a layer", weight.shape))),
        }
    }

    /// The bias of a layer of `out` channels; empty if it has none.
    pub fn bias(&self, out: usize) -> Result<Vec<f32>, ImportError> {
        let Some(bias) = self.get("bias") else { return Ok(vec![]) };
        if bias.shape != [out] {
            let weight = self.get("weight").map(|w| w.shape.clone()).unwrap_or_default();
            return Err(ImportError::Shape(
                [(self.named("weight"), weight), (self.named("bias"), bias.shape.clone())],
                "a bias has a number for each output channel",
            ));
        }
        Ok(bias.values.clone())
    }
}

/// Checks that a matrix that is made, rather than read, is no larger than networks have.
pub(super) fn room(name: &str, rows: usize, columns: usize) -> Result<(), ImportError> {
    const MOST: usize = 1 << 26;
    match rows.checked_mul(columns).is_some_and(|n| n <= MOST) {
        true => Ok(()),
        false => {
            let what = format!("would become a matrix of {rows} x {columns}, which is too large");
            Err(ImportError::Layer(name.into(), what))
        }
    }
}
