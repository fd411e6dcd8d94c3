//! What `trainer fit` says, undoes and refuses, with the real program.

use std::fs;

use tests::{names, run};

const SMALL: [&str; 14] = [
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
    "--set",
    "drawn=100",
    "--set",
    "log=160",
];

fn fit<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["fit"][..], &SMALL, more].concat()
}

#[test]
fn a_run_that_diverges_goes_back_and_then_gives_up() {
    let dir = tempfile::tempdir().unwrap();
    let args = fit(&["--images", "3200", "--out", "run"]);
    run("trainer", dir.path(), &args).ok();
    let saved = names(&dir.path().join("run/checkpoints"));
    // The same run again with a penalty no number can hold, from its start.
    let args =
        fit(&["--images", "3200", "--out", "wild", "--set", "lr=1e30", "--set", "checkpoint=160"]);
    let error = run("trainer", dir.path(), &args).error();
    assert!(error.starts_with("diverged 4 times, last before image 160 ("), "{error}");
    assert!(error.contains("D's layer 0 (conv), weight"), "{error}");
    let said = fs::read_to_string(dir.path().join("wild/verdicts.jsonl")).unwrap();
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(said.contains("steps half as long (3 of 3 tries)"), "{said}");
    // No checkpoint of what diverged was written, and the other run's are as they were.
    assert!(!dir.path().join("wild/checkpoints").exists());
    assert_eq!(names(&dir.path().join("run/checkpoints")), saved);
}

#[test]
fn a_dry_run_says_everything_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let args = fit(&["--images", "3200", "--out", "run", "--recipe", "faces", "--dry-run"]);
    let text = run("trainer", dir.path(), &args).ok();
    for want in [
        "recipe faces",
        "command line",
        "default",
        "exported int8",
        "bytes of RAM",
        "3200 images at",
    ] {
        assert!(text.contains(want), "{want} is missing in\n{text}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_run_leaves_a_page_and_events() {
    let dir = tempfile::tempdir().unwrap();
    let args = fit(&["--images", "320", "--out", "run"]);
    let text = run("trainer", dir.path(), &args).ok();
    assert!(text.contains("run/report.html"), "{text}");
    let page = fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    // Before the first step, the end, and the training images.
    assert_eq!(page.matches("data:image/jpeg;base64,").count(), 3);
    let events = names(&dir.path().join("run"));
    assert!(events.iter().any(|n| n.starts_with("events.out.tfevents.")), "{events:?}");
    run("trainer", dir.path(), &["report", "run"]).ok();
    assert_eq!(fs::read_to_string(dir.path().join("run/report.html")).unwrap(), page);
}

#[test]
fn settings_that_do_not_go_together_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (
            &["--penalty", "r1"],
            "penalty is r1: none with d_norm, which couples images: set d_norm=false",
        ),
        (
            &["--loss", "hinge", "--set", "smooth=0.1"],
            "smooth is 0.1: 0 with a loss that has no labels (bce has)",
        ),
        (&["--set", "smooth=0.7"], "smooth is 0.7: from 0 to 0.5"),
        (
            &["--set", "instance_noise=0.1"],
            "ramp is 0: the images over which instance_noise falls to 0",
        ),
        (&["--set", "augment_p=1.5"], "augment_p is 1.5: from 0 to 1"),
        (&["--gamma=-1"], "gamma is -1: 0 or more"),
        (&["--set", "beta2_end=1.0"], "beta2_end is 1: at least 0 and below 1"),
    ];
    for (flags, want) in cases {
        let error = run("trainer", dir.path(), &fit(flags)).error();
        assert_eq!(error, want);
    }
    let error = run("trainer", dir.path(), &fit(&["--augment", "blur"])).error();
    assert!(error.contains("there is no augmentation \"blur\""), "{error}");
    let error = run("trainer", dir.path(), &fit(&["--loss", "wgan"])).error();
    assert!(error.contains("wasserstein"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
