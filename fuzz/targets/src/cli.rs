//! The files of runtime's program that read pictures.
#![allow(missing_docs)]

#[path = "../../../runtime/src/cli/limits.rs"]
pub mod limits;
#[path = "../../../runtime/src/cli/pictures.rs"]
pub mod pictures;
#[path = "../../../runtime/src/cli/read.rs"]
pub mod read;
