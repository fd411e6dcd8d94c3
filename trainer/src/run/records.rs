//! Networks and optimizers from the records of a checkpoint.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::ModuleOptimizer;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, DType, Tensor};
use models::Sequential;

use super::load_error::LoadError;
use super::sums::Sums;

/// A tensor of a record.
struct Described {
    name: String,
    id: u64,
    shape: Vec<usize>,
}

/// The shapes of weights by their numbers.
#[derive(Default)]
pub(super) struct Weights(HashMap<u64, Vec<usize>>);

impl Weights {
    pub fn of(networks: [&Sequential; 2]) -> Weights {
        let mut weights = Weights::default();
        networks.into_iter().for_each(|network| network.visit(&mut weights));
        weights
    }
}

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id.val(), param.val().dims().to_vec());
    }
}

/// The bytes of a record, and its tensors without their bytes. burn panics on some tensors that
/// no run writes, so those are refused here.
fn record(sums: &Sums, name: &str) -> Result<(Bytes, Vec<Described>), LoadError> {
    let failed = |what: String| LoadError::Record(sums.path(name), what);
    let bytes = Bytes::from_bytes_vec(sums.bytes(name)?).shared();
    let reader = burn_pack::Reader::from_bytes(bytes.clone()).map_err(|e| failed(e.to_string()))?;
    let mut ranks = HashMap::new();
    for (key, &value) in reader.scalars() {
        if let Some((id, "__rank")) = key.rsplit_once('.') {
            ranks.insert(id.to_string(), usize::try_from(value).ok());
        }
    }
    let mut all = Vec::new();
    for tensor in reader.into_tensors().map_err(|e| failed(e.to_string()))? {
        if tensor.dtype != DType::F32 {
            let what = format!("tensor {} is {:?}, not F32", tensor.name, tensor.dtype);
            return Err(failed(what));
        }
        let Some(id) = tensor.param_id else {
            return Err(failed(format!("tensor {} belongs to no parameter", tensor.name)));
        };
        let shape = tensor.shape.iter().copied().collect::<Vec<usize>>();
        if ranks.get(&id.to_string()).is_some_and(|&rank| rank != Some(shape.len())) {
            return Err(failed(format!("tensor {} has another rank than stated", tensor.name)));
        }
        all.push(Described { name: tensor.name, id, shape });
    }
    // A rank without a tensor would be that of no state at all.
    if let Some(id) = ranks.keys().find(|id| !all.iter().any(|t| t.id.to_string() == **id)) {
        return Err(failed(format!("parameter {id} has no tensors")));
    }
    Ok((bytes, all))
}

/// A network from its record.
///
/// # Errors
/// [`LoadError`] names the file.
pub(super) fn network<M: Module>(sums: &Sums, name: &str, fresh: M) -> Result<M, LoadError> {
    let failed = |e: RecordError| LoadError::Record(sums.path(name), e.to_string());
    let (bytes, _) = record(sums, name)?;
    fresh.try_load_record(ModuleRecord::from_bytes(bytes).map_err(failed)?).map_err(failed)
}

/// An optimizer from its record; `weights` are those of its network.
///
/// # Errors
/// [`LoadError`] names the file.
pub(super) fn optimizer(
    sums: &Sums,
    name: &str,
    fresh: ModuleOptimizer,
    weights: &Weights,
) -> Result<ModuleOptimizer, LoadError> {
    let failed = |what: String| LoadError::Record(sums.path(name), what);
    let (bytes, tensors) = record(sums, name)?;
    for Described { name, id, shape } in &tensors {
        match weights.0.get(id) {
            Some(weight) if weight == shape => {}
            Some(weight) => {
                return Err(failed(format!("tensor {name} is {shape:?}, its weight {weight:?}")));
            }
            None => return Err(failed(format!("tensor {name} belongs to no weight"))),
        }
    }
    let loaded = fresh.from_bytes(bytes).map_err(|e| failed(e.to_string()))?;
    // burn leaves out the state of a weight that it cannot put together.
    match loaded.to_record().len() == tensors.len() {
        true => Ok(loaded),
        false => Err(failed("the state of a weight is incomplete".into())),
    }
}
