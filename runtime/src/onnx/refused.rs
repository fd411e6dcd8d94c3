//! Messages for what is not supported, with what would work.

use alloc::string::String;

use onnx_protobuf::GraphProto;

use super::error::OnnxError;
use super::node::Node;

/// The error for an operation that is not supported.
pub(super) fn operation(node: &Node<'_>, op: &str) -> OnnxError {
    let advice = match op {
        "Softmax" | "Attention" | "MultiHeadAttention" => {
            "attention is not supported: use a generator of the DCGAN family"
        }
        "RandomNormal" | "RandomNormalLike" | "RandomUniform" | "RandomUniformLike" => {
            "noise that is drawn inside the model is not supported: make it part of the latent"
        }
        "If" | "Loop" | "Scan" => {
            "control flow is not supported: export with torch.onnx.export(.., dynamo=False)"
        }
        "GridSample" | "RoiAlign" => "sampling of images is not supported",
        "MaxPool" | "AveragePool" | "GlobalAveragePool" => {
            "pooling is not supported: is this a discriminator? give the generator"
        }
        "LayerNormalization" | "GroupNormalization" => {
            "this normalization is not supported: only batch norm and instance norm are"
        }
        "Split" | "Concat" => "only Concat of two tensors that depend on the input is supported",
        _ => "this operation is not supported",
    };
    node.fail(advice)
}

/// The error for models that are quantized or have other operations than ONNX's own.
pub(super) fn model(graph: &GraphProto) -> Option<OnnxError> {
    let quantized = |op: &str| {
        op.starts_with("QLinear")
            || ["QuantizeLinear", "DequantizeLinear", "ConvInteger", "MatMulInteger"].contains(&op)
            || op == "DynamicQuantizeLinear"
    };
    let node = graph.node.iter().find(|n| quantized(&n.op_type))?;
    let what = String::from(
        "the model is quantized: give the float model, from which `runtime convert --precision \
         int8` makes an int8 one",
    );
    Some(Node(node).fail(what))
}
