//! The output of a model: the picture at the end of the walk.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use onnx_protobuf::GraphProto;

use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;

/// Makes the output of `graph` a picture, channels first, as the last layer of the chain. `given` are
/// the dimensions of one that is a vector. Returns what is assumed.
///
/// # Errors
/// [`OnnxError`] if it is not a picture, or if it leaves out part of the model.
pub(super) fn settle(
    chain: &mut Chain<'_>,
    graph: &GraphProto,
    given: Option<[usize; 3]>,
) -> Result<Vec<String>, OnnxError> {
    // A branch may come after the node that makes the image.
    match graph.output.iter().find(|o| chain.tensors.contains_key(&o.name)) {
        Some(output) if graph.output.len() == 1 => {
            chain.go_to(&output.name);
            chain.consume(&output.name);
        }
        Some(_) => return Err(OnnxError::Model("the model has more than one output".into())),
        None => {
            return Err(OnnxError::Model(format!(
                "the chain of nodes ends at {:?}, which is not the output",
                chain.at
            )));
        }
    }
    let mut assumed = Vec::new();
    if let Some(label) = &chain.label
        && !label.met
    {
        let name = &label.name;
        assumed.push(format!("the input {name:?} does not change the picture and is left out"));
    }
    let Some(last) = graph.node.last().map(Node) else {
        return Err(OnnxError::Model("the model has no nodes".into()));
    };
    chain.no_function(&last)?;
    chain.flush_pad(&last)?;
    chain.flush_cut(&last)?;
    let dims = image(&chain.view.dims, given, &mut assumed)?;
    chain.reshape_to(&last, &dims)?;
    let image = |c: usize| [1, 3, 4].contains(&c);
    // Channels last; if both could be channels, the rows and columns of a square decide.
    if let [first, middle, c] = dims[..]
        && image(c)
        && (!image(first) || first == middle && middle != c)
    {
        chain.view = chain.view.transposed(&[2, 0, 1]);
    }
    chain.settle(&last)?;
    let end = chain.graph.layers.len().checked_sub(1);
    if chain.layer != end {
        return Err(OnnxError::Model(format!(
            "{:?} is not the output, but nothing reads it",
            chain.name_of(end)
        )));
    }
    Ok(assumed)
}

/// The dimensions of the image in an output of `dims` besides the batch.
fn image(
    dims: &[usize],
    given: Option<[usize; 3]>,
    assumed: &mut Vec<String>,
) -> Result<Vec<usize>, OnnxError> {
    let n: usize = dims.iter().product();
    if let Some(given) = given {
        let product = given.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
        return match product == Some(n) {
            true => Ok(given.to_vec()),
            false => Err(OnnxError::Model(format!(
                "--image {}x{}x{} has another number of values than the output, {n}",
                given[0], given[1], given[2]
            ))),
        };
    }
    match dims {
        [_, _, _] => Ok(dims.to_vec()),
        [h, w] if *h > 1 && *w > 1 => Ok(vec![1, *h, *w]),
        _ => {
            let square = |n: usize| (4..=4096).find(|side| side * side == n);
            let shape = match (square(n), n.is_multiple_of(3).then(|| square(n / 3)).flatten()) {
                (Some(side), _) => [1, side, side],
                (None, Some(side)) => [3, side, side],
                (None, None) => {
                    return Err(OnnxError::Model(format!(
                        "the output is a vector of {n} values, which is no square: give its \
                         channels, height and width as --image CxHxW"
                    )));
                }
            };
            let [c, h, w] = shape;
            assumed.push(format!(
                "the output is a vector of {n} values; an image of {c}x{h}x{w} is assumed: --image \
                 CxHxW decides"
            ));
            Ok(shape.to_vec())
        }
    }
}
