//! Promises of `runtime bench --compare`, with a shell script in place of Python.
#![cfg(all(feature = "cli", unix))]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use runtime::Input;
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Op, Shape, Window};

/// Runs `runtime bench` with arguments separated by spaces: whether it succeeded, standard output
/// and error. Its temporary files are in `folder/temp`, and are gone afterwards.
fn bench(folder: &Path, args: &str) -> (bool, String, String) {
    let temp = folder.join("temp");
    fs::create_dir_all(&temp).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_runtime"))
        .args(["bench", "--compare", "onnxruntime", "--seconds", "0.01"])
        .args(args.split(' '))
        .current_dir(folder)
        .env("TMPDIR", &temp)
        .output()
        .unwrap();
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 0, "{args}: a file was left behind");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Models whose pixels are all gray, of 4 x 4 pixels, and `python`, a script. It gets the path of
/// `onnxruntime.py` and that file's arguments.
fn folder(script: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let window = Window { kernel: 4, stride: 1, padding: 0 };
    let one = Window { kernel: 1, ..window };
    for (name, input, op, weights) in [
        ("latent.bpk", Input::Latent(2), Op::ConvTranspose { out: 1, window }, 32),
        ("picture.bpk", Input::Picture(Shape::new(1, 4, 4)), Op::Conv { out: 1, window: one }, 1),
    ] {
        let layer = Layer { weight: vec![0.0; weights], ..Layer::new("a", op) };
        let graph = Graph { input, layers: vec![layer], facts: Facts::default() };
        fs::write(folder.path().join(name), graph.to_record().unwrap()).unwrap();
    }
    let python = folder.path().join("python");
    fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Zeros as the output of as many pictures as are compared, and the arguments in a file.
const READY: &str = r#"echo "$4 $6 $7 $8" > args
test -s "$1" && test -s "$2" && test -s "$3" || exit 1
head -c $((64 * $6)) /dev/zero > "$5"
echo ready 9.9.9 3.99.0"#;

const ROUNDS: &str = "while read -r _; do echo round >> rounds; echo times 60.0 90.0; done";

#[test]
fn both_engines_in_turns() {
    for (model, args, got) in [
        ("latent.bpk", "--batch 2 --threads 2", "2x2 2 2 0.01\n"),
        ("picture.bpk", "--batch 1", "1x1x4x4 1 1 0.01\n"),
        ("picture.bpk", "--batch 100", "100x1x4x4 8 1 0.01\n"),
    ] {
        let folder = folder(&format!("{READY}\n{ROUNDS}"));
        let (ok, text, error) = bench(folder.path(), &format!("{model} {args} --python ./python"));
        assert!(ok, "{model} {args}: {error}");
        assert_eq!(fs::read_to_string(folder.path().join("args")).unwrap(), got);
        assert_eq!(fs::read_to_string(folder.path().join("rounds")).unwrap().lines().count(), 5);
        let line = text.lines().find(|l| l.starts_with("onnxruntime 9.9.9, f32")).unwrap();
        assert!(line.ends_with("   60000.000   90000.000"), "{text}");
        assert!(text.contains("differ by at most 0 of 255"), "{text}");
        assert!(text.contains("onnxruntime of ./python, Python 3.99.0"), "{text}");
        let (ok, json, error) =
            bench(folder.path(), &format!("{model} {args} --python ./python --json"));
        assert!(ok, "{error}");
        assert!(json.contains("\"onnxruntime_median_ms\": 90000.0000, "), "{json}");
    }
}

#[test]
fn what_python_does_wrong_is_an_error() {
    let packages = "pip install onnxruntime numpy";
    let white = READY.replace("/dev/zero", "/dev/zero | tr '\\000' '\\077'");
    for (script, want) in [
        (
            "echo missing onnxruntime",
            format!("./python has no package onnxruntime; install it (./python -m {packages})"),
        ),
        ("echo 'ValueError: no' >&2; exit 1", "./python failed: ValueError: no".into()),
        ("exit 0", "./python ended without an answer".into()),
        ("echo ready 1 2", "no output of onnxruntime".into()),
        ("echo ready", "./python wrote \"\" instead of an answer".into()),
        (&format!("{READY}; echo times 1 x"), "./python wrote \"1 x\" instead of an answer".into()),
        (&format!("{READY}; echo times 0 nan"), "./python wrote \"0 nan\" instead".into()),
        (&READY.replace("64 *", "60 *"), "onnxruntime made 15 values instead of 16".into()),
        (&white, "the pixels of onnxruntime 9.9.9 differ by up to ".into()),
    ] {
        let folder = folder(script);
        let (ok, text, error) = bench(folder.path(), "latent.bpk --python ./python");
        assert!(!ok && text.is_empty(), "{script}: {text}");
        assert!(error.starts_with(&format!("error: {want}")), "{script}: {error}");
    }
    let folder = folder("");
    let (ok, _, error) = bench(folder.path(), "latent.bpk --python ./no-python");
    assert!(!ok);
    assert!(error.starts_with("error: cannot start ./no-python; install Python"), "{error}");
    assert!(error.contains(packages), "{error}");
    let (ok, _, error) =
        bench(folder.path(), "latent.bpk --python ./python --batch 1000000 --limit arena=1M");
    assert!(!ok);
    assert!(
        error.starts_with("error: a batch of 1000000 in onnxruntime: the arena needs"),
        "{error}"
    );
}
