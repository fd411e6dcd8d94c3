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
    target("metadata", model::metadata, false, 1_500),
    target("record", model::record, false, 1_000),
    target("lines", lines::lines, false, 1_000),
    target("graph", model::graph, false, 300),
    target("onnx", onnx::onnx, false, 1_500),
    target("npy", onnx::npy, false, 10_000),
    target("translate", translate::translate, false, 400),
    target("kiosk", kiosk::kiosk, true, 100),
    target("sketch", sketch::sketch, true, 100),
    #[cfg(feature = "trainer")]
    target("recipe", run::recipe, true, 500),
    #[cfg(feature = "trainer")]
    target("checkpoint", run::checkpoint, false, 80),
    #[cfg(feature = "trainer")]
    target("state", state::state, false, 400),
    #[cfg(feature = "trainer")]
    target("safetensors", state::safetensors, false, 800),
    #[cfg(feature = "trainer")]
    target("idx", arrays::idx, false, 400),
    #[cfg(feature = "trainer")]
    target("numpy", arrays::numpy, false, 400),
    #[cfg(feature = "trainer")]
    target("cifar", arrays::cifar, false, 60),
    #[cfg(feature = "trainer")]
    target("table", arrays::table, true, 150),
    #[cfg(feature = "trainer")]
    target("zip", archives::zip, false, 300),
    #[cfg(feature = "trainer")]
    target("tar", archives::tar, false, 200),
    #[cfg(feature = "trainer")]
    target("nested", archives::nested, false, 200),
    #[cfg(feature = "trainer")]
    target("image", data::image, false, 400),
    #[cfg(feature = "trainer")]
    target("pairs", data::pairs, false, 200),
];
