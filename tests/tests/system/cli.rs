//! Both programs as typed, mistakes included: one line that names the thing, the right exit code, nothing half-written.

use std::fs;
use std::path::Path;

use tests::{names, root, run};

/// A folder with what people have lying around.
fn rubbish() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("empty")).unwrap();
    fs::create_dir(at.join("texts")).unwrap();
    fs::write(at.join("texts/notes.txt"), "milk, eggs").unwrap();
    fs::write(at.join("texts/portrait.jpg"), "this is not a picture").unwrap();
    fs::write(at.join("cut.zip"), b"PK\x03\x04 and no more").unwrap();
    fs::write(at.join("model.bpk"), "hello").unwrap();
    fs::write(at.join("bad.toml"), "batch = ").unwrap();
    fs::write(at.join("odd.toml"), "bacht = 3").unwrap();
    let model = fs::read(root().join("models/pretrained/faces64.bpk")).unwrap();
    fs::write(at.join("cut.bpk"), &model[..model.len() / 2]).unwrap();
    let mut flipped = model.clone();
    let at_weight = model.len() - 999;
    flipped[at_weight] ^= 4;
    fs::write(at.join("flipped.bpk"), flipped).unwrap();
    dir
}

#[test]
fn mistakes_in_training() {
    let dir = rubbish();
    let cases: [(&[&str], &[&str]); 14] = [
        (&["fit", "--data", "nowhere"], &["nowhere"]),
        (&["fit", "--data", "empty"], &["empty"]),
        (&["fit", "--data", "texts"], &["texts", "portrait.jpg"]),
        (&["fit", "--data", "cut.zip"], &["cut.zip"]),
        (&["fit", "--recipe", "fases"], &["\"fases\"", "did you mean \"faces\"?"]),
        (&["fit", "--recipe", "bad.toml"], &["bad.toml is not TOML"]),
        (&["fit", "--recipe", "odd.toml"], &["\"bacht\"", "did you mean \"batch\"?"]),
        (&["fit", "--recipe", "none.toml"], &["cannot read none.toml"]),
        (&["fit", "--size", "48"], &["size is 48: must be 16, 32, 64 or 128"]),
        (&["fit", "--set", "leanrning=3"], &["there is no setting \"leanrning\""]),
        (&["fit", "--loss", "wgan"], &["wgan"]),
        (
            &["fit", "--set", "drawn=10", "--batch", "16"],
            &["batch is 16 but there are only 10 images"],
        ),
        (&["export", "empty"], &["options.json"]),
        (&["sample", "nowhere", "--out", "x.png"], &["nowhere"]),
    ];
    let before = names(dir.path());
    for (args, wants) in cases {
        let error = run("trainer", dir.path(), args).error();
        for want in wants {
            assert!(error.contains(want), "{args:?}: {error}");
        }
    }
    assert_eq!(names(dir.path()), before, "nothing is left behind");
}

#[test]
fn a_run_is_not_gone_on_with_under_other_options() {
    let dir = tempfile::tempdir().unwrap();
    let small = ["--size", "16", "--ngf", "2", "--ndf", "2", "--images", "64", "--set", "drawn=64"];
    let first: Vec<&str> = ["fit", "--out", "run"].into_iter().chain(small).collect();
    run("trainer", dir.path(), &first).ok();
    let error = run("trainer", dir.path(), &["fit", "--out", "run", "--ngf", "3"]).error();
    assert!(error.contains("the run was started with ngf = 2, not 3"), "{error}");
    // Other data under the same name.
    let checkpoint = dir.path().join("run/checkpoints/000000000064/state.json");
    let facts = fs::read_to_string(&checkpoint).unwrap();
    let digits: String = facts
        .split("\"data\": ")
        .nth(1)
        .unwrap()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    fs::write(&checkpoint, facts.replace(&digits, "1234")).unwrap();
    let error = run("trainer", dir.path(), &["fit", "--out", "run", "--images", "128"]).error();
    assert!(error.contains("other images"), "{error}");
    // A checkpoint that lost a file.
    fs::write(&checkpoint, &facts).unwrap();
    fs::remove_file(checkpoint.with_file_name("opt_d.bpk")).unwrap();
    let error = run("trainer", dir.path(), &["fit", "--out", "run", "--images", "128"]).error();
    assert!(error.contains("opt_d.bpk"), "{error}");
    fs::write(checkpoint.with_file_name("opt_d.bpk"), "rubbish").unwrap();
    let error = run("trainer", dir.path(), &["fit", "--out", "run", "--images", "128"]).error();
    assert!(error.contains("opt_d.bpk"), "{error}");
}

