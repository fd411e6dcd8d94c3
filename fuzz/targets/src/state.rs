//! State dicts of PyTorch, and safetensors.

use std::path::Path;

use runtime::Model;
use runtime::graph::Facts;
use runtime::record::Buffer;
use trainer::import::{Assumed, graph, load, shapes};

use crate::model::{LIMITS, face};
use crate::place;

/// A file of `torch.save`.
pub fn state(bytes: &[u8]) {
    import(&place::file("state.pth", bytes));
}

/// A file of safetensors.
pub fn safetensors(bytes: &[u8]) {
    import(&place::file("state.safetensors", bytes));
}

fn import(path: &Path) {
    let _ = shapes(path);
    let Ok(state) = load(path) else { return };
    for tensor in state.values() {
        assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
    }
    let Ok(mut graph) = graph(path, &state, &Assumed::default(), Facts::default()) else { return };
    graph.fold();
    if graph.check(&LIMITS).is_err() {
        return;
    }
    let Ok(record) = graph.to_record() else { return };
    // Weights may be infinite.
    if let Ok(model) = Model::parse(Buffer::from(record).bytes()) {
        face(&model);
    }
}
