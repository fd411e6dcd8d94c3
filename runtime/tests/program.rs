//! Promises of the program about hostile files.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::Command;

use runtime::Input;
use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Activation, Op, Shape};

/// Runs `runtime` with arguments separated by spaces: whether it succeeded, standard output and
/// error.
fn run(folder: &Path, args: &str) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_runtime"))
        .args(args.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn write(
    folder: &Path,
    name: &str,
    latent: usize,
    layers: &[(&str, Op, Activation)],
    facts: Facts,
) {
    let layers = layers.iter().map(|(name, op, activation)| Layer {
        name: (*name).into(),
        op: *op,
        activation: *activation,
        from: None,
        with: None,
        weight: vec![],
        bias: vec![],
    });
    let graph = Graph { input: Input::Latent(latent), layers: layers.collect(), facts };
    std::fs::write(folder.join(name), graph.to_record().unwrap()).unwrap();
}

#[test]
fn limits_name_the_flag_that_raises_them() {
    let folder = tempfile::tempdir().unwrap();
    let tall = Op::Resize { factor: 16384 };
    let none = Activation::None;
    write(folder.path(), "large.bpk", 1, &[("a", tall, none)], Facts::default());
    for verb in ["inspect", "generate --out a.png", "convert --out a.bpk", "bench --best"] {
        let (ok, _, error) = run(folder.path(), &format!("{verb} large.bpk"));
        assert!(!ok, "{verb}");
        assert_eq!(
            error,
            "error: large.bpk: the arena needs 1073741828 bytes, more than 536870912; \
             raise it with --limit arena=N\n",
            "{verb}"
        );
    }
    let raised = "inspect large.bpk --limit arena=1025M --limit pixels=256M";
    let (ok, text, error) = run(folder.path(), raised);
    assert!(ok, "{error}");
    assert!(text.contains("1 x 16384 x 16384"), "{text}");
    let (_, _, error) = run(folder.path(), "inspect --limit sofa=3");
    assert!(error.contains("expected NAME=N, such as arena=2G"), "{error}");
}

#[test]
fn every_picture_has_one_bound() {
    let folder = tempfile::tempdir().unwrap();
    // The built-in faces have 64 x 64 pixels.
    let cases = [
        ("--out a.png --scale 2", true),
        ("--out a.png --scale 3", false),
        ("--out a.png --count 3 --scale 2", true),
        ("--out a.png --count 3 --scale 3", false),
        ("--out a.png --grid 2x2", true),
        ("--out a.png --grid 1x5", false),
        ("--out a.png --grid 1x2 --scale 2", false),
    ];
    for (args, want) in cases {
        let (ok, _, error) = run(folder.path(), &format!("generate {args} --limit pixels=16K"));
        assert_eq!(ok, want, "{args}: {error}");
        let message =
            "error: the picture would have more than 16384 pixels; raise it with --limit pixels=N";
        assert!(want || error.starts_with(message), "{args}: {error}");
    }
    let compare = "convert large.bpk --out b.bpk --precision packed --faces 1 --compare c.png";
    let to = Op::Reshape { to: Shape::new(1, 64, 64) };
    let layers = [("a", to, Activation::Tanh)];
    write(folder.path(), "large.bpk", 4096, &layers, Facts::default());
    let (ok, _, error) = run(folder.path(), &format!("{compare} --limit pixels=65535"));
    assert!(!ok && error.contains("more than 65535 pixels"), "{error}");
    let (ok, _, error) = run(folder.path(), &format!("{compare} --limit pixels=64K"));
    assert!(ok, "{error}");
}

#[test]
fn names_in_files_do_nothing_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let facts = Facts {
        name: "evil\x1b]0;pwned\x07\nlicense         MIT".into(),
        labels: vec!["\x1b[31mred".into(), "\u{9b}2Jblue".into()],
        ..Facts::default()
    };
    let to = Op::Reshape { to: Shape::new(1, 2, 2) };
    let layers = [("fc\x1b[2J", to, Activation::Tanh)];
    write(folder.path(), "escape.bpk", 4, &layers, facts);
    let commands = [
        "inspect escape.bpk",
        "generate escape.bpk --out a.png",
        "generate escape.bpk --out a.png --count 3 -v",
        "generate escape.bpk --out a.png --label none",
        "convert escape.bpk --out b.bpk --precision int8",
        "bench escape.bpk --best --seconds 0.01",
        "generate escape.bpk --out a.png --limit arena=8",
    ];
    for command in commands {
        let (_, out, error) = run(folder.path(), command);
        let shown = |c: char| !c.is_control() || c == '\n';
        assert!(out.chars().all(shown), "{command}: {out:?}");
        assert!(error.chars().all(shown), "{command}: {error:?}");
        assert!(!out.contains("\nlicense"), "{command}: a fact is one line: {out}");
    }
    let (_, text, _) = run(folder.path(), "inspect escape.bpk");
    assert!(text.contains("name            evil\\u{1b}]0;pwned\\u{7}\\n"), "{text}");
    assert!(text.contains("\\u{1b}[31mred, \\u{9b}2Jblue"), "{text}");
    assert!(text.contains("fc\\u{1b}[2J"), "{text}");
}

