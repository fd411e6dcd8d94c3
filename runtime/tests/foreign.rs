//! Generators of other programs, against what onnxruntime makes of them: see `foreign/make.py`.
#![cfg(feature = "onnx")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use runtime::graph::Graph;
use runtime::latent::Latent;
use runtime::npy::Array;
use runtime::onnx::{self, Import, Options};
use runtime::op::Activation;
use runtime::record::Buffer;
use runtime::{Cpu, Model};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign")
}

fn array(name: &str) -> (Vec<usize>, Vec<f64>) {
    let bytes = fs::read(folder().join(name)).unwrap();
    let array = Array::parse(&bytes).unwrap();
    (array.shape.to_vec(), array.values().collect())
}

/// A line of `cases.txt`.
struct Case {
    name: String,
    range: Option<(f32, f32)>,
    image: Option<[usize; 3]>,
    label: Option<usize>,
}

fn cases() -> Vec<Case> {
    let text = fs::read_to_string(folder().join("cases.txt")).unwrap();
    let case = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap().to_string();
        let mut case = Case { name, range: None, image: None, label: None };
        for word in words {
            match word.split_once('=').unwrap() {
                ("range", "0,1") => case.range = Some((0.0, 1.0)),
                ("image", "3x6x8") => case.image = Some([3, 6, 8]),
                ("label", n) => case.label = Some(n.parse().unwrap()),
                other => panic!("{other:?}"),
            }
        }
        case
    };
    text.lines().map(case).collect()
}

fn import(case: &Case) -> Import {
    let bytes = fs::read(folder().join(format!("{}.onnx", case.name))).unwrap();
    let folder = folder();
    let options = Options {
        folder: Some(&folder),
        range: case.range,
        image: case.image,
        ..Options::default()
    };
    onnx::import(&bytes, &options).unwrap_or_else(|e| panic!("{}: {e}", case.name))
}

/// The bytes of the pictures of both latents: row, column, channel.
fn pictures(record: &[u8], label: Option<usize>) -> Vec<u8> {
    let record = Buffer::from(record);
    let model = Model::parse(record.bytes()).unwrap();
    let (shape, z) = array("z.npy");
    let mut arena = vec![0.0; model.arena_len()];
    let mut pictures = Vec::new();
    for z in z.chunks_exact(shape[1]) {
        let mut latent: Vec<f32> = z.iter().map(|v| *v as f32).collect();
        latent.extend((0..model.classes()).map(|k| f32::from(u8::from(Some(k) == label))));
        let mut cpu = Cpu::new(&model, &mut arena).unwrap();
        let image = cpu.generate(&Latent::from_values(&latent)).unwrap();
        let channels = image.channels();
        for pixel in image.rgba() {
            pictures.extend_from_slice(&pixel[..channels]);
        }
    }
    pictures
}

fn check(name: &str, what: &str, graph: &Graph, record: &[u8], label: Option<usize>, most: u8) {
    let (shape, want) = array(&format!("{name}.npy"));
    let got = pictures(record, label);
    let image = graph.shapes().unwrap().pop().unwrap();
    assert_eq!([image.h, image.w, image.c], shape[1..], "{name}, {what}");
    let off = got.iter().zip(&want).map(|(a, b)| a.abs_diff(*b as u8)).max().unwrap();
    assert!(got.len() == want.len() && off <= most, "{name}, {what}: off by {off}");
}

