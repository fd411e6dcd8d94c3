//! Promises of `runtime translate`, and of the other verbs with a model that takes a picture.
#![cfg(feature = "cli")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use runtime::Input;
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Op, Shape, Window};

/// Runs `runtime` with arguments separated by spaces and bytes as standard input: whether it
/// succeeded, standard output, and standard error.
fn run_with(folder: &Path, args: &str, input: &[u8]) -> (bool, Vec<u8>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_runtime"))
        .args(args.split(' '))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that fails early does not read it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    (output.status.success(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

fn run(folder: &Path, args: &str) -> (bool, String, String) {
    let (ok, out, error) = run_with(folder, args, &[]);
    (ok, String::from_utf8_lossy(&out).into_owned(), error)
}

/// A model of 8 x 8 pixels that inverts the brightness of a picture, through a branch.
fn inverting(channels: usize) -> Graph {
    let window = Window { kernel: 1, stride: 1, padding: 0 };
    let scaled = |name: &str, factor: f32| {
        let mut weight = vec![0.0; channels * channels];
        (0..channels).for_each(|c| weight[c * channels + c] = factor);
        Layer { weight, ..Layer::new(name, Op::Conv { out: channels, window }) }
    };
    let with = Some("input".into());
    let layers = vec![scaled("twice", -2.0), Layer { with, ..Layer::new("sum", Op::Add) }];
    let input = Input::Picture(Shape::new(channels, 8, 8));
    Graph { input, layers, facts: Facts::default() }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("invert.bpk"), inverting(3).to_record().unwrap()).unwrap();
    let plain = RgbImage::from_fn(8, 8, |x, y| Rgb([x as u8 * 30, y as u8 * 30, 200]));
    codecs::save(plain, at("plain.png")).unwrap();
    // The outer quarters are cut off.
    let wide = |x, _| Rgb(if (8..24).contains(&x) { [10; 3] } else { [250; 3] });
    codecs::save(RgbImage::from_fn(32, 16, wide), at("wide.bmp")).unwrap();
    folder
}

fn pixels(folder: &Path, name: &str) -> RgbImage {
    codecs::open(folder.join(name)).unwrap().into_rgb8()
}

#[test]
fn one_picture() {
    let folder = folder();
    let at = folder.path();
    let (ok, _, said) = run(at, "translate invert.bpk plain.png --out made/a.png --device cpu");
    assert!(ok, "{said}");
    assert_eq!(said, "made/a.png: from plain.png, 8 x 8\n");
    let (before, after) = (pixels(at, "plain.png"), pixels(at, "made/a.png"));
    for (before, after) in before.pixels().zip(after.pixels()) {
        assert_eq!(before.0.map(|v| 255 - v), after.0);
    }
    let (ok, _, said) = run(at, "translate invert.bpk wide.bmp --out b.png --scale 2 --threads 2");
    assert!(ok, "{said}");
    assert!(said.contains("32 x 16, cropped to 16 x 16, resized to 8 x 8"), "{said}");
    let after = pixels(at, "b.png");
    assert_eq!(after.dimensions(), (16, 16));
    assert!(after.pixels().all(|p| p.0 == [245; 3]), "nothing of the edges");
    let (ok, _, said) = run(at, "translate invert.bpk wide.bmp --out c.png --fit stretch");
    assert!(ok && said.contains("32 x 16, resized to 8 x 8"), "{said}");
    assert!(pixels(at, "c.png").get_pixel(0, 0).0 == [5; 3]);
}

#[test]
fn pipes() {
    let folder = folder();
    let png = std::fs::read(folder.path().join("plain.png")).unwrap();
    let (ok, out, said) = run_with(folder.path(), "translate invert.bpk - --out -", &png);
    assert!(ok, "{said}");
    let after = codecs::decode(&out).unwrap().into_rgb8();
    assert_eq!(after.get_pixel(1, 2).0, [225, 195, 55]);
    let (ok, _, said) = run_with(folder.path(), "translate invert.bpk - --out -", b"no picture");
    assert!(!ok && said.contains("error: cannot decode -:"), "{said}");
    let (ok, _, said) = run_with(folder.path(), "translate invert.bpk - --out made/", &png);
    assert!(!ok && said.contains("no name to write under"), "{said}");
}

#[test]
fn folders_and_grids() {
    let folder = folder();
    let at = folder.path();
    std::fs::create_dir(at.join("in")).unwrap();
    // Transparent parts become white; gray pictures are as good as colored ones.
    codecs::save(RgbaImage::from_pixel(4, 4, Rgba([9, 9, 9, 0])), at.join("in/b.png")).unwrap();
    codecs::save(GrayImage::from_pixel(8, 8, Luma([100])), at.join("in/a.png")).unwrap();
    std::fs::write(at.join("in/notes.txt"), "not a picture").unwrap();
    std::fs::write(at.join("in/.hidden.png"), "not a picture either").unwrap();
    let (ok, _, said) = run(at, "translate invert.bpk in wide.bmp --out out --device cpu");
    assert!(ok, "{said}");
    assert_eq!(said, "out: 3 pictures, 1 of them cropped and 2 resized to 8 x 8\n");
    assert!(pixels(at, "out/a.png").pixels().all(|p| p.0 == [155; 3]));
    assert!(pixels(at, "out/b.png").pixels().all(|p| p.0 == [0; 3]));
    assert!(pixels(at, "out/wide.png").pixels().all(|p| p.0 == [245; 3]));
    let names = std::fs::read_dir(at.join("out")).unwrap().count();
    assert_eq!(names, 3, "nothing else is left there");
    let (ok, _, said) = run(at, "translate invert.bpk in wide.bmp --out g.png --grid --device cpu");
    assert!(ok, "{said}");
    assert_eq!(said, "g.png: 3 pictures before and after\n");
    let sheet = pixels(at, "g.png");
    assert_eq!(sheet.dimensions(), (32, 16));
    let corners = [(0, 0), (8, 0), (16, 0), (24, 0), (0, 8), (8, 8)];
    let want = [100, 155, 255, 0, 10, 245];
    assert_eq!(corners.map(|(x, y)| sheet.get_pixel(x, y).0[0]), want);
    // The same on threads of their own and on one.
    let (ok, ..) = run(at, "translate invert.bpk in wide.bmp --out one/ --threads 1 --device cpu");
    assert!(ok);
    for name in ["a.png", "b.png", "wide.png"] {
        let [one, out] = ["one", "out"].map(|f| std::fs::read(at.join(f).join(name)).unwrap());
        assert!(one == out, "{name}");
    }
}

#[test]
fn what_cannot_be_translated() {
    let folder = folder();
    let at = folder.path();
    std::fs::create_dir(at.join("empty")).unwrap();
    std::fs::create_dir(at.join("twin")).unwrap();
    std::fs::copy(at.join("plain.png"), at.join("twin/wide.png")).unwrap();
    std::fs::write(at.join("broken.png"), b"\x89PNG\r\n\x1a\nand then nothing").unwrap();
    let faces = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/pretrained/faces-tiny.bpk");
    std::fs::copy(faces, at.join("faces.bpk")).unwrap();
    let cases = [
        (
            "translate faces.bpk plain.png --out a.png",
            "faces.bpk takes a latent of 32 values, not a picture; use runtime generate",
        ),
        (
            "generate invert.bpk --out a.png",
            "invert.bpk takes a picture of 3 x 8 x 8, not a latent; use runtime translate",
        ),
        (
            "translate invert.bpk plain.png wide.bmp --out a.png",
            "--out a.png: there are 2 pictures; name a folder, or use --grid",
        ),
        (
            "translate invert.bpk wide.bmp twin/wide.png --out made/",
            "wide.bmp and twin/wide.png would both become made/wide.png",
        ),
        (
            "translate invert.bpk plain.png --out plain.png",
            "plain.png would be replaced; name another --out",
        ),
        ("translate invert.bpk twin --out twin", "twin/wide.png would be replaced"),
        ("translate invert.bpk nothing.png --out a.png", "cannot read nothing.png: No such file"),
        ("translate invert.bpk broken.png --out a.png", "cannot decode broken.png: "),
        ("translate invert.bpk empty --out made", "empty: no pictures in this folder"),
        ("translate invert.bpk plain.png --out a.xyz", "a.xyz: no picture format has this"),
        (
            "translate invert.bpk wide.bmp --out a.png --limit pixels=500",
            "wide.bmp: the picture would have more than 500 pixels; raise it with --limit pixels=N",
        ),
        (
            "convert invert.bpk --precision int8 --out a.bpk",
            "invert.bpk takes a picture; int8 needs examples: --pictures with files or folders",
        ),
        (
            "convert faces.bpk --precision int8 --pictures twin --out a.bpk",
            "faces.bpk takes a latent; leave out --pictures",
        ),
    ];
    for (args, want) in cases {
        let (ok, out, error) = run(at, args);
        assert!(!ok && out.is_empty(), "{args}");
        assert!(error.contains(want), "{args}: {error}");
        assert!(!at.join("a.png").exists() && !at.join("a.bpk").exists(), "{args}");
    }
}

#[test]
fn other_forms_of_the_model() {
    let folder = folder();
    let at = folder.path();
    std::fs::create_dir(at.join("in")).unwrap();
    for i in 0..6u8 {
        let picture = RgbImage::from_fn(8, 8, |x, y| Rgb([i * 50, x as u8 * 36, y as u8 * 36]));
        codecs::save(picture, at.join(format!("in/{i}.png"))).unwrap();
    }
    for (convert, name, most) in [
        ("--out m.onnx", "m.onnx", 0),
        ("--precision packed --out p.bpk", "p.bpk", 0),
        ("--precision f16 --out h.bpk", "h.bpk", 0),
        ("--precision int8 --pictures in --out i.bpk", "i.bpk", 3),
    ] {
        let (ok, _, said) = run(at, &format!("convert invert.bpk {convert}"));
        assert!(ok, "{said}");
        if most > 0 {
            assert!(said.contains("dB on average over 6 pictures"), "{said}");
        }
        let (ok, _, said) = run(at, &format!("translate {name} in --out out-{name}/ --device cpu"));
        assert!(ok, "{said}");
        for i in 0..6 {
            let [before, after] = ["in".to_string(), format!("out-{name}")]
                .map(|folder| pixels(at, &format!("{folder}/{i}.png")));
            let off = before.iter().zip(after.iter()).map(|(b, a)| (255 - b).abs_diff(*a)).max();
            assert!(off <= Some(most), "{name}: {off:?}");
        }
        let (ok, text, _) = run(at, &format!("inspect {name}"));
        assert!(ok && text.contains("picture         3 x 8 x 8"), "{text}");
        assert!(text.contains("with input"), "{text}");
    }
    for precision in ["", " --precision int8"] {
        let args = format!("bench invert.bpk{precision} --device cpu --best --seconds 0.01 --json");
        let (ok, text, error) = run(at, &args);
        assert!(ok && text.contains('{'), "{error}");
    }
}