#[test]
fn mistakes_in_generating() {
    let dir = rubbish();
    let out = ["--out", "face.png"];
    let cases: [(&[&str], &str); 9] = [
        (&["--out", "face.xyz"], "face.xyz: no picture format has this ending; there are png,"),
        (&["--out", "face"], "face: no picture format has this ending"),
        (&["--out", "none/face.png"], "there is no folder none"),
        (&["--model", "nowhere.bpk"], "cannot read nowhere.bpk"),
        (&["--model", "model.bpk"], "model.bpk is neither a burn record nor an ONNX model"),
        (&["--model", "cut.bpk"], "cut.bpk: the tensor described at byte"),
        (&["--model", "flipped.bpk"], "flipped.bpk: the weights are damaged"),
        (&["--latent", "texts/notes.txt"], "cannot read texts/notes.txt as .npy"),
        (&["--save-latent", "none/z.npy"], "there is no folder none"),
    ];
    let before = names(dir.path());
    for (args, want) in cases {
        let mut all = vec!["generate"];
        all.extend(args);
        if !args.contains(&"--out") {
            all.extend(out);
        }
        let error = run("runtime", dir.path(), &all).error();
        assert!(error.starts_with(want), "{args:?}: {error}");
    }
    let error = run("runtime", dir.path(), &["generate", "--count", "3", "--out", "-"]).error();
    assert!(error.contains("--out - takes one picture"), "{error}");
    let error = run("runtime", dir.path(), &["convert", "cut.bpk", "--out", "x.txt"]).error();
    assert!(error.contains("neither .bpk nor .onnx"), "{error}");
    for args in [
        &["generate"][..],
        &["generate", "--out", "a.png", "--grid", "0x3"],
        &["generate", "--out", "a.png", "--grid", "many"],
        &["generate", "--out", "a.png", "--count", "0"],
        &["generate", "--out", "a.png", "--scale", "0"],
        &["generate", "--out", "a.png", "--truncation", "NaN"],
        &["genrate"],
    ] {
        run("runtime", dir.path(), args).usage();
    }
    assert_eq!(names(dir.path()), before, "nothing is left behind");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: there is no /dev/full");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join("face.png")).unwrap();
    let error = run("runtime", dir.path(), &["generate", "--out", "face.png"]).error();
    assert!(error.starts_with("cannot write face.png: No space left"), "{error}");
}

#[test]
fn pictures_of_every_kind() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    for ending in ["png", "jpg", "bmp", "gif", "ppm", "tga", "tif", "webp"] {
        let out = format!("face.{ending}");
        run("runtime", at, &["generate", "--seed", "5", "--out", &out]).ok();
        let picture = image::open(at.join(&out)).unwrap();
        assert_eq!((picture.width(), picture.height()), (64, 64), "{ending}");
    }
    let file = image::open(at.join("face.png")).unwrap();
    let piped = run("runtime", at, &["generate", "--seed", "5", "--out", "-"]);
    assert_eq!(image::load_from_memory(&piped.out).unwrap(), file);
    // Numbered files are the seeds in a row, a grid their sheet.
    run("runtime", at, &["generate", "--seed", "4", "--count", "3", "--out", "n.png"]).ok();
    assert_eq!(image::open(at.join("n-001.png")).unwrap(), file);
    run("runtime", at, &["generate", "--seed", "4", "--grid", "1x2", "--out", "grid.png"]).ok();
    let grid = image::open(at.join("grid.png")).unwrap();
    assert_eq!(grid.crop_imm(64, 0, 64, 64), file);
    for filter in ["nearest", "smooth"] {
        let args =
            ["generate", "--seed", "5", "--scale", "3", "--filter", filter, "--out", "big.png"];
        run("runtime", at, &args).ok();
        assert_eq!(image::open(at.join("big.png")).unwrap().width(), 192);
    }
}

