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
    off_from(graph, "images.npy", None)
}

/// The largest difference from the images in a file, with a label.
fn off_from(graph: &Graph, images: &str, label: Option<usize>) -> f32 {
    let mut graph = graph.clone();
    graph.fold();
    let record = Buffer::from(&graph.to_record().unwrap());
    let model = Model::parse(record.bytes()).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    let (latents, images) = (floats("latents.npy"), floats(images));
    let mut off = 0.0f32;
    for (z, want) in latents.chunks_exact(6).zip(images.chunks_exact(images.len() / 3)) {
        let mut cpu = Cpu::new(&model, &mut arena).unwrap();
        let hot = (0..model.classes()).map(|k| f32::from(u8::from(Some(k) == label)));
        let z: Vec<f32> = z.iter().copied().chain(hot).collect();
        let image = cpu.generate(&Latent::from_values(&z)).unwrap();
        assert_eq!(image.values().len(), want.len());
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

/// What a user would say about a file of `golden/families.py`.
fn said(name: &str) -> Assumed {
    let activation = |text: &str| import::activation(text).unwrap();
    match name {
        "dense-sigmoid" => Assumed { output: activation("sigmoid"), ..Assumed::default() },
        "output-padding" => Assumed { inner: Some(activation("elu")), ..Assumed::default() },
        "shuffled" => {
            let text = "main.0 conv_transpose\nrelu\nmain.2 conv padding=1\npixel_shuffle 2\ntanh";
            Assumed { layers: Some(import::parse(text).unwrap()), ..Assumed::default() }
        }
        _ => Assumed::default(),
    }
}

#[test]
fn families_make_pytorchs_images() {
    let names = [
        ("blocks", "the DCGAN tutorial"),
        ("attributes", "the DCGAN tutorial"),
        ("apart", "the DCGAN tutorial"),
        ("alpha", "the DCGAN tutorial"),
        ("course", "the DCGAN of deeplearning.ai's course on GANs"),
        ("tail", "the DCGAN tutorial with a last kernel of 1 and padding 2, for 28 x 28 digits"),
        ("gan-dcgan", "PyTorch-GAN's dcgan.py"),
        ("gan-acgan", "PyTorch-GAN's dcgan.py"),
        ("gan-dense", "PyTorch-GAN's dense generators (gan.py, cgan.py, wgan.py)"),
        ("gan-cgan", "PyTorch-GAN's dense generators (gan.py, cgan.py, wgan.py)"),
        ("dense-stem", "a guess"),
        ("dense-sigmoid", "no convolutions"),
        ("output-padding", "a guess"),
        ("upsampled", "a guess"),
        ("shuffled", "--layers"),
        ("prelu", "the DCGAN tutorial"),
        ("norm-spectral", "the DCGAN tutorial"),
        ("norm-spectral_parametrized", "the DCGAN tutorial"),
        ("norm-weight", "the DCGAN tutorial"),
        ("norm-weight_parametrized", "the DCGAN tutorial"),
    ];
    for (name, source) in names {
        let path = golden(&format!("{name}.safetensors"));
        let state = import::load(&path).unwrap();
        let found = import::graph(&path, &state, &said(name), Facts::default());
        let found = found.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(found.source, source, "{name}");
        let labels = found.graph.facts.labels.len();
        assert_eq!(labels, if ["gan-acgan", "gan-cgan"].contains(&name) { 5 } else { 0 }, "{name}");
        let off = off_from(&found.graph, &format!("{name}.npy"), (labels > 0).then_some(3));
        assert!(off < 1e-5, "{name}: off by {off}");
        // What is printed is a file for --layers.
        let layers = Some(import::parse(&found.listing).unwrap());
        let assumed = Assumed { layers, ..Assumed::default() };
        let again = import::graph(&path, &state, &assumed, Facts::default()).unwrap();
        assert_eq!(again.graph.layers, found.graph.layers, "{name}");
    }
}

/// An archive as torch.save writes it: files stored as they are, under a folder of the archive's
/// name, aligned to 64 bytes, and records of 64 bits at the end.
fn archive(stem: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut all, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in files {
        let name = format!("{stem}/{name}");
        let (at, n) = (all.len(), (data.len() as u32).to_le_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let padding = 64 - (at + 30 + name.len() + 4) % 64;
        let mut common = vec![0; 4];
        common.extend([0; 6]);
        common.extend(crc.sum().to_le_bytes());
        common.extend([n, n].concat());
        common.extend((name.len() as u16).to_le_bytes());
        all.extend(b"PK\x03\x04\0\0");
        all.extend(&common[2..]);
        all.extend((padding as u16 + 4).to_le_bytes());
        all.extend(name.as_bytes());
        all.extend(b"FB");
        all.extend((padding as u16).to_le_bytes());
        all.extend(vec![b'Z'; padding]);
        all.extend(data);
        directory.extend(b"PK\x01\x02\0\0\0\0");
        directory.extend(&common[2..]);
        directory.extend([0; 12]);
        directory.extend((at as u32).to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, count, size) = (all.len() as u64, files.len() as u64, directory.len() as u64);
    all.extend(directory);
    let record = all.len() as u64;
    all.extend(b"PK\x06\x06");
    all.extend(44u64.to_le_bytes());
    all.extend([0x1e, 3, 0x2d, 0]);
    all.extend([0; 8]);
    for n in [count, count, size, start] {
        all.extend(n.to_le_bytes());
    }
    all.extend(b"PK\x06\x07\0\0\0\0");
    all.extend(record.to_le_bytes());
    all.extend(1u32.to_le_bytes());
    all.extend(b"PK\x05\x06\0\0\0\0");
    all.extend((count as u16).to_le_bytes());
    all.extend((count as u16).to_le_bytes());
    all.extend((size as u32).to_le_bytes());
    all.extend((start as u32).to_le_bytes());
    all.extend([0; 2]);
    all
}

#[test]
fn stems_of_any_length_and_alphabet_are_read() {
    let mut zip = zip::ZipArchive::new(fs::File::open(golden("plain.pth")).unwrap()).unwrap();
    let files: Vec<(String, Vec<u8>)> = (0..zip.len())
        .map(|i| {
            let mut file = zip.by_index(i).unwrap();
            let mut data = Vec::new();
            std::io::copy(&mut file, &mut data).unwrap();
            (file.name().unwrap().split_once('/').unwrap().1.to_string(), data)
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let stems = (1..=64).map(|n| "n".repeat(n)).chain(["генератор".into(), "生成器".into()]);
    for stem in stems {
        let path = dir.path().join(format!("{stem}.pth"));
        fs::write(&path, archive(&stem, &files)).unwrap();
        let state = import::load(&path).unwrap_or_else(|e| panic!("{stem}: {e}"));
        assert_eq!(state, import::load(&golden("plain.pth")).unwrap(), "{stem}");
    }
    // The copies that were made for some of them are gone, and none lies beside the file.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 66);
}

#[test]
fn other_kinds_of_files_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[u8], &str); 5] = [
        (b"NRUB....", "is a burn record, not a PyTorch checkpoint: `runtime generate`"),
        (b"\x08\x08\x12\x07pytorch", "is an ONNX model"),
        (b"\x89HDF\r\n", "tf2onnx.convert --keras"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "is a web page"),
    ];
    for (bytes, want) in cases {
        let path = dir.path().join("g.pth");
        fs::write(&path, bytes).unwrap();
        let error = import::load(&path).unwrap_err().to_string();
        assert!(error.contains(want), "{error}\nlacks {want}");
    }
}
