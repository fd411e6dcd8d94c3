//! Where a label meets the latent, before the first layer of the network.

use runtime::graph::{Facts, Layer};
use runtime::op::Op;

use super::error::ImportError;
use super::module::{Module, room};
use super::steps::Meeting;

/// The layers before the first one of the network.
pub(super) struct Start {
    pub latent: usize,
    pub layers: Vec<Layer>,
}

/// Lets a label meet the latent, so that `inputs` values result.
pub(super) fn start(
    label: Option<(Module<'_>, Meeting)>,
    inputs: usize,
    facts: &mut Facts,
) -> Result<Start, ImportError> {
    let Some((module, meeting)) = label else {
        return Ok(Start { latent: inputs, layers: vec![] });
    };
    let name = module.named("weight");
    let table = module.need("weight")?;
    let &[classes, width] = &table.shape[..] else {
        return Err(ImportError::Layer(name, format!("{:?} is not a table", table.shape)));
    };
    facts.labels = (0..classes).map(|i| i.to_string()).collect();
    if meeting == Meeting::Times {
        if width != inputs {
            let what = format!("rows of {width} values for a latent of {inputs}");
            return Err(ImportError::Layer(name, what));
        }
        room(&name, 2 * inputs * classes, 2 * inputs + classes)?;
        let layers = runtime::graph::scaled_by_label(inputs, &table.values, "label");
        return Ok(Start { latent: inputs + classes, layers });
    }
    let Some(nz) = inputs.checked_sub(width).filter(|nz| *nz > 0) else {
        let what = format!("rows of {width} values, and the first layer reads {inputs}");
        return Err(ImportError::Layer(name, what));
    };
    let wide = nz + classes;
    room(&name, inputs, wide)?;
    let mut weight = vec![0.0; inputs * wide];
    let (z, rows) = match meeting {
        Meeting::First => (width, 0),
        _ => (0, nz),
    };
    for i in 0..nz {
        weight[(z + i) * wide + i] = 1.0;
    }
    for j in 0..width {
        for k in 0..classes {
            weight[(rows + j) * wide + nz + k] = table.values[k * width + j];
        }
    }
    let layer = Layer { weight, ..Layer::new("label", Op::Dense { out: inputs }) };
    Ok(Start { latent: wide, layers: vec![layer] })
}
