//! What `trainer fit` prints, undoes and refuses, with the real program.

use std::fs;
use std::path::Path;

use tests::{Ran, names, trainer};

const SMALL: &str =
    "--size 16 --ngf 4 --ndf 4 --nz 8 --batch 16 --set drawn=34 --set log_every=160";

fn fit(dir: &Path, more: &str) -> Ran {
    trainer(dir, &format!("fit {SMALL} {more}"))
}

#[test]
fn a_run_that_diverges_goes_back_and_then_gives_up() {
    let dir = tempfile::tempdir().unwrap();
    fit(dir.path(), "--images 160 --out run").ok();
    let saved = names(&dir.path().join("run/checkpoints"));
    // The same run from its start, with steps that no number can hold.
    let wild = "--images 3200 --out wild --lr 1e30 --set checkpoint_every=160";
    let error = fit(dir.path(), wild).error();
    assert!(error.starts_with("diverged 4 times, last before image 160 ("), "{error}");
    assert!(error.contains("D's layer 0 (conv), weight"), "{error}");
    let notes = fs::read_to_string(dir.path().join("wild/verdicts.jsonl")).unwrap();
    assert_eq!(notes.lines().count(), 3, "{notes}");
    assert!(notes.contains("half the learning rate (retry 3 of 3)"), "{notes}");
    // No checkpoint of what diverged was written, and the other run's are as they were.
    assert!(!dir.path().join("wild/checkpoints").exists());
    assert_eq!(names(&dir.path().join("run/checkpoints")), saved);
}

#[test]
fn a_dry_run_prints_everything_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let text = fit(dir.path(), "--images 3200 --out run --recipe faces --dry-run").ok();
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
    let text = fit(dir.path(), "--images 320 --out run").ok();
    assert!(text.contains("run/report.html"), "{text}");
    let page = fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    // Before the first step, the end, and the training images.
    assert_eq!(page.matches("data:image/jpeg;base64,").count(), 3);
    let events = names(&dir.path().join("run"));
    assert!(events.iter().any(|n| n.starts_with("events.out.tfevents.")), "{events:?}");
    trainer(dir.path(), "report run").ok();
    assert_eq!(fs::read_to_string(dir.path().join("run/report.html")).unwrap(), page);
}

#[test]
fn what_happens_is_printed_from_the_first_second_in_lines_that_fit() {
    let dir = tempfile::tempdir().unwrap();
    let more = "--images 320 --out run --recipe faces --set score_every=160 --set held_out=0.2";
    let text = fit(dir.path(), more).ok();
    let first: Vec<&str> = text.lines().take(3).collect();
    assert_eq!(first[0], "drawing 34 faces");
    assert!(first[2].starts_with("run run: 320 images, a line every 160"), "{first:?}");
    for line in text.lines().filter(|line| line.contains("images  ")) {
        assert!(line.len() < 120, "{} columns: {line}", line.len());
    }
}

#[test]
fn settings_that_do_not_go_together_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        (
            "--penalty r1",
            "penalty is r1: must be none with d_norm, which couples images: set d_norm=false",
        ),
        ("--loss hinge --set smooth=0.1", "smooth is 0.1: must be 0 except with bce"),
        ("--set smooth=0.7", "smooth is 0.7: must be from 0 to 0.5"),
        (
            "--set instance_noise=0.1",
            "ramp is 0: must be above 0 with instance_noise, which falls to 0 over it",
        ),
        ("--set augment_p=1.5", "augment_p is 1.5: must be from 0 to 1"),
        ("--gamma -1", "gamma is -1: must be 0 or more"),
        ("--gamma=-1", "gamma is -1: must be 0 or more"),
        ("--set beta2_end=1.0", "beta2_end is 1: must be at least 0 and below 1"),
        ("--workers many", "--workers many: workers must be a whole number, 0 or more"),
        ("--workers -5", "--workers -5: workers must be a whole number, 0 or more"),
        ("--set mqtt=1", "--set mqtt=1: there is no setting \"mqtt\""),
        ("--set bach=1", "--set bach=1: there is no setting \"bach\"; did you mean \"batch\"?"),
    ];
    for (flags, want) in cases {
        assert_eq!(fit(dir.path(), flags).error(), want);
    }
    let error = fit(dir.path(), "--augment blur").error();
    assert!(error.contains("there is no augmentation \"blur\""), "{error}");
    let error = fit(dir.path(), "--loss wgan").error();
    assert!(error.contains("wasserstein"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_run_is_not_cut_short() {
    let dir = tempfile::tempdir().unwrap();
    fit(dir.path(), "--images 320 --out run").ok();
    let options = fs::read_to_string(dir.path().join("run/options.json")).unwrap();
    let error = trainer(dir.path(), "fit --out run --images 160").error();
    assert!(error.contains("has seen 320 images and --images asks for 160"), "{error}");
    assert!(error.contains("trainer export run"), "{error}");
    let after = fs::read_to_string(dir.path().join("run/options.json")).unwrap();
    assert_eq!(options, after, "nothing is stored");
    // Its own length is no fewer.
    trainer(dir.path(), "fit --out run --images 320").ok();
}

#[test]
fn folders_of_other_things_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("photos")).unwrap();
    fs::write(dir.path().join("photos/a.txt"), "mine").unwrap();
    let error = fit(dir.path(), "--images 160 --out photos").error();
    assert!(error.contains("photos holds a.txt but no run"), "{error}");
    assert_eq!(names(&dir.path().join("photos")), ["a.txt"]);
    // An empty folder will do.
    fs::create_dir(dir.path().join("empty")).unwrap();
    fit(dir.path(), "--images 160 --out empty").ok();
    let before = names(&dir.path().join("empty"));
    for line in ["data draw --out empty --count 4", "data show photos --out empty"] {
        let error = trainer(dir.path(), line).error();
        assert!(error.contains("empty is the folder of a run"), "{error}");
    }
    assert_eq!(names(&dir.path().join("empty")), before);
}

#[test]
fn gray_images_train_one_channel_unless_asked_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let draw = "data draw --out gray --count 20 --size 16 --channels 1";
    trainer(dir.path(), draw).ok();
    let channels = |run: &str| {
        let options = fs::read_to_string(dir.path().join(run).join("options.json")).unwrap();
        let options: serde_json::Value = serde_json::from_str(&options).unwrap();
        options["channels"].as_i64().unwrap()
    };
    let text = fit(dir.path(), "--data gray --recipe small-data --images 16 --out one").ok();
    assert!(text.contains("all images are gray: training one channel"), "{text}");
    assert_eq!(channels("one"), 1);
    let text = trainer(dir.path(), "fit --out one --images 32").ok();
    assert!(text.contains("resuming from 16 images"), "{text}");
    fit(dir.path(), "--data gray --channels 3 --images 16 --out three").ok();
    assert_eq!(channels("three"), 3);
    fit(dir.path(), "--images 16 --out color").ok();
    assert_eq!(channels("color"), 3);
}
