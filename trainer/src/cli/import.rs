//! `trainer import`.

use std::path::PathBuf;

use runtime::graph::Facts;
use runtime::op::Activation;
use trainer::{export, import};

use super::output::{Ended, print, say};
use super::values::{Range, activation};

/// Examples that follow the long help.
pub const EXAMPLES: &str = "\
Examples:
  trainer import netG.pth --out imported                  imported/netG.bpk and imported/netG.onnx
  trainer import checkpoint.tar --key netG --name faces   one of several networks
  trainer import g.safetensors --activation leaky:0.2 --output sigmoid
  trainer import mnist.pth --size 28                      if strides and paddings are not clear
  trainer import vae.pth --key fc3,fc4 --output sigmoid   the decoder of a dense autoencoder
  trainer import other.pth --layers layers.txt            every layer from a file, one per line";

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
    /// Part of the tensor names of the wanted network, or several parts separated by commas
    #[arg(long)]
    key: Option<String>,
    /// Activation after every layer but the last [default: relu, or that of a known network]
    ///
    /// relu, leaky:SLOPE, tanh, sigmoid, elu:ALPHA, selu, gelu, gelutanh, silu, mish, softplus,
    /// relu6 or none.
    #[arg(long, value_parser = activation)]
    activation: Option<Activation>,
    /// Activation after the last layer
    #[arg(long, default_value = "tanh", value_parser = activation)]
    output: Activation,
    /// Output values of black and white [default: -1,1; with sigmoid 0,1]
    #[arg(long, allow_hyphen_values = true, value_name = "LOW,HIGH")]
    range: Option<Range>,
    /// Epsilon that batch norm adds to the variance: one, or one for each norm [default: 1e-5]
    #[arg(long, value_delimiter = ',', value_name = "E,..", value_parser = super::values::amount)]
    epsilon: Vec<f32>,
    /// Rows and columns of the image, if strides and paddings are not clear
    #[arg(long, value_name = "N", value_parser = super::values::whole::<usize>(1..=4096))]
    size: Option<usize>,
    /// Strides of the convolutions: one for all, or one for each
    #[arg(long, value_delimiter = ',', value_name = "N,..", value_parser = super::values::whole::<usize>(1..=64))]
    strides: Vec<usize>,
    /// Paddings of the convolutions [default: those that make sizes multiples]
    #[arg(long, value_delimiter = ',', value_name = "N,..", value_parser = super::values::whole::<usize>(0..=64))]
    paddings: Vec<usize>,
    /// Output paddings of transposed convolutions [default: 0]
    #[arg(long, value_delimiter = ',', value_name = "N,..", value_parser = super::values::whole::<usize>(0..=64))]
    output_paddings: Vec<usize>,
    /// Channels, height and width of an image that the last layer makes as a vector
    #[arg(long, value_name = "CxHxW", value_parser = super::values::image)]
    image: Option<[usize; 3]>,
    /// Where the row of a label's table meets the latent
    #[arg(long, value_enum)]
    label: Option<Label>,
    /// Read every layer from a file, one per line, as this command prints them
    ///
    /// Lines are MODULE dense, MODULE conv stride=1 padding=1, MODULE conv_transpose stride=2
    /// padding=1 output_padding=0, MODULE batch_norm epsilon=1e-5, MODULE prelu, MODULE label
    /// first|last|times, reshape CxHxW, upsample 2, pixel_shuffle 2, or an activation.
    #[arg(long, value_name = "FILE")]
    layers: Option<PathBuf>,
    /// Print the tensors and stop
    #[arg(long)]
    list: bool,
}

/// Where a label's row meets the latent.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Label {
    /// Before it
    First,
    /// Behind it
    Last,
    /// Multiplied by it
    Times,
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
    let import::Imported { graph, listing, source, others } =
        import::graph(&args.weights, &state, &assumed(args)?, facts)?;
    say(format!(
        "latent of {} values; strides, paddings and activations are not in the file, and are \
         assumed ({source}):\n{listing}",
        graph.latent()
    ));
    if !others.is_empty() {
        say(format!("not part of the generator: {}\n", others.join(", ")));
    }
    let want = export::images(&graph)?;
    let exported = export::files(graph, &want, &args.out, &name)?;
    let next = super::export::make(&exported);
    say(super::export::report(&exported, "these layers one by one", &next) + "\n");
    Ok(())
}

/// What the arguments say beyond the file.
fn assumed(args: &Args) -> Result<import::Assumed, String> {
    let read = |path: &PathBuf| -> Result<_, String> {
        let failed = |e: &dyn std::fmt::Display| format!("--layers {}: {e}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
        import::parse(&text).map_err(|e| failed(&e))
    };
    Ok(import::Assumed {
        inner: args.activation,
        output: args.output,
        epsilons: args.epsilon.clone(),
        key: args.key.clone(),
        size: args.size,
        strides: args.strides.clone(),
        paddings: args.paddings.clone(),
        output_paddings: args.output_paddings.clone(),
        image: args.image,
        label: args.label.map(|label| match label {
            Label::First => import::Meeting::First,
            Label::Last => import::Meeting::Last,
            Label::Times => import::Meeting::Times,
        }),
        layers: args.layers.as_ref().map(read).transpose()?,
    })
}

/// Output values of black and white, which the last activation must be able to reach.
fn range(args: &Args) -> Result<(f32, f32), String> {
    let (low, high) = match (args.range, args.output) {
        (Some(Range([low, high])), _) => (low, high),
        (None, Activation::Sigmoid) => (0.0, 1.0),
        (None, Activation::Clip(least, most)) => (least, most),
        (None, _) => (-1.0, 1.0),
    };
    let (least, most) = match args.output {
        Activation::Tanh => (-1.0, 1.0),
        Activation::Sigmoid => (0.0, 1.0),
        Activation::Clip(least, most) => (least, most),
        Activation::None
        | Activation::Relu
        | Activation::LeakyRelu(_)
        | Activation::Elu(_)
        | Activation::Selu
        | Activation::Gelu
        | Activation::GeluTanh
        | Activation::Silu
        | Activation::Mish
        | Activation::Softplus => (f32::MIN, f32::MAX),
    };
    match low < least || high > most {
        true => Err(format!(
            "--range {low},{high}: the last layer's values lie between {least} and {most}"
        )),
        false => Ok((low, high)),
    }
}
