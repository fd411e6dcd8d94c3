//! State dicts that PyTorch wrote, and what PyTorch made of them; `golden/weights.py` makes both.

use std::fs;
use std::path::{Path, PathBuf};

use runtime::cpu::Cpu;
use runtime::graph::{Facts, Graph};
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::npy::Array;
use runtime::record::Buffer;
use trainer::export;
use trainer::import::{self, Assumed};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn floats(name: &str) -> Vec<f32> {
    let bytes = fs::read(golden(name)).unwrap();
    Array::parse(&bytes).unwrap().values().map(|v| v as f32).collect()
}

fn graph(name: &str) -> Result<Graph, import::ImportError> {
    let path = golden(name);
    let state = import::load(&path)?;
    import::graph(&path, &state, &Assumed::default(), Facts::default()).map(|i| i.graph)
}

/// The largest difference from PyTorch's images.
fn off(graph: &Graph) -> f32 {
    let mut graph = graph.clone();
    graph.fold();
    let record = Buffer::from(&graph.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    let (latents, images) = (floats("latents.npy"), floats("images.npy"));
    let mut off = 0.0f32;
    for (z, want) in latents.chunks_exact(6).zip(images.chunks_exact(images.len() / 3)) {
        let mut cpu = Cpu::new(&model, &mut arena).unwrap();
        let image = cpu.generate(&Latent::from_values(z)).unwrap();
        let each = image.values().iter().zip(want);
        off = each.map(|(a, b)| (a - b).abs()).fold(off, f32::max);
    }
    off
}

#[test]
fn every_form_of_file_makes_pytorchs_images() {
    for name in ["plain.pth", "legacy.pth", "plain.safetensors", "nested.tar"] {
        let off = off(&graph(name).unwrap());
        assert!(off < 1e-5, "{name}: off by {off}");
    }
    let off = off(&graph("half.pt").unwrap());
    assert!((1e-6..1e-2).contains(&off), "16-bit weights: off by {off}");
}

#[test]
fn both_files_are_written_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let graph = graph("nested.tar").unwrap();
    let want = export::images(&graph).unwrap();
    let exported = export::files(graph, &want, dir.path(), "g").unwrap();
    assert!(exported.record.exists() && exported.onnx.exists());
    assert!(exported.error.iter().all(|e| *e < 1e-5), "{:?}", exported.error);
}

#[test]
fn a_pickle_is_not_executed() {
    let scratch = tempfile::tempdir().unwrap();
    std::env::set_current_dir(scratch.path()).unwrap();
    // Whether the rest can be read or not: what it asks for is not done.
    match graph("trap.pth") {
        Ok(graph) => assert!(off(&graph) < 1e-5),
        Err(e) => assert!(!e.to_string().is_empty()),
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_checkpoint_says_so() {
    let error = |name: &str| graph(name).unwrap_err().to_string();
    assert!(error("make.py").contains("is neither a PyTorch checkpoint nor safetensors"));
    assert!(error("none.pth").starts_with("cannot read"));
    // Cut off at any length: an error, never a panic.
    let whole = fs::read(golden("nested.tar")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for length in (0..whole.len()).step_by(whole.len() / 40) {
        let path = dir.path().join("cut.pth");
        fs::write(&path, &whole[..length]).unwrap();
        assert!(import::load(&path).is_err() || length == whole.len(), "{length} bytes");
    }
}
