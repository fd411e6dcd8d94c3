//! Verbs of the trainer beside `fit`, with the real program.

use std::fs;
use std::path::Path;

use tests::{root, run, trainer};

fn model(name: &str) -> String {
    root().join("models/pretrained").join(name).display().to_string()
}

/// A folder of drawn faces as PNG files.
fn faces(dir: &Path, count: usize) {
    trainer(dir, &format!("data draw --out faces --count {count} --size 32")).ok();
}

#[test]
fn a_generator_is_scored() {
    let dir = tempfile::tempdir().unwrap();
    faces(dir.path(), 40);
    let tiny = model("faces-tiny-int8.bpk");
    let line =
        format!("evaluate {tiny} --data faces --count 20 --out scores.json --sheet near.png");
    let text = trainer(dir.path(), &line).ok();
    assert!(text.contains("SWD x1000") && text.contains("ratio"), "{text}");
    let json = fs::read_to_string(dir.path().join("scores.json")).unwrap();
    let scores: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(scores["pixels"]["count"][0], 20);
    // Photographs' faces are not drawn ones: far from the floor.
    let number = |key: &str| scores["pixels"][key].as_f64().unwrap();
    assert!(number("swd") > 1.5 * number("swd_floor"), "{json}");
    assert!(dir.path().join("near.png").exists());
    // Real against real: as near as can be.
    let again = trainer(dir.path(), &line).ok();
    assert_eq!(again, text, "the same seeds");
}

#[test]
fn what_cannot_be_scored_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    faces(dir.path(), 40);
    let tiny = model("faces-tiny-int8.bpk");
    let error =
        |more: &str| trainer(dir.path(), &format!("evaluate {tiny} --count 8 {more}")).error();
    assert!(error("").contains("--data is missing"));
    let onnx = model("faces-tiny.onnx");
    let wrong = error(&format!("--data faces --extractor {onnx}"));
    assert!(wrong.contains("not one input [n, 3, 299, 299] of floats"), "{wrong}");
    let error = trainer(dir.path(), "evaluate").usage();
    assert!(error.contains("RUN|MODEL"), "{error}");
}

#[test]
fn walks_and_sums() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = model("faces-tiny.bpk");
    let size =
        |name: &str| codecs::open(dir.path().join(name)).map(|i| (i.width(), i.height())).unwrap();
    let go = |line: &str| trainer(dir.path(), &line.replace("TINY", &tiny));
    go("interpolate TINY --seeds 1,2,3 --steps 4 --out grid.png").ok();
    assert_eq!(size("grid.png"), (5 * 32, 2 * 32));
    go("interpolate TINY --seeds 1,2 --steps 3 --out walk.gif").ok();
    assert_eq!(size("walk.gif"), (32, 32));
    let text = go("arithmetic TINY --minus=7 --plus 4,9 --plus 1 --out sum.png").ok();
    assert!(text.contains("- mean(7) + mean(4, 9) + mean(1)"), "{text}");
    go("sample TINY --grid 3x4 --out s.png").ok();
    assert_eq!(size("s.png"), (128, 96));
    let error = go("interpolate TINY --seeds 1 --out x.png").error();
    assert_eq!(error, "--seeds: at least two to walk between");
    let error = go("interpolate TINY --out x.jpg").error();
    assert!(error.contains("a walk is written to .png or .gif"), "{error}");
    let error = go("arithmetic TINY --plus 4,x --out x.png").usage();
    assert!(error.contains("whole numbers separated by commas"), "{error}");
    let error = go("sample nothing.bpk --out x.png").error();
    assert!(error.contains("nothing.bpk"), "{error}");
    let error = go("sample TINY --seed 18446744073709551615 --out x.png").error();
    assert!(error.contains("go beyond 18446744073709551615"), "{error}");
    assert!(!dir.path().join("x.png").exists());
}

