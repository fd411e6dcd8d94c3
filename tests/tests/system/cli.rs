//! Both programs as typed, mistakes included: one line that names the thing, the right exit code,
//! nothing half-written.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use tests::{names, program, root, run, trainer};

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
        (&["fit", "--set", "drawn=10", "--batch", "16"], &["batch is 16 for 10 images"]),
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
    let at = dir.path();
    trainer(at, "data draw --out photos --count 20 --size 16").ok();
    trainer(at, "fit --out run --data photos --size 16 --ngf 2 --ndf 2 --batch 16 --images 64")
        .ok();
    let error = trainer(at, "fit --out run --ngf 3").error();
    assert!(error.contains("the run was started with ngf = 2, not 3"), "{error}");
    // Other data under the same name.
    fs::rename(at.join("photos"), at.join("first")).unwrap();
    trainer(at, "data draw --out photos --count 20 --size 16 --seed 9").ok();
    let error = trainer(at, "fit --out run --images 128").error();
    assert!(error.contains("other images"), "{error}");
    fs::remove_dir_all(at.join("photos")).unwrap();
    fs::rename(at.join("first"), at.join("photos")).unwrap();
    // A checkpoint that lost a file.
    let lost = at.join("run/checkpoints/000000000064/opt_d.bpk");
    fs::remove_file(&lost).unwrap();
    let error = trainer(at, "fit --out run --images 128").error();
    assert!(error.contains("opt_d.bpk"), "{error}");
    fs::write(&lost, "rubbish").unwrap();
    let error = trainer(at, "fit --out run --images 128").error();
    assert!(error.contains("opt_d.bpk is damaged: "), "{error}");
}

#[test]
fn mistakes_in_generating() {
    let dir = rubbish();
    fs::write(dir.path().join("file"), "").unwrap();
    let cases: [(&str, &str); 14] = [
        ("--out face.xyz", "face.xyz: no picture format has this extension; supported are png,"),
        ("--out face", "face: no picture format has this extension"),
        ("--out file/face.png", "cannot create the folder file"),
        ("nowhere.bpk", "cannot read nowhere.bpk"),
        ("model.bpk", "model.bpk is neither a burn record nor an ONNX model"),
        ("cut.bpk", "cut.bpk: the tensor described at byte"),
        ("flipped.bpk", "flipped.bpk: the weights are damaged"),
        ("--latent texts/notes.txt", "cannot read texts/notes.txt as .npy"),
        ("--count 3 --out -", "--out - takes one picture"),
        ("--half --device cpu", "--half is for a GPU"),
        ("--label smiling", "--label smiling: this model is not conditional"),
        (
            "--seed 18446744073709551615 --count 2",
            "--seed 18446744073709551615: the last of 2 seeds",
        ),
        ("--seed 18446744073709551615 --grid 1x2", "--seed 18446744073709551615: the last of 2"),
        ("--grid 1000x1000 --scale 9", "the picture would have more than 134217728 pixels"),
    ];
    let before = names(dir.path());
    for (args, want) in cases {
        let mut all = vec!["generate"];
        all.extend(args.split(' '));
        if !args.contains("--out") {
            all.extend(["--out", "face.png"]);
        }
        let error = run("runtime", dir.path(), &all).error();
        assert!(error.starts_with(want), "{args:?}: {error}");
    }
    let error = run("runtime", dir.path(), &["convert", "cut.bpk", "--out", "x.txt"]).error();
    assert_eq!(error, "x.txt: expected a .bpk or .onnx file");
    let usage: [(&str, &str); 9] = [
        ("generate", "--out <FILE>"),
        ("generate --out a.png --grid 0x3", "expected rows and columns from 1 to 1000"),
        ("generate --out a.png --grid many", "expected ROWSxCOLUMNS, such as 4x8"),
        ("generate --out a.png --count 0", "expected a whole number from 1 to 100000000"),
        ("generate --out a.png --scale -1", "expected a whole number from 1 to 64"),
        ("generate --out a.png --seed x", "expected a whole number from 0 to 18446744073709551615"),
        ("generate --out a.png --truncation -1", "expected a number from 0 to 10"),
        ("generate --out a.png --truncation NaN", "expected a number from 0 to 10"),
        ("genrate", "generate"),
    ];
    for (args, want) in usage {
        let args: Vec<&str> = args.split(' ').collect();
        let message = run("runtime", dir.path(), &args).usage();
        assert!(message.contains(want), "{args:?}: {message}");
    }
    // The largest seed is a seed like any other.
    let last = ["generate", "--seed", "18446744073709551615", "--out", "last.png"];
    run("runtime", dir.path(), &last).ok();
    fs::remove_file(dir.path().join("last.png")).unwrap();
    assert_eq!(names(dir.path()), before, "nothing is left behind");
}

