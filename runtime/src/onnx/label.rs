//! The input that is the label of a conditional generator: an index or one-hot.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use onnx_protobuf::GraphProto;

use super::error::OnnxError;
use super::tensor::{Constant, Values};

/// Most classes.
const CLASSES: usize = 10_000;

/// The number of classes of an input of indices: that of the rows of the table it selects from.
pub(super) fn classes(
    graph: &GraphProto,
    name: &str,
    dims: impl Fn(&str) -> Option<Vec<usize>>,
    number: impl Fn(&str) -> Option<usize>,
) -> Option<usize> {
    let mut names = vec![name];
    for node in &graph.node {
        let input = |i: usize| node.input.get(i).map(String::as_str);
        let position = node.input.iter().position(|n| names.contains(&n.as_str()));
        match (node.op_type.as_str(), position) {
            ("Gather", Some(1)) => return input(0).and_then(&dims)?.first().copied(),
            ("OneHot", Some(0)) => return input(1).and_then(&number),
            // Exporters also replace negative indices: `index + classes * (index < 0)`.
            (
                "Cast" | "Identity" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" | "Add"
                | "Sub" | "Mul" | "Less" | "Not" | "Where" | "Clip",
                Some(_),
            ) => names.extend(node.output.first().map(String::as_str)),
            _ => {}
        }
    }
    None
}

/// The label input as a constant: the indices of all classes, or their one-hot rows.
pub(super) fn labels(classes: usize, rank: usize, one_hot: bool, floats: bool) -> Constant {
    let n = classes as i64;
    let ints: Vec<i64> = match one_hot {
        true => (0..n * n).map(|i| i64::from(i / n == i % n)).collect(),
        false => (0..n).collect(),
    };
    let mut dims = vec![1; rank];
    dims[0] = classes;
    if one_hot {
        dims[1] = classes;
    }
    let values = match floats {
        true => Values::Floats(ints.iter().map(|v| *v as f32).collect()),
        false => Values::Ints(ints),
    };
    Constant { by_class: true, ..Constant::of(dims, values) }
}

/// Which of two inputs is the label: `true` for the second.
///
/// # Errors
/// If names and lengths do not say.
pub(super) fn is_second(names: [&str; 2], lengths: [usize; 2]) -> Result<bool, OnnxError> {
    let hints = |name: &str| {
        let name = name.to_lowercase();
        ["label", "class", "cond", "hot", "digit", "target"].iter().any(|h| name.contains(h))
            || ["y", "c"].contains(&name.as_str())
    };
    match names.map(hints) {
        [true, false] => Ok(false),
        [false, true] => Ok(true),
        _ if lengths[0] != lengths[1] => Ok(lengths[1] < lengths[0]),
        _ => Err(OnnxError::Model(format!(
            "the inputs {:?} and {:?} both have {} values; name the one-hot label \"label\" when \
             exporting",
            names[0], names[1], lengths[0]
        ))),
    }
}

/// Checks that there are not too many classes.
///
/// # Errors
/// [`OnnxError::Model`].
pub(super) fn checked(classes: Option<usize>, name: &str) -> Result<usize, OnnxError> {
    match classes {
        Some(n) if (1..=CLASSES).contains(&n) => Ok(n),
        Some(n) => Err(OnnxError::Model(format!(
            "the input {name:?} has {n} classes; 1 to {CLASSES} are supported"
        ))),
        None => Err(OnnxError::Model(format!(
            "the number of classes of the input {name:?} is not known: no Gather or OneHot reads it"
        ))),
    }
}
