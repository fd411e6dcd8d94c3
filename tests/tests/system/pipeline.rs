//! From drawn faces to a face, with the real programs: train, stop, resume, export, generate.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tests::{Ran, names, program, run, trainer};

#[cfg(unix)]
use crate::kills::times;

/// A network small enough for a few seconds.
const SMALL: &str =
    "--size 16 --ngf 4 --ndf 4 --nz 8 --batch 16 --set drawn=34 --set log_every=160";

fn fit(dir: &Path, more: &str) -> Ran {
    trainer(dir, &format!("fit {SMALL} {more}"))
}

/// `trainer fit` on its way.
#[cfg(unix)]
fn start(dir: &Path, more: &str) -> Command {
    let mut command = Command::new(program("trainer"));
    command.arg("fit").args(SMALL.split(' ')).args(more.split(' ')).current_dir(dir);
    command
}

/// Every tensor of a checkpoint, by file and name, and the facts beside them. burn gives each
/// parameter a random number when it is made and names the optimizers' tensors by it, so it is
/// replaced with the parameter's path here.
pub fn checkpoint(run: &Path, images: u64) -> BTreeMap<String, Vec<u8>> {
    let dir = run.join("checkpoints").join(format!("{images:012}"));
    let mut all = BTreeMap::new();
    for net in ["g", "d", "ema"] {
        let mut paths = BTreeMap::new();
        for tensor in tensors(&dir.join(format!("{net}.bpk"))) {
            let (path, _, _, id, bytes) = tensor.into_parts().unwrap();
            paths.insert(id.unwrap().to_string(), path.clone());
            all.insert(format!("{net} {path}"), bytes.to_vec());
        }
        if net == "ema" {
            continue;
        }
        for tensor in tensors(&dir.join(format!("opt_{net}.bpk"))) {
            let (name, _, _, _, bytes) = tensor.into_parts().unwrap();
            let (id, what) = name.split_once('.').unwrap();
            all.insert(format!("opt_{net} {} {what}", paths[id]), bytes.to_vec());
        }
    }
    let spectral = dir.join("spectral.bpk");
    if spectral.exists() {
        for tensor in tensors(&spectral) {
            let (path, _, _, _, bytes) = tensor.into_parts().unwrap();
            all.insert(format!("spectral {path}"), bytes.to_vec());
        }
    }
    all.insert("facts".into(), fs::read(dir.join("state.json")).unwrap());
    all
}

fn tensors(path: &Path) -> Vec<burn_pack::Tensor> {
    burn_pack::Reader::from_file(path).unwrap().into_tensors().unwrap()
}

#[test]
fn two_halves_are_the_whole_bit_for_bit() {
    // 40 steps of 16, and 20 and 20, the latter in the middle of an epoch. The average is on; D has
    // batch norm.
    two_halves_are_the_whole("--mirror");
}

#[test]
fn two_halves_are_the_whole_with_every_option_on() {
    two_halves_are_the_whole(
        "--loss rpgan --penalty r1r2 --gamma 2 --set gamma_end=0.2 --set penalty_every=3 \
         --set d_norm=false --set spectral=true --set upsample=resize --set output=linear \
         --set ramp=250 --set lr_end=1e-4 --beta2 0.9 --set beta2_end=0.99 --set lr_d=1.5 \
         --set instance_noise=0.1 --augment color,translation,cutout --set augment_p=0.2 \
         --set augment_p_end=0.8 --mirror",
    );
}

#[test]
fn two_halves_are_the_whole_with_clipped_weights() {
    two_halves_are_the_whole(
        "--loss wasserstein --set clip=0.05 --set d_steps=2 --set d_norm=false --set g_norm=false",
    );
}

fn two_halves_are_the_whole(options: &str) {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fit(at, &format!("--images 320 --out whole {options}")).ok();
    fit(at, &format!("--images 160 --out halves {options}")).ok();
    let text = trainer(at, "fit --out halves --images 320").ok();
    assert!(text.contains("resuming from 160 images"), "{text}");
    let (a, b) = (at.join("whole"), at.join("halves"));
    let (one, two) = (checkpoint(&a, 320), checkpoint(&b, 320));
    assert!(one.len() > 40, "both networks, the average, both optimisers");
    assert!(one.keys().eq(two.keys()));
    let differ: Vec<_> = one.keys().filter(|key| one[*key] != two[*key]).collect();
    assert!(differ.is_empty(), "{differ:?}");
    for file in ["generator.bpk", "generator.onnx"] {
        let read = |run: &Path| fs::read(run.join("export").join(file)).unwrap();
        assert_eq!(read(&a), read(&b), "{file}");
    }
    let stats = |run: &Path| -> Vec<[f64; 3]> {
        let text = fs::read_to_string(run.join("stats.jsonl")).unwrap();
        let number = |line: &str, key: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value[key].as_f64().unwrap()
        };
        text.lines().map(|l| ["images", "d_loss", "g_loss"].map(|key| number(l, key))).collect()
    };
    assert_eq!(stats(&a), stats(&b));
    assert_eq!(stats(&a).len(), 2);
    // A run that is at its end has nothing left to do, and exports again.
    let text = trainer(at, "fit --out halves").ok();
    assert!(text.contains("generator.bpk"), "{text}");
}

