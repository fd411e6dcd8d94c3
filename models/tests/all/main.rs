//! One binary for every file: each would link burn again.

mod adjoint;
mod flex;
