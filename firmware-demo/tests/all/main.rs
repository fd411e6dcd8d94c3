//! One binary for every file: each would link the same libraries again.

mod files;
mod terminal;
mod web;
mod window;
