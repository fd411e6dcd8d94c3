//! Generators that PyTorch exported, against what PyTorch made of them: see `fixtures/pytorch.py`.

use std::fs;
use std::path::PathBuf;

use runtime::{cpu::Cpu, latent::Latent, model::Model, onnx, record::Buffer};
use tests::{names, root};

fn fixtures() -> PathBuf {
    root().join("tests/fixtures")
}

/// The values of a float32 `.npy` in C order: what lies behind its header.
fn npy(name: &str) -> Vec<f32> {
    let bytes = fs::read(fixtures().join(name)).unwrap();
    let header = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    let (values, rest) = bytes[10 + header..].as_chunks::<4>();
    assert!(rest.is_empty());
    values.iter().map(|v| f32::from_le_bytes(*v)).collect()
}

#[test]
fn make_what_pytorch_makes() {
    let mut seen = 0;
    for name in names(&fixtures()).iter().filter(|n| n.ends_with(".onnx")) {
        let net = name.split('-').next().unwrap();
        let (z, want) = (npy(&format!("{net}-z.npy")), npy(&format!("{net}-image.npy")));
        let mut graph = onnx::read(&fs::read(fixtures().join(name)).unwrap()).expect(name);
        for folded in [false, true] {
            if folded {
                graph.fold();
                assert!(graph.layers.len() <= 4, "{name}: all but a reshape folds");
            }
            let record = Buffer::from(graph.to_record().unwrap());
            let model = Model::parse(record.bytes()).unwrap();
            let mut arena = vec![0.0; model.arena_len()];
            let mut cpu = Cpu::new(&model, &mut arena).unwrap();
            let image = model.output().values();
            for (z, want) in z.chunks_exact(model.latent()).zip(want.chunks_exact(image)) {
                let got = cpu.generate(&Latent::from_values(z)).unwrap();
                let off = got.values().iter().zip(want).map(|(a, b)| (a - b).abs());
                let off = off.fold(0.0, f32::max);
                assert!(off < 1e-5, "{name}, folded {folded}: {off}");
            }
        }
        let range = if net == "dense" { (0.0, 1.0) } else { (-1.0, 1.0) };
        assert_eq!(graph.facts.range, range, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 9);
}
