//! Images from images with the real programs: every form of pairs, resuming bit for bit, what
//! training writes, that the exports translate, and what bad input gets.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma, RgbImage, imageops};
use tests::{Ran, names, run, trainer};

const SMALL: &str = "--recipe pix2pix --size 32 --ngf 2 --ndf 2 --workers 1 --set drawn=24 \
                     --set log_every=40 --set grid_every=40 --set checkpoint_every=40";

fn fit(dir: &Path, more: &str) -> Ran {
    trainer(dir, &format!("fit {SMALL} {more}"))
}

/// A run that was cut in two is the same run.
fn cut_in_two(more: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fit(dir, &format!("{more} --images 40 --out whole")).ok();
    fit(dir, &format!("{more} --images 20 --out halves")).ok();
    fit(dir, &format!("{more} --images 40 --out halves")).ok();
    let record = |run: &str| fs::read(dir.join(run).join("export/generator.bpk")).unwrap();
    assert!(record("whole") == record("halves"), "{more}");
}

#[test]
fn a_run_that_was_cut_in_two_is_the_same_run() {
    cut_in_two("");
}

#[test]
fn so_is_one_with_residual_blocks_on_masked_images() {
    cut_in_two("--set network=resnet --set blocks=1 --pair mask --loss rpgan");
}

#[test]
fn a_run_shows_pairs_scores_held_out_ones_and_its_export_translates() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let dry = fit(dir, "--dry-run").ok();
    for want in ["pix2pix", "discriminator", "exported int8", "bytes of RAM"] {
        assert!(dry.contains(want), "{want} is missing in\n{dry}");
    }
    assert!(names(dir).is_empty(), "a dry run writes nothing");

    let text = fit(dir, "--images 80 --set held_out=0.2 --out run").ok();
    for want in
        ["drawn faces and their line drawings", "D(G(a))", "held out: l1", "edges_of_others"]
    {
        assert!(text.contains(want), "{want} is missing in\n{text}");
    }
    assert!(text.contains("runtime translate"), "{text}");
    let files = names(&dir.join("run"));
    for want in ["translated-000000080.png", "fakes-000000080.png", "fakes_init.png", "reals.png"] {
        assert!(files.iter().any(|f| f == want), "{want} is not among {files:?}");
    }
    let scores = fs::read_to_string(dir.join("run/scores.jsonl")).unwrap();
    let last = scores.lines().last().unwrap();
    for key in ["\"l1\"", "\"psnr\"", "\"ssim\"", "\"edges\""] {
        assert!(last.contains(key), "{last}");
    }
    assert!(dir.join("run/report.html").exists());

    trainer(dir, "data draw --lines --out lines --count 3 --size 32 --channels 1").ok();
    let model = "run/export/generator.bpk";
    run("runtime", dir, &["translate", model, "lines", "--out", "faces"]).ok();
    assert_eq!(names(&dir.join("faces")), names(&dir.join("lines")));
    let face = codecs::open(dir.join("faces/000001.png")).unwrap();
    assert_eq!((face.width(), face.height()), (32, 32));
    let onnx = ["translate", "run/export/generator.onnx", "lines/000001.png", "--out", "again.png"];
    run("runtime", dir, &onnx).ok();
    let again = codecs::open(dir.join("again.png")).unwrap().into_rgb8();
    let furthest = face.into_rgb8().iter().zip(again.iter()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(furthest <= Some(1), "{furthest:?}");
    trainer(dir, "export run --out other").ok();
    assert_eq!(
        fs::read(dir.join(model)).unwrap(),
        fs::read(dir.join("other/generator.bpk")).unwrap()
    );

    for verb in
        ["sample run --out x.png", "reconstruct run", "interpolate run --out x.png --seeds 1,2"]
    {
        let error = trainer(dir, verb).error();
        assert!(error.contains("runtime translate run/export/generator.bpk"), "{verb}: {error}");
    }
}

/// Writes 12 drawn faces of 32 pixels as `b/NUMBER.png`, their inverse in gray as `a/NUMBER.jpg`
/// would be lossy, so as `a/NUMBER.bmp`, and both side by side.
fn pairs(dir: &Path) {
    trainer(dir, "data draw --out b --count 12 --size 32").ok();
    for folder in ["a", "left", "right"] {
        fs::create_dir(dir.join(folder)).unwrap();
    }
    for name in names(&dir.join("b")) {
        let target = codecs::open(dir.join("b").join(&name)).unwrap().into_rgb8();
        let input = RgbImage::from_fn(32, 32, |x, y| {
            let [r, g, b] = target.get_pixel(x, y).0;
            image::Rgb([255 - g, 255 - b, 255 - r])
        });
        input.save(dir.join("a").join(&name).with_extension("bmp")).unwrap();
        let beside = |left: &RgbImage, right: &RgbImage| {
            let mut both = RgbImage::new(64, 32);
            imageops::replace(&mut both, left, 0, 0);
            imageops::replace(&mut both, right, 32, 0);
            both
        };
        beside(&input, &target).save(dir.join("left").join(&name)).unwrap();
        beside(&target, &input).save(dir.join("right").join(&name)).unwrap();
    }
}