#[test]
fn a_wide_layer_is_packed_and_quantized() {
    let folder = tempfile::tempdir().unwrap();
    let to = Op::Reshape { to: Shape::new(1, 256, 256) };
    let layers = [("a", Op::Activate, Activation::Tanh), ("b", to, Activation::None)];
    write(folder.path(), "wide.bpk", 65536, &layers, Facts::default());
    let (ok, _, error) = run(folder.path(), "generate wide.bpk --grid 3x3 --out a.png");
    assert!(ok, "{error}");
    let convert = "convert wide.bpk --precision int8 --faces 2 --out b.bpk";
    let (ok, _, error) = run(folder.path(), convert);
    assert!(ok, "{error}");
    let (ok, _, error) = run(folder.path(), "generate b.bpk --out b.png");
    assert!(ok, "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn streams_that_are_closed_or_full_are_no_reason_to_panic() {
    let folder = tempfile::tempdir().unwrap();
    let shell = |line: &str| {
        let output = Command::new("sh")
            .args(["-c", line])
            .env("RUNTIME", env!("CARGO_BIN_EXE_runtime"))
            .current_dir(folder.path())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let count = || std::fs::read_dir(folder.path()).unwrap().count();
    let files = |name: &str| std::fs::read_dir(folder.path().join(name)).unwrap().count();
    // The reader of standard error leaves after a line, or never was there, or has no room.
    let many = "$RUNTIME generate --count 40 -v --out";
    shell(&format!("{many} a/a.png 2>&1 >/dev/null | head -n 1"));
    assert_eq!(files("a"), 40);
    for (i, to) in ["2>/dev/full", "2>&-", ">&- 2>&-", "</dev/null >/dev/full"].iter().enumerate() {
        let (code, error) = shell(&format!("{many} {i}/a.png {to}"));
        assert_eq!(code, Some(0), "{to}: {error}");
        assert_eq!(files(&i.to_string()), 40, "{to}");
    }
    // An error is still an error.
    for to in ["2>/dev/full", "2>&-", ">&- 2>&-"] {
        assert_eq!(
            shell(&format!("$RUNTIME generate none.bpk --out b.png {to}")).0,
            Some(1),
            "{to}"
        );
    }
    let before = count();
    // What was asked for on standard output must arrive there.
    let lost = [
        ("$RUNTIME generate --out - >&-", "standard output is closed"),
        ("$RUNTIME generate --out - >/dev/full", "cannot write standard output"),
        ("$RUNTIME inspect >/dev/full", "cannot write standard output"),
    ];
    for (line, want) in lost {
        let (code, error) = shell(line);
        assert_eq!(code, Some(1), "{line}: {error}");
        assert!(error.contains(want), "{line}: {error}");
    }
    assert_eq!(shell("$RUNTIME generate --out - | true").0, Some(0));
    assert_eq!(count(), before);
}
