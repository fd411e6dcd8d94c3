//! Images to batches: folders, archives and arrays of images, or the built-in drawn faces, as
//! numbers in [-1, 1].
//!
//! In the order that an image passes through them: [`DataSet::open`] finds and decodes files,
//! [`Order`] shuffles them, [`Batches`] prepares batches on worker threads ahead of the training
//! step. In a set of pairs each image has an input ([`Open::pairs`]); a set may also have another one
//! beside it, without pairs ([`Open::unpaired`]). [`drawn`] draws faces, so that a first run needs no
//! download; [`sheet`] puts images side by side.

mod archive;
mod array;
mod batches;
mod blob;
mod choice;
mod cifar;
mod crop;
mod decode;
mod dtype;
mod error;
mod files;
mod folder;
mod foreign;
mod form;
mod formats;
mod idx;
pub mod inspect;
mod jpeg;
mod labels;
mod numpy;
mod open;
mod order;
mod pair;
mod pairs;
mod room;
mod seeds;
mod set;
pub mod sheet;
mod source;
mod splits;
mod stack;
mod table;
mod tar;
mod tree;
mod unpaired;

pub use batches::{Batches, Ready};
pub use crop::{Crop, UnknownCrop};
pub use error::{ArrayFault, DataError, Reason, Skipped};
pub use files::counted;
pub use foreign::Foreign;
pub use form::Form;
pub use formats::FORMATS;
pub use open::Open;
pub use order::Order;
pub use pair::{Pair, UnknownPair};
pub use set::{BUDGET, DataSet};
