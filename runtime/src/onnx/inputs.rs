//! The inputs of a model: a latent and possibly a label, or a picture.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use onnx_protobuf::tensor_proto::DataType;
use onnx_protobuf::tensor_shape_proto::dimension;
use onnx_protobuf::{GraphProto, ValueInfoProto, type_proto};

use super::budget::Budget;
use super::chain::Label;
use super::error::OnnxError;
use super::label;
use super::tensor::{Constant, Values};
use super::view::View;
use crate::layer::Input;
use crate::limits::Limits;
use crate::op::{LARGEST, Shape};

/// The dimensions of an input or output; `None` for a symbolic one.
fn sides(value: &ValueInfoProto) -> Option<Vec<Option<i64>>> {
    let Some(type_proto::Value::TensorType(tensor)) = &value.type_.value else {
        return None;
    };
    let side = |d: &onnx_protobuf::tensor_shape_proto::Dimension| match &d.value {
        Some(dimension::Value::DimValue(n)) => Some(*n),
        Some(dimension::Value::DimParam(_)) | None => None,
        #[allow(unreachable_patterns, reason = "the enum is marked as one that may grow")]
        Some(_) => None,
    };
    Some(tensor.shape.dim.iter().map(side).collect())
}

/// The inputs of a generator.
pub(super) struct Inputs {
    /// The name of the latent or picture.
    pub name: String,
    pub input: Input,
    pub view: View,
    /// The label, and the values that stand for all classes.
    pub label: Option<(Label, Constant)>,
}

/// Finds them among a graph's inputs.
pub(super) fn inputs(
    graph: &GraphProto,
    constants: &BTreeMap<String, Constant>,
    budget: &Budget,
) -> Result<Inputs, OnnxError> {
    // Old exporters list initializers among the inputs.
    let is_free = |i: &&ValueInfoProto| !constants.contains_key(&i.name[..]);
    let free: Vec<_> = graph.input.iter().filter(is_free).collect();
    match free[..] {
        [one] => {
            let (input, view) = data(one)?;
            Ok(Inputs { name: one.name.clone(), input, view, label: None })
        }
        [a, b] => {
            let whole = |v: &ValueInfoProto| {
                let kind = match &v.type_.value {
                    Some(type_proto::Value::TensorType(t)) => t.elem_type,
                    _ => 0,
                };
                [DataType::INT64, DataType::INT32].map(|k| k as i32).contains(&kind)
            };
            let length = |v: &ValueInfoProto| -> usize {
                let sides = sides(v).unwrap_or_default();
                let lengths = sides.iter().skip(1).map(|s| s.unwrap_or(1).max(1) as usize);
                lengths.fold(1, usize::saturating_mul)
            };
            let second = match (whole(a), whole(b)) {
                (true, false) => false,
                (false, true) => true,
                _ => label::is_second([&a.name, &b.name], [length(a), length(b)])?,
            };
            let (z, label) = if second { (a, b) } else { (b, a) };
            let (input, view) = data(z)?;
            if let Input::Picture(_) = input {
                return Err(OnnxError::Model(format!(
                    "a model has one input, or a latent and a label; this one has the picture {:?} and \
                     {:?}",
                    z.name, label.name
                )));
            }
            Ok(Inputs {
                name: z.name.clone(),
                input,
                view,
                label: Some(read_label(graph, label, whole(label), constants, budget)?),
            })
        }
        _ => Err(OnnxError::Model(format!(
            "a generator has one input, and possibly a label; this model has {}: {:?}",
            free.len(),
            free.iter().map(|i| &i.name).collect::<Vec<_>>()
        ))),
    }
}

fn read_label(
    graph: &GraphProto,
    input: &ValueInfoProto,
    whole: bool,
    constants: &BTreeMap<String, Constant>,
    budget: &Budget,
) -> Result<(Label, Constant), OnnxError> {
    let sides = sides(input).unwrap_or_default();
    let name = &input.name;
    let rank = sides.len();
    let (one_hot, classes) = match sides[..] {
        [_] | [_, Some(1)] | [_, None] => {
            let dims = |n: &str| constants.get(n).map(|c| c.dims.clone());
            let own = |n: &str| {
                let node = graph.node.iter().find(|node| node.output.iter().any(|o| o == n))?;
                let tensor = node.attribute.first()?.t.as_ref()?;
                Constant::read(tensor, None, &Budget::new(0, &Limits::DEFAULT)).ok()
            };
            let number = |n: &str| match &constants.get(n).cloned().or_else(|| own(n))?.values {
                Values::Ints(v) => usize::try_from(*v.first()?).ok(),
                Values::Floats(v) => Some(*v.first()? as usize),
            };
            (false, label::classes(graph, name, dims, number))
        }
        [_, Some(n)] | [_, Some(n), Some(1), Some(1)] => (true, usize::try_from(n).ok()),
        _ => {
            return Err(OnnxError::Model(format!(
                "the label {name:?} has shape {}; only [N], [N, 1] and [N, classes] are supported",
                show(&sides)
            )));
        }
    };
    let classes = label::checked(classes, name)?;
    let values = if one_hot { classes * classes } else { classes };
    budget.take(values, 2 * size_of::<i64>())?;
    let constant = label::labels(classes, rank, one_hot, !whole);
    Ok((Label { name: name.clone(), classes, met: false }, constant))
}

/// What an input is, and how the tensor lies in it.
fn data(input: &ValueInfoProto) -> Result<(Input, View), OnnxError> {
    let sides = sides(input).unwrap_or_default();
    let side = |n: i64| usize::try_from(n).ok().filter(|n| (1..=LARGEST).contains(n));
    let picture = |c: i64, h: i64, w: i64| {
        let shape = Shape::new(side(c)?, side(h)?, side(w)?);
        shape
            .checked_values()
            .map(|_| (Input::Picture(shape), View::of(&[shape.c, shape.h, shape.w])))
    };
    let found = match sides[..] {
        [_, Some(n)] | [_, Some(n), Some(1), Some(1)] | [_, Some(1), Some(1), Some(n)] => {
            let dims: Vec<usize> = sides[1..].iter().map(|s| s.unwrap_or(1) as usize).collect();
            side(n).map(|n| (Input::Latent(n), View::of(&dims)))
        }
        [_, Some(c @ (1 | 3)), Some(h), Some(w)] => picture(c, h, w),
        [_, Some(h), Some(w), Some(c @ (1 | 3))] => {
            picture(c, h, w).map(|(input, view)| (input, view.transposed(&[1, 2, 0])))
        }
        _ => None,
    };
    found.ok_or_else(|| {
        OnnxError::Model(format!(
            "the input {:?} has shape {}; only latents [N, n] and [N, n, 1, 1] and pictures [N, 1 or \
             3, rows, columns] and [N, rows, columns, 1 or 3] of a fixed size are supported",
            input.name,
            show(&sides)
        ))
    })
}

fn show(sides: &[Option<i64>]) -> String {
    let sides = sides.iter().map(|s| s.map_or("?".into(), |n| n.to_string()));
    format!("[{}]", sides.collect::<Vec<_>>().join(", "))
}
