//! Verbs of the trainer beside `fit`, with the real program.

use std::fs;
use std::path::Path;

use tests::{root, run};

fn model(name: &str) -> String {
    root().join("models/pretrained").join(name).display().to_string()
}

/// A folder of drawn faces as PNG files.
fn faces(dir: &Path, count: &str) {
    run("trainer", dir, &["data", "--out", "faces", "--count", count, "--size", "32"]).ok();
}

#[test]
fn a_generator_is_scored() {
    let dir = tempfile::tempdir().unwrap();
    faces(dir.path(), "80");
    let tiny = model("faces-tiny-int8.bpk");
    let args = [
        "evaluate",
        &tiny,
        "--data",
        "faces",
        "--count",
        "40",
        "--out",
        "scores.json",
        "--sheet",
        "near.png",
    ];
    let text = run("trainer", dir.path(), &args).ok();
    assert!(text.contains("SWD x1000") && text.contains("ratio"), "{text}");
    let json = fs::read_to_string(dir.path().join("scores.json")).unwrap();
    let scores: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(scores["pixels"]["count"][0], 40);
    // Photographs' faces are not drawn ones: far from the floor.
    let number = |key: &str| scores["pixels"][key].as_f64().unwrap();
    assert!(number("swd") > 1.5 * number("swd_floor"), "{json}");
    assert!(dir.path().join("near.png").exists());
    // Real against real: as near as can be.
    let again = run("trainer", dir.path(), &args).ok();
    assert_eq!(again, text, "the same seeds");
}

#[test]
fn what_cannot_be_scored_is_said() {
    let dir = tempfile::tempdir().unwrap();
    faces(dir.path(), "40");
    let tiny = model("faces-tiny-int8.bpk");
    let error = |more: &[&str]| {
        let args = [&["evaluate", &tiny, "--count", "8"], more].concat();
        run("trainer", dir.path(), &args).error()
    };
    assert!(error(&[]).contains("--data is missing"));
    let onnx = model("faces-tiny.onnx");
    let wrong = error(&["--data", "faces", "--extractor", &onnx]);
    assert!(wrong.contains("not one input [n, 3, 299, 299] of floats"), "{wrong}");
    let error = run("trainer", dir.path(), &["evaluate"]).usage();
    assert!(error.contains("RUN|MODEL"), "{error}");
}

#[test]
fn walks_and_sums() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = model("faces-tiny.bpk");
    let size =
        |name: &str| image::open(dir.path().join(name)).map(|i| (i.width(), i.height())).unwrap();
    let go = |args: &[&str]| run("trainer", dir.path(), args);
    go(&["interpolate", &tiny, "--seeds", "1,2,3", "--steps", "4", "--out", "grid.png"]).ok();
    assert_eq!(size("grid.png"), (5 * 32, 2 * 32));
    go(&["interpolate", &tiny, "--seeds", "1,2", "--steps", "3", "--out", "walk.gif"]).ok();
    assert_eq!(size("walk.gif"), (32, 32));
    let text = go(&[
        "arithmetic",
        &tiny,
        "--minus=7",
        "--plus",
        "4,9",
        "--plus",
        "1",
        "--out",
        "panel.png",
    ])
    .ok();
    assert!(text.contains("- mean(7) + mean(4, 9) + mean(1)"), "{text}");
    go(&["sample", &tiny, "--grid", "3", "--out", "s.png"]).ok();
    assert_eq!(size("s.png"), (96, 96));
    let error = go(&["interpolate", &tiny, "--seeds", "1", "--out", "x.png"]).error();
    assert_eq!(error, "--seeds: two or more to walk between");
    let error = go(&["interpolate", &tiny, "--out", "x.jpg"]).error();
    assert!(error.contains("ends in neither .png nor .gif"), "{error}");
    let error = go(&["arithmetic", &tiny, "--plus", "4,x", "--out", "x.png"]).error();
    assert!(error.contains("seeds are whole numbers"), "{error}");
    let error = go(&["sample", "nothing.bpk", "--out", "x.png"]).error();
    assert!(error.contains("nothing.bpk"), "{error}");
    assert!(!dir.path().join("x.png").exists());
}

#[test]
fn data_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    faces(dir.path(), "6");
    fs::copy(dir.path().join("faces/000002.png"), dir.path().join("faces/twin.png")).unwrap();
    fs::write(dir.path().join("faces/bad.jpg"), b"no").unwrap();
    let text = run("trainer", dir.path(), &["data", "inspect", "faces", "--out", "seen"]).ok();
    for want in [
        "images        7",
        "32 x 32: 7",
        "000002.png = twin.png",
        "bad.jpg: not an image",
        "1 more than once",
    ] {
        assert!(text.contains(want), "{want} is missing in\n{text}");
    }
    assert!(
        dir.path().join("seen/mean.png").exists() && dir.path().join("seen/sheet.png").exists()
    );
    let json = run("trainer", dir.path(), &["data", "inspect", "faces", "--json"]).ok();
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(all["images"], 7);
    let error = run("trainer", dir.path(), &["data", "inspect", "nowhere"]).error();
    assert!(error.contains("nowhere: no such file or folder"), "{error}");
    let error =
        run("trainer", dir.path(), &["fit", "--data", "faces", "--crop", "40", "--out", "r"])
            .error();
    assert!(error.contains("too small for the crop 40"), "{error}");
}

#[test]
fn somebody_elses_weights_are_imported() {
    let dir = tempfile::tempdir().unwrap();
    let weights = root().join("trainer/tests/golden/nested.tar").display().to_string();
    let text = run("trainer", dir.path(), &["import", &weights, "--out", "in", "--name", "g"]).ok();
    assert!(
        text.contains("a latent of 6 values") && text.contains("kernel 4, stride 2, padding 1"),
        "{text}"
    );
    run("runtime", dir.path(), &["generate", "in/g.bpk", "--out", "face.png"]).ok();
    let list = run("trainer", dir.path(), &["import", &weights, "--list"]).ok();
    assert!(list.contains("netD_state_dict.main.0.weight"), "{list}");
    let error =
        run("trainer", dir.path(), &["import", &weights, "--key", "netD", "--out", "d"]).error();
    assert!(error.contains("is a discriminator"), "{error}");
    let error =
        run("trainer", dir.path(), &["import", &weights, "--range=-2,2", "--out", "d"]).error();
    assert!(error.contains("the last layer's values lie between -1 and 1"), "{error}");
    assert!(!dir.path().join("d").exists());
}

#[test]
fn a_run_scores_itself() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "fit",
        "--size",
        "16",
        "--ngf",
        "4",
        "--ndf",
        "4",
        "--nz",
        "8",
        "--batch",
        "16",
        "--images",
        "320",
        "--out",
        "r",
        "--set",
        "drawn=200",
        "--set",
        "log=160",
        "--set",
        "score=160",
        "--set",
        "held_out=0.2",
    ];
    let text = run("trainer", dir.path(), &args).ok();
    assert!(text.contains("held out") && text.contains("overfitting"), "{text}");
    let scores = fs::read_to_string(dir.path().join("r/scores.jsonl")).unwrap();
    assert_eq!(scores.lines().count(), 2);
    let page = fs::read_to_string(dir.path().join("r/report.html")).unwrap();
    assert!(page.contains("<h2>Scores</h2>"), "scores stand on the page");
}
