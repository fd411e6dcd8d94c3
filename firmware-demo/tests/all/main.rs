//! One test binary: separate ones would each link the same libraries.

mod files;
mod sketch;
mod terminal;
mod web;
mod window;