#[test]
fn the_same_seed_gives_the_same_files_and_another_does_not() {
    let dir = tempfile::tempdir().unwrap();
    for (out, seed) in [("a", "1"), ("b", "1"), ("c", "2")] {
        fit(dir.path(), &format!("--images 160 --out {out} --seed {seed}")).ok();
    }
    let record = |run: &str| fs::read(dir.path().join(run).join("export/generator.bpk")).unwrap();
    assert_eq!(record("a"), record("b"));
    assert_ne!(record("a"), record("c"));
}

#[cfg(unix)]
#[test]
fn interrupting_saves_and_prints_how_to_resume() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(dir.path(), "--images 100000000 --out run");
    let child = child.stdout(Stdio::piped()).spawn().unwrap();
    let stats = dir.path().join("run/stats.jsonl");
    wait_until("the log", || stats.exists());
    // The program catches SIGINT as a terminal's Ctrl-C sends it.
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("resume with: trainer fit --out run"), "{text}");
    let saved = names(&dir.path().join("run/checkpoints"));
    let images: u64 = saved.last().unwrap().parse().unwrap();
    let more = (images + 160).to_string();
    let text = trainer(dir.path(), &format!("fit --out run --images {more}")).ok();
    assert!(text.contains(&format!("resuming from {images} images")), "{text}");
}

#[cfg(unix)]
#[test]
fn being_killed_at_any_moment_loses_no_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    // A checkpoint every step: most of the time goes into writing them.
    let args = "--images 100000000 --out run --set checkpoint_every=16";
    let checkpoints = dir.path().join("run/checkpoints");
    let newest = || match checkpoints.exists() {
        true => names(&checkpoints).into_iter().rfind(|name| !name.starts_with('.')),
        false => None,
    };
    for moment in 0..2 * times("POCKET_GAN_KILLS", 2) {
        let before = newest();
        let mut child =
            start(dir.path(), args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // From the first checkpoint on it does little but write them.
        wait_until("a checkpoint", || newest() > before);
        thread::sleep(Duration::from_millis(13 * u64::from(moment)));
        assert!(child.try_wait().unwrap().is_none(), "goes on until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();
        for name in names(&checkpoints).iter().filter(|name| !name.starts_with('.')) {
            let files = names(&checkpoints.join(name));
            let want =
                ["checksums", "d.bpk", "ema.bpk", "g.bpk", "opt_d.bpk", "opt_g.bpk", "state.json"];
            assert_eq!(files, want, "{name}");
        }
    }
    trainer(dir.path(), "export run").ok();
}

#[test]
fn both_files_make_the_same_face() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fit(at, "--images 320 --out run --channels 1").ok();
    for (model, out) in [("bpk", "a.png"), ("onnx", "b.png")] {
        let model = format!("run/export/generator.{model}");
        let args = ["generate", &model, "--seed", "3", "--grid", "2x3", "--out", out];
        run("runtime", at, &args).ok();
    }
    let (a, b) = (codecs::open(at.join("a.png")).unwrap(), codecs::open(at.join("b.png")).unwrap());
    assert_eq!((a.width(), a.height()), (48, 32));
    assert_eq!(a.color(), image::ColorType::L8, "a gray generator makes gray pictures");
    assert_eq!(a, b);
    // The trainer's own grid of the same seeds, made by burn, within a rounding.
    trainer(at, "sample run --out c.png --grid 2x2 --seed 3").ok();
    let args = "generate run/export/generator.bpk --seed 3 --grid 2x2 --out d.png";
    run("runtime", at, &args.split(' ').collect::<Vec<_>>()).ok();
    let (c, d) = (codecs::open(at.join("c.png")).unwrap(), codecs::open(at.join("d.png")).unwrap());
    let off = c.as_bytes().iter().zip(d.as_bytes()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(off <= Some(1), "{off:?}");
}

/// Waits until something is there.
fn wait_until(what: &str, is_there: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what} never came");
        thread::sleep(Duration::from_millis(20));
    }
}