#[test]
fn latents_go_out_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let save =
        ["generate", "--seed", "8", "--grid", "1x2", "--save-latent", "z.npy", "--out", "a.png"];
    run("runtime", at, &save).ok();
    run("runtime", at, &["generate", "--latent", "z.npy", "--grid", "1x2", "--out", "b.png"]).ok();
    assert_eq!(fs::read(at.join("a.png")).unwrap(), fs::read(at.join("b.png")).unwrap());
    let error =
        run("runtime", at, &["generate", "--latent", "z.npy", "--count", "3", "--out", "c.png"])
            .error();
    assert_eq!(error, "3 faces of 2 latents");
    let cut = fs::read(at.join("z.npy")).unwrap();
    fs::write(at.join("cut.npy"), &cut[..cut.len() - 4]).unwrap();
    run("runtime", at, &["generate", "--latent", "cut.npy", "--out", "c.png"]).error();
    // Latents of another length, as numpy writes them.
    let header =
        format!("{:<117}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (20, 10), }");
    let mut other = b"\x93NUMPY\x01\x00".to_vec();
    other.extend((header.len() as u16).to_le_bytes());
    other.extend(header.as_bytes());
    other.extend([0; 800]);
    fs::write(at.join("other.npy"), other).unwrap();
    let error =
        run("runtime", at, &["generate", "--latent", "other.npy", "--out", "c.png"]).error();
    assert_eq!(error, "other.npy: a latent of 10 values, the model wants 100");
}

#[test]
fn help_and_inspection() {
    let dir = tempfile::tempdir().unwrap();
    for (program, verbs) in [
        ("runtime", &["generate", "inspect", "convert", "bench"][..]),
        ("trainer", &["fit", "export", "sample", "data", "recipes"][..]),
    ] {
        for verb in verbs {
            let text = run(program, dir.path(), &[verb, "--help"]).ok();
            assert!(text.contains("Usage:"), "{program} {verb}");
        }
    }
    let text = run("runtime", dir.path(), &["inspect"]).ok();
    assert!(text.contains("3 x 64 x 64") && text.contains("ConvTranspose"), "{text}");
    let text = run("trainer", dir.path(), &["recipes"]).ok();
    assert!(text.contains("dcgan-tutorial"), "{text}");
    run("runtime", dir.path(), &["bench", "--seconds", "0.01"]).ok();
    let line = run("runtime", dir.path(), &["bench", "--best", "--json", "--seconds", "0.01"]).ok();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    for what in ["record_bytes", "arena_bytes", "read_bytes_per_s", "cold_start_ms"] {
        assert!(told[what].as_f64().is_some_and(|v| v > 0.0), "{what}: {line}");
    }
    let layers = told["rows"][0]["layers_ms"].as_array();
    assert_eq!(layers.map(Vec::len), Some(5), "{line}");
    run("trainer", dir.path(), &["data", "--out", "sheet.png", "--count", "4", "--size", "32"])
        .ok();
    assert_eq!(image::open(dir.path().join("sheet.png")).unwrap().width(), 64);
    run("firmware-demo", dir.path(), &["--out", "frames", "--frames", "3"]).ok();
    assert_eq!(names(&dir.path().join("frames")).len(), 3);
}