#[test]
fn every_form_of_the_same_pairs_trains_the_same_network() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    pairs(dir);
    let more = "--images 40 --set held_out=0";
    for (out, data) in [
        ("r1", "--data b --data-a a"),
        ("r2", "--data left --pair left"),
        ("r3", "--data right --pair right"),
    ] {
        fit(dir, &format!("{data} {more} --out {out}")).ok();
    }
    let sheet = |run: &str| fs::read(dir.join(run).join("translated-000000040.png")).unwrap();
    assert!(sheet("r1") == sheet("r2"), "folders and halves");
    assert!(sheet("r1") == sheet("r3"), "folders and swapped halves");
    // The first row has inputs, the last targets.
    let image = codecs::decode(&sheet("r1")).unwrap().into_rgb8();
    let cell = |row: u32| imageops::crop_imm(&image, 0, row * 32, 32, 32).to_image();
    let saved = |path: &str| codecs::open(dir.join(path)).unwrap().into_rgb8();
    assert_eq!(cell(0), saved("a/000000.bmp"));
    assert_eq!(cell(2), saved("b/000000.png"));
}

#[test]
fn inputs_can_be_made_from_any_folder() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    trainer(dir, "data draw --out b --count 12 --size 40").ok();
    for pair in ["edges", "gray", "blur", "mask"] {
        let out = format!("run-{pair}");
        fit(dir, &format!("--data b --pair {pair} --images 8 --set held_out=0 --out {out}")).ok();
        trainer(dir, &format!("data show b --pair {pair} --size 32 --out in-{pair}")).ok();
        let model = format!("{out}/export/generator.bpk");
        let input = format!("in-{pair}/000003.png");
        run("runtime", dir, &["translate", &model, &input, "--out", "out.png"]).ok();
        // The run's own sheet has the same input.
        let sheet = dir.join(&out).join("translated-000000008.png");
        let sheet = codecs::open(sheet).unwrap().into_rgb8();
        let cell = imageops::crop_imm(&sheet, 3 * 32, 0, 32, 32).to_image();
        assert_eq!(cell, codecs::open(dir.join(&input)).unwrap().into_rgb8(), "{pair}");
    }
    let lines = codecs::open(dir.join("in-edges/000000.png")).unwrap().into_luma8();
    assert!(lines.iter().all(|v| [0, 255].contains(v)));
}

#[test]
fn pairs_that_do_not_match_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    pairs(dir);
    fs::remove_file(dir.join("a/000003.bmp")).unwrap();
    fs::remove_file(dir.join("a/000011.bmp")).unwrap();
    fs::remove_file(dir.join("b/000005.png")).unwrap();
    let error = fit(dir, "--data b --data-a a --out run").error();
    let want = "inputs and targets are paired by name, without the extension; only a has 000005.bmp: \
                add them to b or remove them; only b has 000003.png, 000011.png: add them to a or \
                remove them";
    assert_eq!(error, want);

    fs::copy(dir.join("a/000000.bmp"), dir.join("a/000000.png")).unwrap();
    let error = fit(dir, "--data b --data-a a --out run").error();
    assert!(error.contains("000000.bmp and 000000.png"), "{error}");
    assert!(!dir.join("run").exists(), "nothing half-made");

    // One that cannot be decoded takes its partner with it.
    for name in ["a/000000.png", "a/000005.bmp", "b/000003.png", "b/000011.png"] {
        fs::remove_file(dir.join(name)).unwrap();
    }
    fs::write(dir.join("a/000007.bmp"), "BM").unwrap();
    let text = fit(dir, "--data b --data-a a --images 8 --set held_out=0 --out run").ok();
    assert!(text.contains("8 pairs") && text.contains("skipped a/000007.bmp"), "{text}");
}

#[test]
fn images_that_hold_no_pair_are_errors_that_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let save = |folder: &str, [w, h]: [u32; 2]| {
        fs::create_dir_all(dir.join(folder)).unwrap();
        for i in 0..3u8 {
            let image = GrayImage::from_fn(w, h, |x, _| Luma([(x as u8).wrapping_mul(i + 3)]));
            image.save(dir.join(folder).join(format!("{i}.png"))).unwrap();
        }
    };
    save("odd", [65, 32]);
    let error = fit(dir, "--data odd --out run").error();
    assert!(error.contains("65 x 32") && error.contains("crop it by one column"), "{error}");
    save("photos", [48, 32]);
    let error = fit(dir, "--data photos --out run").error();
    assert!(error.contains("48 x 32 does not hold two squares"), "{error}");
    assert!(error.contains("--data-a") && error.contains("--pair edges"), "{error}");

    let cases = [
        ("--data-a photos", "data_a is given: must be given together with data, the targets"),
        (
            "--data photos --data-a photos --pair edges",
            "pair is edges: must be left out with data_a, which has the inputs",
        ),
        ("--pair edge", "there is no pair \"edge\": must be one of left, right, edges"),
        (
            "--set size=48",
            "size is 48: must be 32, 64, 128 or 256 for the networks unet and resnet",
        ),
        (
            "--loss wasserstein",
            "loss is wasserstein: must be bce, hinge, lsgan or rpgan for pix2pix",
        ),
        ("--penalty r1", "objective is pix2pix"),
        ("--set network=dcgan", "network is dcgan: must be unet or resnet for pix2pix"),
        ("--set blocks=40", "blocks is 40"),
        ("--set draw=digits", "drawn digits, which have no line drawings"),
    ];
    for (more, want) in cases {
        let error = fit(dir, &format!("{more} --out run")).error();
        assert!(error.contains(want), "{more}: {error}");
    }
    let error = trainer(dir, "fit --data photos --pair edges --out run").error();
    assert!(error.contains("pix2pix for data_a and pair"), "{error}");
    let error = trainer(dir, "fit --set network=unet --out run").error();
    assert!(error.contains("dcgan or mlp except for pix2pix"), "{error}");
    assert!(!dir.join("run").exists(), "nothing half-made");
}
