//! The files of runtime's program that read pictures.
// Help texts have defaults in brackets.
#![allow(missing_docs, rustdoc::broken_intra_doc_links)]

#[path = "../../../runtime/src/cli/limits.rs"]
pub mod limits;
#[path = "../../../runtime/src/cli/pictures.rs"]
pub mod pictures;
#[path = "../../../runtime/src/cli/read.rs"]
pub mod read;