#[test]
fn many_files_are_one_line() {
    let dir = tempfile::tempdir().unwrap();
    // The command of the help text: the folder is created.
    let generate = ["generate", "--count", "12", "--out", "faces/new/face.png"];
    let quiet = run("runtime", dir.path(), &generate);
    assert_eq!(
        quiet.err,
        "faces/new/face-000.png to faces/new/face-011.png: 12 faces, seed 0 to seed 11\n"
    );
    assert_eq!(names(&dir.path().join("faces/new")).len(), 12);
    let verbose = run("runtime", dir.path(), &[&generate[..], &["-v"]].concat());
    assert_eq!(verbose.err.lines().count(), 13, "{}", verbose.err);
    assert!(verbose.err.contains("faces/new/face-007.png: seed 7\n"), "{}", verbose.err);
}

#[test]
fn an_instruction_set_is_chosen_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let with = |isa: &str, args: &[&str]| {
        let output = Command::new(program("runtime"))
            .args(args)
            .env("POCKET_GAN_ISA", isa)
            .current_dir(dir.path())
            .output()
            .unwrap();
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let model = root().join("models/pretrained/faces-tiny.bpk");
    let model = model.to_str().unwrap();
    let (code, out, err) = with("scalar", &["bench", model, "--json", "--seconds", "0.01"]);
    assert_eq!(code, Some(0), "{err}");
    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let rows = line["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["kernels"]), (1, &"scalar".into()));
    // Which kernel each layer uses.
    let layers = rows[0]["layers"].as_array().unwrap();
    assert!(layers.len() == 4 && layers.iter().all(|l| l.as_str().unwrap().ends_with("f32")));
    let small = ["convert", model, "--precision", "int8", "--faces", "1", "--out", "small.bpk"];
    assert_eq!(with("scalar", &small).0, Some(0));
    let text = String::from_utf8(with("scalar", &["inspect", "small.bpk"]).1).unwrap();
    assert_eq!(text.matches("tiles scalar").count(), 4, "{text}");
    let text = run("runtime", dir.path(), &["devices"]).ok();
    assert!(text.starts_with("cpu") && text.contains("scalar"), "{text}");
    let picture = with("scalar", &["generate", "--out", "-"]).1;
    let best = run("runtime", dir.path(), &["generate", "--out", "-"]).out;
    let [a, b] = [picture, best].map(|png| codecs::decode(&png).unwrap().to_rgb8());
    assert!(a.iter().zip(b.iter()).all(|(a, b)| a.abs_diff(*b) <= 1));
    let (code, _, err) = with("sse9", &["generate", "--out", "face.png"]);
    assert_eq!(code, Some(1));
    assert!(err.starts_with("error: POCKET_GAN_ISA=sse9: this CPU has scalar"), "{err}");
}

/// Runs a command line of the shell, in which `runtime` is the program.
#[cfg(target_os = "linux")]
fn shell(dir: &Path, line: &str) -> std::process::Output {
    let runtime = format!("runtime() {{ '{}' \"$@\"; }}\n{line}", program("runtime").display());
    Command::new("sh").arg("-c").arg(runtime).current_dir(dir).output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn standard_streams_may_be_closed_or_full() {
    let dir = tempfile::tempdir().unwrap();
    let generate = "runtime generate --count 20 -v --out f/face.png";
    // Messages that cannot be printed stop nothing.
    for to in ["2>&-", "2>/dev/full", "2>&1 | head -n 1", "2>&1 | true"] {
        let output = shell(dir.path(), &format!("{generate} {to}; echo; ls f | wc -l; rm -r f"));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.trim_end().ends_with("20"), "{to}: {text}");
        assert!(!text.contains("panicked"), "{to}: {text}");
    }
    // A mistake is still one when its message cannot be printed.
    for to in ["2>&-", "2>/dev/full"] {
        let output = shell(dir.path(), &format!("runtime generate nowhere.bpk --out f.png {to}"));
        assert_eq!(output.status.code(), Some(1), "{to}");
    }
    // A picture that cannot be written is a mistake.
    let output = shell(dir.path(), "runtime generate --out - >&-");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"error: --out -: standard output is closed\n");
    let output = shell(dir.path(), "runtime generate --out - >/dev/full");
    assert_eq!(output.status.code(), Some(1));
    // To discard it is not.
    let output = shell(dir.path(), "runtime generate --out - >/dev/null");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn no_picture_on_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let size = portable_pty::PtySize { rows: 24, cols: 200, ..portable_pty::PtySize::default() };
    let on_terminal = |args: &[&str]| {
        let pty = portable_pty::native_pty_system().openpty(size).unwrap();
        let mut command = portable_pty::CommandBuilder::new(program("runtime"));
        command.args(args);
        command.cwd(dir.path());
        let mut child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let mut shown = Vec::new();
        // Linux ends the reading of a closed terminal with an error.
        let _ = reader.read_to_end(&mut shown);
        (child.wait().unwrap().exit_code(), String::from_utf8_lossy(&shown).into_owned())
    };
    let (code, shown) = on_terminal(&["generate", "--out", "-"]);
    assert_eq!(code, 1);
    assert!(shown.starts_with("error: --out -: standard output is a terminal"), "{shown}");
    // Many files are one bar there, which is gone at the end, and one line.
    let (code, shown) = on_terminal(&["generate", "--count", "200", "--out", "f/face.png"]);
    assert_eq!(code, 0);
    assert!(shown.contains("/200"), "a bar: {shown}");
    assert!(shown.trim_end().ends_with("200 faces, seed 0 to seed 199"), "{shown}");
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
        let picture = codecs::open(at.join(&out)).unwrap();
        assert_eq!((picture.width(), picture.height()), (64, 64), "{ending}");
    }
    let file = codecs::open(at.join("face.png")).unwrap();
    let piped = run("runtime", at, &["generate", "--seed", "5", "--out", "-"]);
    assert_eq!(codecs::decode(&piped.out).unwrap(), file);
    // Numbered files are the seeds in a row, a grid their sheet.
    run("runtime", at, &["generate", "--seed", "4", "--count", "3", "--out", "n.png"]).ok();
    assert_eq!(codecs::open(at.join("n-001.png")).unwrap(), file);
    run("runtime", at, &["generate", "--seed", "4", "--grid", "1x2", "--out", "grid.png"]).ok();
    let grid = codecs::open(at.join("grid.png")).unwrap();
    assert_eq!(grid.crop_imm(64, 0, 64, 64), file);
    for filter in ["nearest", "smooth"] {
        let args =
            ["generate", "--seed", "5", "--scale", "3", "--filter", filter, "--out", "big.png"];
        run("runtime", at, &args).ok();
        assert_eq!(codecs::open(at.join("big.png")).unwrap().width(), 192);
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
    assert_eq!(error, "3 faces requested, but there are 2 latents");
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
    assert_eq!(error, "other.npy: latents of 10 values, the model needs 100");
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
    let short = run("runtime", dir.path(), &["generate", "-h"]).ok();
    let long = run("runtime", dir.path(), &["generate", "--help"]).ok();
    assert!(long.len() > short.len() && long.contains("Missing folders are created"), "{long}");
    let version = run("runtime", dir.path(), &["--version"]).ok();
    assert_eq!(version.trim_end(), concat!("runtime ", env!("CARGO_PKG_VERSION")));
    let script = run("runtime", dir.path(), &["completions", "bash"]).ok();
    assert!(script.contains("complete -F _runtime"), "{script}");
    let page = run("runtime", dir.path(), &["man"]).ok();
    assert!(page.contains(".TH runtime 1"), "{page}");
    let text = run("runtime", dir.path(), &["inspect"]).ok();
    assert!(text.contains("3 x 64 x 64") && text.contains("ConvTranspose"), "{text}");
    let text = run("trainer", dir.path(), &["recipes"]).ok();
    assert!(text.contains("dcgan-tutorial"), "{text}");
    let tiny = root().join("models/pretrained/faces-tiny.bpk").display().to_string();
    let text = run("runtime", dir.path(), &["bench", &tiny, "--seconds", "0.01"]).ok();
    let heading: Vec<&str> = text.lines().nth(1).unwrap().split("  ").map(str::trim).collect();
    let heading: Vec<&str> = heading.into_iter().filter(|word| !word.is_empty()).collect();
    let want =
        ["isa", "batches", "min ms", "median ms", "p99 ms", "faces/s", "G mult-adds/s", "of peak"];
    assert_eq!(heading, want, "{text}");
    let line = run("runtime", dir.path(), &["bench", "--best", "--json", "--seconds", "0.01"]).ok();
    let report: serde_json::Value = serde_json::from_str(&line).unwrap();
    for what in ["record_bytes", "arena_bytes", "read_bytes_per_s", "cold_start_ms"] {
        assert!(report[what].as_f64().is_some_and(|v| v > 0.0), "{what}: {line}");
    }
    let layers = report["rows"][0]["layers_ms"].as_array();
    assert_eq!(layers.map(Vec::len), Some(5), "{line}");
    run(
        "trainer",
        dir.path(),
        &["data", "draw", "--out", "sheet.png", "--count", "4", "--size", "32"],
    )
    .ok();
    assert_eq!(codecs::open(dir.path().join("sheet.png")).unwrap().width(), 64);
    run("firmware-demo", dir.path(), &["--out", "frames", "--frames", "3"]).ok();
    assert_eq!(names(&dir.path().join("frames")).len(), 3);
}
