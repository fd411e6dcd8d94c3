//! A training run on disk and on the terminal: its folder, checkpoints, log, and the pages that
//! show it.

pub mod checkpoint;
pub mod curves;
pub mod due;
pub mod error;
pub mod events;
mod folder;
mod load_error;
mod lock;
pub mod log;
pub mod meter;
pub mod page;
pub mod record;
mod records;
pub mod show;
pub mod stats;
mod sums;
pub mod verdict;

pub use folder::Run;
pub use lock::{Lock, LockError};
