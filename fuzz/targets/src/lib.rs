//! The readers of files that may come from a stranger, each as a function of bytes that returns
//! whatever the bytes are: a panic, an abort, or much time or memory is a fault.
//!
//! `fuzz/fuzz_targets` runs them with libFuzzer, guided by coverage; [`mutate`](mod@mutate) without
//! it, on a stable compiler, with numbers that repeat.

#[cfg(feature = "trainer")]
pub mod archives;
#[cfg(feature = "trainer")]
pub mod arrays;
pub mod bytes;
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "trainer")]
pub mod data;
pub mod graphs;
pub mod kiosk;
pub mod lines;
pub mod model;
pub mod mutate;
pub mod onnx;
pub mod place;
#[cfg(feature = "trainer")]
pub mod run;
pub mod sketch;
#[cfg(feature = "trainer")]
pub mod state;
pub mod translate;

// The files of the kiosk's program that read a configuration or a script.
#[doc(hidden)]
#[allow(missing_docs)]
#[path = "../../../firmware-demo/src/bin/firmware-demo/config.rs"]
pub mod config;
#[doc(hidden)]
#[allow(missing_docs)]
#[path = "../../../firmware-demo/src/bin/firmware-demo/options.rs"]
pub mod options;
// The panel in memory of the kiosk's own tests.
#[path = "../../../firmware-demo/src/panel.rs"]
mod panel;
#[doc(hidden)]
#[allow(missing_docs)]
#[path = "../../../firmware-demo/src/bin/firmware-demo/strokes.rs"]
pub mod strokes;
#[doc(hidden)]
#[allow(missing_docs)]
#[path = "../../../firmware-demo/src/bin/firmware-demo/values.rs"]
pub mod values;

/// A reader.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of the folder of its seeds in `fuzz/seeds`.
    pub name: &'static str,
    /// Tries some bytes.
    pub run: fn(&[u8]),
    /// Whether the seeds are text, so that words are worth more than bytes.
    pub text: bool,
    /// Executions of the short run, a few seconds of the tests' profile.
    pub short: u32,
}

const fn target(name: &'static str, run: fn(&[u8]), text: bool, short: u32) -> Target {
    Target { name, run, text, short }
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("metadata", model::metadata, false, 750),
    target("record", model::record, false, 500),
    target("lines", lines::lines, false, 500),
    target("graph", model::graph, false, 150),
    target("onnx", onnx::onnx, false, 750),
    target("npy", onnx::npy, false, 5_000),
    target("translate", translate::translate, false, 200),
    target("kiosk", kiosk::kiosk, true, 50),
    target("sketch", sketch::sketch, true, 50),
    #[cfg(feature = "trainer")]
    target("recipe", run::recipe, true, 100),
    #[cfg(feature = "trainer")]
    target("checkpoint", run::checkpoint, false, 40),
    #[cfg(feature = "trainer")]
    target("state", state::state, false, 200),
    #[cfg(feature = "trainer")]
    target("safetensors", state::safetensors, false, 400),
    #[cfg(feature = "trainer")]
    target("idx", arrays::idx, false, 200),
    #[cfg(feature = "trainer")]
    target("numpy", arrays::numpy, false, 200),
    #[cfg(feature = "trainer")]
    target("cifar", arrays::cifar, false, 30),
    #[cfg(feature = "trainer")]
    target("table", arrays::table, true, 75),
    #[cfg(feature = "trainer")]
    target("zip", archives::zip, false, 150),
    #[cfg(feature = "trainer")]
    target("tar", archives::tar, false, 100),
    #[cfg(feature = "trainer")]
    target("nested", archives::nested, false, 100),
    #[cfg(feature = "trainer")]
    target("image", data::image, false, 200),
    #[cfg(feature = "trainer")]
    target("pairs", data::pairs, false, 100),
];