#[test]
fn all_make_the_same_pictures() {
    let cases = cases();
    for case in &cases {
        let Import { mut graph, .. } = import(case);
        assert_eq!(graph.facts.labels.is_empty(), case.label.is_none(), "{}", case.name);
        let name = &case.name;
        check(name, "as read", &graph, &graph.to_record().unwrap(), case.label, 1);
        graph.fold();
        check(name, "folded", &graph, &graph.to_record().unwrap(), case.label, 1);
        if let Ok(packed) = graph.pack() {
            check(name, "packed", &graph, &packed, case.label, 1);
        }
        // Written and read again, as floats and as bytes.
        for written in [onnx::write(&graph), onnx::write_bytes(&graph)] {
            let mut again = onnx::read(&written.unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(again.facts.range, graph.facts.range, "{name}");
            again.fold();
            check(name, "written", &graph, &again.to_record().unwrap(), case.label, 1);
        }
    }
    assert_eq!(cases.len(), 84);
}

#[test]
fn assumptions_are_reported() {
    let notes: Vec<(String, String)> =
        cases().iter().map(|c| (c.name.clone(), import(c).assumed.join("; "))).collect();
    let of = |name: &str| &notes.iter().find(|(n, _)| n == name).unwrap().1;
    assert!(of("range-open").contains("black is assumed to be -1 and white 1: --range"));
    assert!(of("range-imagenet").contains("black is assumed to be 0 and white 1: --range decides"));
    assert!(of("flat-square").contains("an image of 1x12x12 is assumed: --image"));
    assert!(of("flat-color").contains("an image of 3x8x8 is assumed: --image"));
    let noted: BTreeSet<&str> = ["range-open", "range-imagenet", "padded"].into();
    for (name, text) in &notes {
        let expected = noted.contains(&name[..]) || name.starts_with("flat-");
        assert!(expected || text.is_empty(), "{name}: {text}");
    }
}

#[test]
fn a_change_of_units_leaves_no_layer() {
    for case in cases().iter().filter(|c| c.name.starts_with("range-")) {
        let Import { mut graph, .. } = import(case);
        graph.fold();
        let last = graph.layers.last().unwrap();
        let kept = ["range-imagenet", "range-reshaped", "range-resized"].contains(&&case.name[..]);
        assert!(
            kept || last.activation != Activation::None || graph.layers.len() == 2,
            "{}",
            case.name
        );
        if case.name.starts_with("range-half") || case.name.starts_with("range-bytes") {
            assert_eq!(graph.facts.range, (-1.0, 1.0), "{}", case.name);
        }
    }
}

#[test]
fn tensors_in_another_file_are_read_from_the_models_folder_only() {
    let bytes = fs::read(folder().join("external.onnx")).unwrap();
    let error = onnx::read(&bytes).unwrap_err().to_string();
    assert!(
        error.contains("external.onnx.data") && error.contains("external_data=False"),
        "{error}"
    );
    let scratch = tempfile::tempdir().unwrap();
    let import = |bytes: &[u8]| {
        let options = Options { folder: Some(scratch.path()), ..Options::default() };
        onnx::import(bytes, &options).map(|_| ()).map_err(|e| e.to_string())
    };
    let error = import(&bytes).unwrap_err();
    assert!(error.contains("external.onnx.data") && error.contains("cannot be read"), "{error}");
    let data = fs::read(folder().join("external.onnx.data")).unwrap();
    let to = scratch.path().join("external.onnx.data");
    fs::write(&to, &data[..data.len() / 2]).unwrap();
    let error = import(&bytes).unwrap_err();
    assert!(error.contains("ends before its values do"), "{error}");
    fs::write(&to, &data).unwrap();
    assert_eq!(import(&bytes), Ok(()));
    // Names of the same length, so that the file stays valid.
    let named = |name: &str| {
        assert_eq!(name.len(), "external.onnx.data".len());
        let mut bytes = bytes.clone();
        let from = b"external.onnx.data";
        let places: Vec<usize> =
            (0..bytes.len() - from.len()).filter(|i| bytes[*i..].starts_with(from)).collect();
        for place in places {
            bytes[place..place + from.len()].copy_from_slice(name.as_bytes());
        }
        bytes
    };
    for name in ["../ternal.onnx.dat", "/tmp/nal.onnx.data", "a/../../onnx.data."] {
        let error = import(&named(name)).unwrap_err();
        assert!(error.contains("outside the model's folder"), "{error}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/dev/zero", scratch.path().join("linked.onnx.data__")).unwrap();
        let error = import(&named("linked.onnx.data__")).unwrap_err();
        assert!(error.contains("a link out of the model's folder"), "{error}");
    }
}

#[test]
fn every_precision_makes_them() {
    for name in [
        "activation-gelu",
        "activation-silu",
        "activation-elu",
        "activation-mish",
        "activation-softplus",
        "activation-selu",
        "activation-gelu_tanh",
        "activation-relu6",
        "alpha",
    ] {
        let case = Case { name: name.into(), range: None, image: None, label: None };
        let Import { mut graph, .. } = import(&case);
        graph.fold();
        check(name, "f16", &graph, &graph.halve().unwrap(), None, 2);
        check(name, "int8", &graph, &graph.quantize(1_000_000..1_000_064).unwrap(), None, 12);
    }
}
