//! The networks beside the DCGAN, with the real programs and a few seconds each: what training
//! writes, that it resumes bit for bit, that its exports run, and what bad input gets.

use std::fs;
use std::path::Path;

use runtime::npy::Array;
use tests::{names, run, trainer};

/// The smallest run of a recipe on drawn digits, to `out`.
fn fit(dir: &Path, recipe: &str, out: &str, more: &str) -> String {
    let small = "--batch 8 --ngf 4 --ndf 4 --set drawn=24 --set log_every=40 \
                 --set checkpoint_every=40 --workers 1";
    trainer(dir, &format!("fit --recipe {recipe} --out {out} {small} {more}")).ok()
}

/// The size of a PNG.
fn size(path: &Path) -> (u32, u32) {
    image::image_dimensions(path).unwrap()
}

/// A test for each recipe of the family, with the options that make its run small.
macro_rules! a_run_that_was_cut_in_two_is_the_same_run {
    ($($name:ident: $recipe:literal $more:literal)+) => {
        mod a_run_that_was_cut_in_two_is_the_same_run {
            $(
                #[test]
                fn $name() {
                    super::cut_in_two($recipe, $more);
                }
            )+
        }
    };
}

a_run_that_was_cut_in_two_is_the_same_run! {
    cgan: "cgan-mnist" ""
    cgan_conv: "cgan-mnist-conv" "--size 16"
    autoencoder: "autoencoder" "--set hidden=[16,8]"
    denoising: "denoising-autoencoder" "--set hidden=[16] --nz 8"
    vae: "vae" "--set hidden=[16]"
    vae_conv: "vae-conv" "--size 16 --nz 4"
}

fn cut_in_two(recipe: &str, more: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fit(dir, recipe, "whole", &format!("{more} --epochs 2"));
    fit(dir, recipe, "halves", &format!("{more} --epochs 1"));
    fit(dir, recipe, "halves", &format!("{more} --epochs 2"));
    let record = |run: &str| fs::read(dir.join(run).join("export/generator.bpk")).unwrap();
    assert!(record("whole") == record("halves"), "{recipe}");
}

#[test]
fn a_conditional_run_shows_its_classes_and_its_generator_takes_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fit(dir, "cgan-mnist", "run", "--epochs 2");
    let sheet = dir.join("run/fake_images_epoch_0002.png");
    assert_eq!(size(&sheet), (280, 280), "ten of each of ten classes");
    let bytes = fs::read(dir.join("run/d_outputs_epoch_0002.npy")).unwrap();
    assert_eq!(Array::parse(&bytes).unwrap().shape, [10, 10]);

    let model = "run/export/generator.bpk";
    let about = run("runtime", dir, &["inspect", model]).ok();
    assert!(about.contains("0, 1, 2, 3, 4, 5, 6, 7, 8, 9"), "{about}");
    assert!(about.contains("110 values"), "{about}");

    let generate = |out: &str, more: &[&str]| {
        let args = [&["generate", model, "--out", out], more].concat();
        run("runtime", dir, &args)
    };
    generate("seven.png", &["--label", "7", "--seed", "3"]).ok();
    let done = generate("turn.png", &["--seed", "17"]);
    assert!(done.err.contains("label 7"), "{}", done.err);
    generate("rows.png", &["--grid", "10x10"]).ok();
    assert_eq!(size(&dir.join("rows.png")), (280, 280));
    let read = |path: &str| codecs::open(dir.join(path)).unwrap().into_luma8();
    let (seven, rows) = (read("seven.png"), read("rows.png"));
    // Row 7, column 3 is the same face: the seed counts along a row.
    let cell = image::imageops::crop_imm(&rows, 3 * 28, 7 * 28, 28, 28).to_image();
    assert_eq!(seven, cell);
    // And so it is in the trainer's own sheet.
    let convert = ["convert", model, "--precision", "int8", "--faces", "16", "--out", "small.bpk"];
    run("runtime", dir, &convert).ok();
    let small = ["generate", "small.bpk", "--label", "2", "--out", "small.png"];
    run("runtime", dir, &small).ok();

    let wrong = generate("x.png", &["--label", "ten"]).error();
    assert_eq!(wrong, "--label ten: the model's labels are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
    let face = run("runtime", dir, &["generate", "--label", "1", "--out", "x.png"]).error();
    assert!(face.contains("not conditional"), "{face}");
    assert!(!dir.join("x.png").exists());

    // A latent without its class takes one; with it, it says so itself.
    let saved = ["--label", "7", "--seed", "3", "--save-latent", "z.npy"];
    generate("again.png", &saved).ok();
    generate("from.png", &["--latent", "z.npy"]).ok();
    assert_eq!(read("from.png"), seven);
}

