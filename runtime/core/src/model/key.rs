//! The keys of a record's metadata that this project writes; `docs/record.md` explains them.

/// Version of these keys.
pub const FORMAT: &str = "pocket-gan.format";
/// Length of the latent.
pub const LATENT: &str = "pocket-gan.latent";
/// Channels, rows and columns of the picture that the model takes instead of a latent.
pub const PICTURE: &str = "pocket-gan.picture";
/// The layers, one per line.
pub const LAYERS: &str = "pocket-gan.layers";
/// How numbers are stored and computed with; absent for `f32`.
pub const PRECISION: &str = "pocket-gan.precision";
/// Integers of an int8 model: of the input, then of the layers, one line each.
pub const INT8: &str = "pocket-gan.int8";
/// Checksum of the data section.
pub const CHECKSUM: &str = "pocket-gan.checksum";
/// Output values of black and white.
pub const RANGE: &str = "pocket-gan.range";
/// Name of the generator.
pub const NAME: &str = "pocket-gan.name";
/// Its license.
pub const LICENSE: &str = "pocket-gan.license";
/// What it was trained on.
pub const DATA: &str = "pocket-gan.data";
/// How it was trained.
pub const TRAINED: &str = "pocket-gan.trained";
/// Names of the classes, one per line.
pub const LABELS: &str = "pocket-gan.labels";

/// The versions of the keys that are read; the first is written for a chain of layers from a latent,
/// the second for anything that only it has.
pub(crate) const VERSIONS: [&str; 2] = ["1", "2"];
