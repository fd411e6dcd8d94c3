//! Two sets without pairs with the real programs: resuming bit for bit, what training writes, that
//! both ways are exported and translate, and what bad input gets.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use tests::{Ran, names, run, trainer};

const SMALL: &str = "--recipe cyclegan --size 32 --ngf 2 --ndf 2 --workers 1 --set drawn=20 --set blocks=1 \
                     --set pool=6 --set log_every=8 --set grid_every=8 --set checkpoint_every=8";

fn fit(dir: &Path, more: &str) -> Ran {
    trainer(dir, &format!("fit {SMALL} {more}"))
}

#[test]
fn a_run_that_was_cut_in_two_is_the_same_run_and_shows_scores_and_exports_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let dry = fit(dir, "--dry-run").ok();
    for want in ["cyclegan", "directions       2", "exported int8"] {
        assert!(dry.contains(want), "{want} is missing in\n{dry}");
    }
    assert!(names(dir).is_empty(), "a dry run writes nothing");

    // The first stretch ends with full pools, which decide what the next one trains D on.
    let more = "--set held_out=0.25 --set jitter=3";
    let text = fit(dir, &format!("{more} --images 16 --out whole")).ok();
    fit(dir, &format!("{more} --images 8 --out halves")).ok();
    fit(dir, &format!("{more} --images 16 --out halves")).ok();
    for file in ["a-to-b.bpk", "b-to-a.bpk"] {
        let record = |run: &str| fs::read(dir.join(run).join("export").join(file)).unwrap();
        assert!(record("whole") == record("halves"), "{file}");
    }
    let rows = |run: &str| fs::read_to_string(dir.join(run).join("scores.jsonl")).unwrap();
    assert_eq!(rows("whole"), rows("halves"));

    for want in ["20 drawn faces,", "20 drawn faces in winter,", "D(G(x))", "held out: cycle_a"] {
        assert!(text.contains(want), "{want} is missing in\n{text}");
    }
    let files = names(&dir.join("whole"));
    for want in ["translated-000000016.png", "fakes-000000016.png", "reals.png", "report.html"] {
        assert!(files.iter().any(|f| f == want), "{want} is not among {files:?}");
    }
    let scores = fs::read_to_string(dir.join("whole/scores.jsonl")).unwrap();
    let last = scores.lines().last().unwrap();
    for key in ["\"cycle_a\"", "\"cycle_b\"", "\"swd_to_a\"", "\"swd_to_b\"", "\"edges\""] {
        assert!(last.contains(key), "{last}");
    }

    trainer(dir, "data draw --winter --out winter --count 2 --size 32").ok();
    for (way, from, to) in [("a-to-b", "drawn", "winter"), ("b-to-a", "winter", "drawn")] {
        let model = format!("whole/export/{way}.bpk");
        let facts = run("runtime", dir, &["inspect", &model]).ok();
        assert!(facts.contains(&format!("{from}-to-{to}")), "{facts}");
        run("runtime", dir, &["translate", &model, "winter", "--out", way]).ok();
        let onnx = format!("whole/export/{way}.onnx");
        let again = ["translate", &onnx, "winter/000001.png", "--out", "again.png"];
        run("runtime", dir, &again).ok();
        let open = |path: &Path| codecs::open(dir.join(path)).unwrap().into_rgb8();
        let (a, b) = (open(&Path::new(way).join("000001.png")), open(Path::new("again.png")));
        let furthest = a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest <= Some(1), "{furthest:?}");
    }
    trainer(dir, "export whole --out other --name x").ok();
    assert_eq!(
        names(&dir.join("other")),
        ["x-a-to-b.bpk", "x-a-to-b.onnx", "x-b-to-a.bpk", "x-b-to-a.onnx"]
    );
    let error = trainer(dir, "sample whole --out x.png").error();
    assert!(error.contains("runtime translate whole/export/a-to-b.bpk"), "{error}");
}

#[test]
fn two_folders_need_neither_pairs_nor_one_length_and_bad_ones_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    trainer(dir, "data draw --out a --count 9 --size 32").ok();
    trainer(dir, "data draw --winter --out b --count 5 --size 40 --seed 50").ok();
    fs::create_dir(dir.join("gray")).unwrap();
    fs::create_dir(dir.join("few")).unwrap();
    for i in 0..4u8 {
        let shade = RgbImage::from_fn(32, 32, |x, y| Rgb([(x as u8 * 3) ^ (y as u8 + i * 40); 3]));
        shade.save(dir.join(format!("gray/{i}.png"))).unwrap();
    }
    fs::copy(dir.join("b/000000.png"), dir.join("few/one.png")).unwrap();

    let cases = [
        ("--data a", "data_b is missing: must be given for cyclegan"),
        ("--data-b b", "data_b is given: must be given together with data, the first set"),
        ("--data a --data-b a", "data_b is a: must be another set than data"),
        ("--data a --data-b nowhere", "nowhere"),
        ("--data a --data-b few", "batch is 2 for 1 image in data_b"),
        (
            "--data a --data-b gray",
            "the images of data_b are gray and those of data have colors: give --channels 3 to train \
             both in color, or --channels 1 to train both in gray",
        ),
        ("--data a --data-b b --data-a b", "pix2pix for data_a and pair"),
        ("--data a --data-b b --pair edges", "pix2pix for data_a and pair"),
        ("--data a --data-b b --loss wasserstein", "must be bce, hinge, lsgan or rpgan"),
        ("--set draw=digits", "draw is digits: must be faces for cyclegan"),
        ("--set network=dcgan", "must be unet or resnet for pix2pix and cyclegan"),
        ("--set jitter=33", "jitter is 33: must be at most the size"),
    ];
    for (more, want) in cases {
        let error = fit(dir, &format!("{more} --set held_out=0 --out run")).error();
        assert!(error.contains(want), "{more}: {error}");
    }
    for (more, want) in [
        ("--data a --data-b b", "cyclegan for data_b"),
        ("--set jitter=3", "jitter is 3: must be 0 except for pix2pix and cyclegan"),
        ("--loss lsgan", "loss is lsgan: must be bce, hinge, rpgan or wasserstein"),
    ] {
        let error = trainer(dir, &format!("fit {more} --out run")).error();
        assert!(error.contains(want), "{more}: {error}");
    }
    let gray = "fit --recipe pix2pix --size 32 --data gray --pair gray --set batch=2 --out run";
    let error = trainer(dir, gray).error();
    assert!(error.contains("all images are gray: pair is gray"), "{error}");
    assert!(!dir.join("run").exists(), "nothing half-made");

    let text = fit(dir, "--data a --data-b b --images 4 --set held_out=0 --out run").ok();
    assert!(text.contains("9 images from a") && text.contains("5 images from b"), "{text}");
    // Nine images of A and five of B, from one sheet.
    let sheet = codecs::open(dir.join("run/translated-000000004.png")).unwrap().into_rgb8();
    assert_eq!(sheet.dimensions(), (8 * 32, (2 + 1) * 3 * 32));
    let cell = imageops::crop_imm(&sheet, 32, 0, 32, 32).to_image();
    assert_eq!(cell, codecs::open(dir.join("a/000001.png")).unwrap().into_rgb8());
    // Both in gray, as was asked for.
    fit(dir, "--data a --data-b gray --channels 1 --images 4 --set held_out=0 --out gray-run").ok();
    let reals = codecs::open(dir.join("gray-run/reals.png")).unwrap();
    assert!(!reals.color().has_color());
}
