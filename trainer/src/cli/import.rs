//! `trainer import`.

use std::path::PathBuf;

use runtime::graph::Facts;
use runtime::op::{Activation, Op};
use trainer::{export, import};

use super::output::{Ended, print};
use super::values::{Range, activation};

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer import netG.pth --out imported                  imported/netG.bpk and imported/netG.onnx
  trainer import checkpoint.tar --key netG --name faces   one of several networks
  trainer import g.safetensors --activation leaky:0.2 --output sigmoid";

/// Arguments of `import`.
#[derive(clap::Args)]
pub struct Args {
    /// A checkpoint written by torch.save (.pt, .pth, .tar), or .safetensors
    weights: PathBuf,
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Name of the files, and of the generator in them [default: the file name of the weights]
    #[arg(long)]
    name: Option<String>,
    /// License of the weights, stored in the files
    #[arg(long, default_value = "")]
    license: String,
    /// Part of the tensor names of the wanted network, if the file has several
    #[arg(long)]
    key: Option<String>,
    /// Activation after every layer but the last: relu, leaky:SLOPE, tanh, sigmoid or none
    #[arg(long, default_value = "relu", value_parser = activation)]
    activation: Activation,
    /// Activation after the last layer
    #[arg(long, default_value = "tanh", value_parser = activation)]
    output: Activation,
    /// Output values of black and white [default: -1,1; with sigmoid 0,1]
    #[arg(long, allow_hyphen_values = true, value_name = "LOW,HIGH")]
    range: Option<Range>,
    /// Epsilon that batch norm adds to the variance
    #[arg(long, default_value_t = 1e-5, value_parser = super::values::amount)]
    epsilon: f32,
    /// Print the tensors and stop
    #[arg(long)]
    list: bool,
}

/// Imports a PyTorch generator.
///
/// # Errors
/// One that names the file and the tensor.
pub fn run(args: &Args) -> Ended {
    if args.list {
        for (name, shape) in import::shapes(&args.weights)? {
            print(format!("{name:<48} {shape:?}\n"))?;
        }
        return Ok(());
    }
    let state = import::load(&args.weights)?;
    let range = range(args)?;
    let stem = args.weights.file_stem().unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(|| stem.to_string_lossy().into());
    let file = args.weights.file_name().unwrap_or_default();
    let facts = Facts {
        name: name.clone(),
        license: args.license.clone(),
        data: String::new(),
        trained: format!("imported from {}", file.to_string_lossy()),
        range,
        labels: Vec::new(),
    };
    let assumed = import::Assumed {
        inner: args.activation,
        output: args.output,
        epsilon: args.epsilon,
        key: args.key.clone(),
    };
    let graph = import::graph(&args.weights, &state, &assumed, facts)?;
    print(format!(
        "latent of {} values; strides, padding and activations are assumed:\n",
        graph.latent()
    ))?;
    for (layer, shape) in graph.layers.iter().zip(graph.shapes()?) {
        let what = match &layer.op {
            Op::ConvTranspose { window, .. } => format!(
                "kernel {}, stride {}, padding {}",
                window.kernel, window.stride, window.padding
            ),
            Op::Activate => format!("{:?}", layer.activation).to_lowercase(),
            _ => String::new(),
        };
        print(format!("  {:<18} {shape:<16} {what}\n", layer.name))?;
    }
    let want = export::images(&graph)?;
    let exported = export::files(graph, &want, &args.out, &name)?;
    Ok(print(
        super::export::report(&exported, "the layers one by one", &super::export::make(&exported))
            + "\n",
    )?)
}

/// Output values of black and white, which the last activation must be able to reach.
fn range(args: &Args) -> Result<(f32, f32), String> {
    let (low, high) = match (args.range, args.output) {
        (Some(Range([low, high])), _) => (low, high),
        (None, Activation::Sigmoid) => (0.0, 1.0),
        (None, _) => (-1.0, 1.0),
    };
    let (least, most) = match args.output {
        Activation::Tanh => (-1.0, 1.0),
        Activation::Sigmoid => (0.0, 1.0),
        Activation::None | Activation::Relu | Activation::LeakyRelu(_) => (f32::MIN, f32::MAX),
    };
    match low < least || high > most {
        true => Err(format!(
            "--range {low},{high}: the last layer's values lie between {least} and {most}"
        )),
        false => Ok((low, high)),
    }
}