#[test]
fn a_value_that_does_not_work_names_one_that_does() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("sample x --out y.png --grid 8", "ROWSxCOLUMNS such as 4x6"),
        ("sample x --out y.png --seed -1", "a whole number from 0 to 18446744073709551615"),
        ("data draw --out x --count many", "a whole number from 1 to 1000000"),
        ("data draw --out x --count 0", "a whole number from 1 to 1000000"),
        ("bench --threads -1", "a whole number from 0 to 1024"),
        ("arithmetic x --plus 1 --out y.png --noise -1", "a number, 0 or more"),
        ("import x --range 1", "two numbers, black below white, such as -1,1"),
        ("evaluate x --mean 1,2", "one number or three, such as 0.485,0.456,0.406"),
        ("fit --device cuda", ""),
    ];
    for (line, want) in cases {
        let ran = trainer(dir.path(), line);
        assert_ne!(ran.code, Some(0), "{line}");
        assert!(ran.err.contains(want), "{line}: {}", ran.err);
        assert!(
            !ran.err.contains("invalid digit") && !ran.err.contains("unexpected"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn help_is_short_or_long_and_completions_and_a_man_page_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let help = |line: &str| trainer(dir.path(), line).ok();
    let all = help("--help");
    for heading in ["Training:", "Generators:", "Autoencoders:", "Files:", "Options:"] {
        assert!(all.contains(&format!("{heading}\n")), "{heading} is missing in\n{all}");
    }
    assert!(!all.contains("completions"), "{all}");
    let (short, long) = (help("fit -h"), help("fit --help"));
    assert!(!short.contains("Examples:") && long.contains("Examples:"));
    assert!(short.lines().count() < long.lines().count());
    assert!(help("--version").starts_with("trainer 0."));
    assert!(help("completions bash").contains("complete -F _trainer"));
    let man = help("man");
    for verb in ["fit", "data", "restore"] {
        assert!(man.contains(&format!("trainer\\-{verb}")), "{verb}");
    }
}

#[test]
fn a_few_images_of_a_folder_are_spread_over_it() {
    let dir = tempfile::tempdir().unwrap();
    // Four people of eight pictures each, in order.
    for person in 0..4u8 {
        for i in 0..8u8 {
            let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([person * 60, i, 9]));
            let folder = dir.path().join(format!("people/{person}"));
            fs::create_dir_all(&folder).unwrap();
            picture.save(folder.join(format!("{i}.png"))).unwrap();
        }
    }
    let text = trainer(dir.path(), "data show people --out some --count 4 --size 8").ok();
    assert_eq!(text.lines().last(), Some("wrote 4 images to some"));
    let people: Vec<u8> = (0..4)
        .map(|i| codecs::open(dir.path().join(format!("some/{i:06}.png"))).unwrap().into_rgb8())
        .map(|picture| picture.get_pixel(0, 0)[0] / 60)
        .collect();
    assert_eq!(people, [0, 1, 2, 3]);
}

#[test]
fn data_is_inspected() {
    let dir = tempfile::tempdir().unwrap();
    faces(dir.path(), 6);
    fs::copy(dir.path().join("faces/000002.png"), dir.path().join("faces/twin.png")).unwrap();
    fs::write(dir.path().join("faces/bad.jpg"), b"no").unwrap();
    let text = trainer(dir.path(), "data inspect faces --out seen").ok();
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
    let json = trainer(dir.path(), "data inspect faces --json").ok();
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(all["images"], 7);
    let error = trainer(dir.path(), "data inspect nowhere").error();
    assert!(error.contains("nowhere: no such file or folder"), "{error}");
    let error = trainer(dir.path(), "fit --data faces --crop 40 --out r").error();
    assert!(error.contains("too small for the crop 40"), "{error}");
}

#[test]
fn data_is_used_as_it_is_downloaded() {
    let dir = tempfile::tempdir().unwrap();
    // A picture of each letter whose rows are its number: transposed, its columns are.
    let row = |letter: usize, n: usize| {
        let pixels = (0..64).map(|i| (20 * letter + 20 * (i / 8) + n).to_string());
        format!("{letter},{}\n", pixels.collect::<Vec<_>>().join(","))
    };
    let rows = |count| (0..count).map(|n| row(1 + n % 3, n)).collect::<String>();
    fs::create_dir(dir.path().join("set")).unwrap();
    fs::write(dir.path().join("set/emnist-letters-test.csv"), rows(3)).unwrap();
    fs::write(dir.path().join("set/emnist-letters-train.csv"), rows(24)).unwrap();
    let text = trainer(dir.path(), "data inspect set").ok();
    for want in ["images        24", "classes       1 8, 2 8, 3 8", "--transpose"] {
        assert!(text.contains(want), "{want} is missing in\n{text}");
    }
    let text = trainer(dir.path(), "data show set --transpose --size 8 --count 1 --out a.png").ok();
    assert!(!text.contains("--transpose"), "{text}");
    let picture = codecs::open(dir.path().join("a.png")).unwrap().into_luma8();
    assert_eq!([picture.get_pixel(0, 0)[0], picture.get_pixel(7, 0)[0]], [20, 160]);
    let line = "fit --data set --transpose --recipe cgan-mnist --batch 8 --images 16 --size 16 \
                --set log_every=16 --out run";
    trainer(dir.path(), line).ok();
    let options = fs::read_to_string(dir.path().join("run/options.json")).unwrap();
    assert!(options.contains("\"transpose\": true"), "{options}");
    assert!(options.contains("\"3\""), "{options}");
    let error = trainer(dir.path(), "data inspect run/export/generator.onnx").error();
    assert!(error.contains("an ONNX model, not images"), "{error}");
}

#[test]
fn somebody_elses_weights_are_imported() {
    let dir = tempfile::tempdir().unwrap();
    let weights = root().join("trainer/tests/golden/nested.tar").display().to_string();
    let import = |more: &str| trainer(dir.path(), &format!("import {weights} {more}"));
    let text = import("--out in --name g").ok();
    assert!(
        text.contains("latent of 6 values")
            && text.contains("conv_transpose stride=2 padding=1")
            && text.contains("(the DCGAN tutorial)"),
        "{text}"
    );
    run("runtime", dir.path(), &["generate", "in/g.bpk", "--out", "face.png"]).ok();
    let list = import("--list").ok();
    assert!(list.contains("netD_state_dict.main.0.weight"), "{list}");
    let error = import("--key netD --out d").error();
    assert!(error.contains("is a discriminator"), "{error}");
    let error = import("--range -2,2 --out d").error();
    assert!(error.contains("the last layer's values lie between -1 and 1"), "{error}");
    assert!(!dir.path().join("d").exists());
}

#[test]
fn a_run_scores_itself() {
    let dir = tempfile::tempdir().unwrap();
    let small = "--size 16 --ngf 4 --ndf 4 --nz 8 --batch 16 --images 64 --set drawn=40";
    let scores = "--set log_every=32 --set score_every=32 --set held_out=0.2";
    let text = trainer(dir.path(), &format!("fit {small} {scores} --out r")).ok();
    assert!(text.contains("held out") && text.contains("overfitting"), "{text}");
    let scores = fs::read_to_string(dir.path().join("r/scores.jsonl")).unwrap();
    assert_eq!(scores.lines().count(), 2);
    let page = fs::read_to_string(dir.path().join("r/report.html")).unwrap();
    assert!(page.contains("<h2>Scores</h2>"), "scores are on the page");
}
