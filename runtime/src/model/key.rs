//! The keys of a record's metadata that this project writes; `docs/record.md` explains them.

/// Version of these keys.
pub const FORMAT: &str = "pocket-gan.format";
/// Length of the latent.
pub const LATENT: &str = "pocket-gan.latent";
/// The layers, one per line.
pub const LAYERS: &str = "pocket-gan.layers";
/// How numbers are stored and computed with; absent for `f32`.
pub const PRECISION: &str = "pocket-gan.precision";
/// Integers of an int8 model: of the latent, then of the layers, one line each.
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

/// The version of the keys that is read and written.
pub(crate) const VERSION: &str = "1";
