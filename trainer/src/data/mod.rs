//! Images to batches: a folder, a zip archive, IDX files or the built-in drawn faces, as numbers in
//! [-1, 1].
//!
//! In the order that an image passes through them: [`DataSet::open`] finds and decodes files,
//! [`Order`] shuffles them, [`Batches`] prepares batches on worker threads ahead of the training
//! step. Pairs of images are sets whose images have an input each ([`Open::pairs`]). [`drawn`] draws faces, so that a first run needs no download; [`sheet`] puts images side
//! by side.

mod archive;
mod batches;
mod crop;
mod decode;
pub mod digits;
pub mod drawn;
mod error;
mod folder;
mod form;
mod formats;
mod idx;
pub mod inspect;
mod labels;
mod open;
mod order;
mod pair;
mod pairs;
mod rng;
mod room;
mod set;
pub mod sheet;
mod source;

pub use batches::{Batches, Ready};
pub use crop::{Crop, UnknownCrop};
pub use error::{DataError, IdxFault, Reason, Skipped};
pub use form::Form;
pub use formats::FORMATS;
pub use open::Open;
pub use order::Order;
pub use pair::{Pair, UnknownPair};
pub use rng::Rng;
pub use set::{BUDGET, DataSet};