#[test]
fn an_autoencoder_shows_reconstructions_and_where_codes_lie() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let text = fit(dir, "autoencoder", "run", "--epochs 2 --set hidden=[16,8]");
    assert!(text.contains("held out: mse"), "{text}");
    let files = names(&dir.join("run"));
    for want in ["reconstructions_epoch_0002.png", "codes_epoch_0002.png", "codes.html"] {
        assert!(files.iter().any(|f| f == want), "{want} is not among {files:?}");
    }
    assert_eq!(size(&dir.join("run/codes_epoch_0002.png")), (960, 480), "two views");
    trainer(dir, "data draw --out digits --count 30 --size 28 --channels 1").ok();
    let line = "reconstruct run --data digits --out rec.png --codes codes.png";
    let text = trainer(dir, line).ok();
    assert!(text.contains("30 images: mse"), "{text}");
    assert_eq!(size(&dir.join("rec.png")).0, 280);
    assert!(dir.join("codes.html").exists());

    trainer(dir, "anomalies run --data digits --out odd --count 4").ok();
    let csv = fs::read_to_string(dir.join("odd/anomalies.csv")).unwrap();
    let scores: Vec<f64> =
        csv.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().parse().unwrap()).collect();
    assert_eq!(scores.len(), 30);
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    assert_eq!(size(&dir.join("odd/anomalies.png")), (56, 56));
}

#[test]
fn noise_comes_off_files_and_folders() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fit(dir, "denoising-autoencoder", "run", "--epochs 2 --set hidden=[16] --nz 8");
    trainer(dir, "data draw --out in --count 3 --size 40 --channels 1").ok();
    let text = trainer(dir, "restore run --data in --out out").ok();
    assert_eq!(text.lines().last(), Some("wrote 3 images to out"));
    assert!(!text.contains("000001.png"), "{text}");
    assert_eq!(names(&dir.join("out")), ["000000.png", "000001.png", "000002.png"]);
    let text = trainer(dir, "restore run --data in --out again -v").ok();
    assert!(text.contains("again/000001.png\n"), "{text}");
    trainer(dir, "restore run --data in/000001.png --out one.png").ok();
    let [one, of] = ["one.png", "out/000001.png"].map(|p| codecs::open(dir.join(p)).unwrap());
    assert_eq!(one, of);
    assert_eq!(one.width(), 28, "brought to the run's size");

    let many = trainer(dir, "restore run --data in --out x.png").error();
    assert!(many.contains("3 images need a folder"), "{many}");
    let text = trainer(dir, "restore run --data run/options.json --out x").error();
    assert!(text.contains("options.json"), "{text}");
    let text = trainer(dir, "restore run --data in --out run").error();
    assert!(text.contains("run is the folder of a run"), "{text}");
    fit(dir, "autoencoder", "plain", "--epochs 1 --set hidden=[16]");
    let other = trainer(dir, "restore plain --data in --out x").error();
    assert!(other.contains("denoising-autoencoder or colorize"), "{other}");
    assert!(!dir.join("x").exists() && !dir.join("x.png").exists());
}

#[test]
fn colors_and_duplicates() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fit(dir, "colorize", "colors", "--images 80 --size 16 --nz 8 --set grid_every=40");
    trainer(dir, "data draw --out faces --count 12 --size 32").ok();
    trainer(dir, "restore colors --data faces --out out").ok();
    assert_eq!(names(&dir.join("out")).len(), 12);

    fit(dir, "duplicates", "codes", "--images 80 --size 16 --nz 64 --set grid_every=40");
    fs::copy(dir.join("faces/000003.png"), dir.join("faces/copy, of three.png")).unwrap();
    let text = trainer(dir, "duplicates codes --data faces --out twice --bits 0").ok();
    assert!(text.contains("\n1 group within 0 of 64 bits"), "{text}");
    let csv = fs::read_to_string(dir.join("twice/duplicates.csv")).unwrap();
    assert_eq!(csv, "group,image\n1,000003.png\n1,\"copy, of three.png\"\n");
    assert!(dir.join("twice/duplicates.png").exists());
}

#[test]
fn what_does_not_go_together_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fit = |more: &str| trainer(dir, &format!("fit --out run {more}")).error();
    // A conditional run of faces, which have no classes.
    let error = fit("--set conditional=true --set drawn=40");
    assert!(error.contains("no classes") && error.contains("folder for each class"), "{error}");
    let error = fit("--recipe cgan-mnist --size 65");
    assert_eq!(error, "size is 65: must be 8 to 64 for the network mlp");
    let error = fit("--recipe vae --set ema=1000");
    assert!(error.contains("encoder and decoder go together"), "{error}");
    let error = fit("--recipe autoencoder --penalty r1");
    assert!(error.contains("objective is autoencoder"), "{error}");
    let error = fit("--set output=sigmoid");
    assert!(error.contains("tanh or linear for a gan"), "{error}");
    let error = fit("--recipe colorize --channels 1");
    assert!(error.contains("none or noise for gray images"), "{error}");
    let error = fit("--recipe autoencoder --set hidden=[0]");
    assert!(error.contains("hidden is [0]"), "{error}");
    assert!(!dir.join("run").exists(), "nothing half-made");

    let gan = "fit --out gan --images 8 --size 16 --ngf 2 --ndf 2 --batch 8 --set drawn=8";
    trainer(dir, gan).ok();
    let error = trainer(dir, "reconstruct gan").error();
    assert!(error.contains("which has no encoder"), "{error}");
    let error = trainer(dir, "anomalies nowhere --data x --out y").error();
    assert!(error.contains("nowhere"), "{error}");
}
