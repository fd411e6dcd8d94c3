//! Programs killed at random moments, as a power cut ends them, and programs that share a folder.
//!
//! Once or twice here, and more often in CI; `POCKET_GAN_KILLS=300 POCKET_GAN_PAIRS=100 cargo test --workspace --test system
//! kills:: -- --nocapture` for the figures in `docs/results/robustness.md`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use runtime::graph::{Facts, Graph, Layer};
use runtime::op::{Op, Shape, Window};
use runtime::record::Buffer;
use runtime::{Input, Model, onnx};
use tests::{names, program, root, run, trainer};
use trainer::run::{Run, checkpoint::newest};

use crate::pipeline::checkpoint;

/// With all checkpoints kept, so that each can be compared.
const TINY: &str = "fit --size 16 --ngf 2 --ndf 2 --nz 4 --batch 16 --set drawn=32 \
    --set log_every=80 --set grid_every=240 --set checkpoint_every=80 --set keep=100 --images 400";
/// The same of pairs. Both lines end with the number of images.
const PAIRS: &str = "fit --recipe pix2pix --size 32 --ngf 2 --ndf 2 --workers 1 --set drawn=16 \
    --set log_every=20 --set grid_every=40 --set checkpoint_every=20 --set keep=100 --images 80";

/// How often, from the environment.
pub fn times(name: &str, short: u32) -> u32 {
    std::env::var(name).map_or(short, |n| n.parse().expect("a number"))
}

/// SplitMix64 (Steele, Lea and Flood 2014, figure 17), from 0 to 1.
struct Random(u64);

impl Random {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn start(name: &str, dir: &Path, line: &str) -> Child {
    let mut command = Command::new(program(name));
    command.args(line.split_whitespace()).current_dir(dir).env_remove("DISPLAY");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits for a program, at most so long, and kills it. Returns whether it was killed.
fn kill_after(mut child: Child, patience: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return false;
        }
        thread::sleep(Duration::from_micros(500));
    }
    // SIGKILL: the program cannot notice.
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// Starts a program and kills it at a moment of its life, `kills` times. `check` looks at what is
/// there after each. Returns how often it was in time.
fn kill_often(
    kills: u32,
    name: &str,
    dir: &Path,
    line: &str,
    mut check: impl FnMut(bool),
) -> (u32, u32) {
    program(name);
    let began = Instant::now();
    run(name, dir, &line.split_whitespace().collect::<Vec<_>>()).ok();
    let life = began.elapsed();
    check(false);
    let (mut random, mut killed, mut tries) = (Random(kills.into()), 0, 0);
    while killed < kills {
        tries += 1;
        assert!(tries < 20 * kills, "it ends before it can be killed");
        let was = kill_after(start(name, dir, line), life.mul_f64(random.share()));
        killed += u32::from(was);
        check(was);
    }
    (killed, tries)
}

/// Every file under a name that is not temporary is whole.
fn whole(dir: &Path) {
    for name in names(dir) {
        let path = dir.join(&name);
        let text = || fs::read_to_string(&path).unwrap();
        let json = |text: &str| _ = serde_json::from_str::<serde_json::Value>(text).expect(&name);
        let extension = Path::new(&name).extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension {
            _ if name.starts_with('.') || path.is_dir() => {}
            "png" => _ = codecs::open(&path).unwrap_or_else(|e| panic!("{name}: {e}")),
            "json" => json(&text()),
            "jsonl" => text().lines().for_each(json),
            "svg" => assert!(text().trim_end().ends_with("</svg>"), "{name}"),
            "html" => assert!(text().trim_end().ends_with("</html>"), "{name}"),
            "bpk" => _ = Model::parse(Buffer::from(fs::read(&path).unwrap()).bytes()).unwrap(),
            "onnx" => _ = onnx::read(&fs::read(&path).unwrap()).unwrap(),
            "pocket-gan" => assert!(name.starts_with("events."), "{name}"),
            _ => panic!("{name} is none of the files of a run"),
        }
    }
}

/// Names that begin with a dot, except the lock.
fn left(dir: &Path) -> Vec<String> {
    let hidden = |name: &String| name.starts_with('.') && name != ".lock";
    names(dir).into_iter().filter(hidden).collect()
}

/// Makes what lies in a folder as old as what killed programs left a while ago.
fn age(dir: &Path) {
    let old = SystemTime::now() - Duration::from_secs(3600);
    for name in left(dir) {
        File::options().append(true).open(dir.join(name)).unwrap().set_modified(old).unwrap();
    }
}

type State = BTreeMap<String, Vec<u8>>;

/// The states of a run that nothing disturbed.
struct Reference {
    line: &'static str,
    states: BTreeMap<u64, State>,
    exported: [Vec<u8>; 2],
    life: Duration,
}

impl Reference {
    fn new(dir: &Path, line: &'static str) -> Reference {
        program("trainer");
        let began = Instant::now();
        trainer(dir, &format!("{line} --out reference")).ok();
        let life = began.elapsed();
        let root = dir.join("reference");
        let states: BTreeMap<u64, State> =
            numbers(&root).into_iter().map(|n| (n, checkpoint(&root, n))).collect();
        assert!(states.len() >= 4);
        Reference { line, states, exported: exported(&root), life }
    }

    /// Every state of a run is one of these, whole, and the newest opens.
    fn check(&self, root: &Path) -> u64 {
        if !root.exists() {
            return 0;
        }
        whole(root);
        let numbers = numbers(root);
        for n in &numbers {
            assert!(checkpoint(root, *n) == self.states[n], "the state at {n} images differs");
        }
        let Some(last) = numbers.last() else { return 0 };
        let newest = newest(&Run::at(root)).unwrap_or_else(|e| panic!("{e}"));
        assert!(newest.damaged.is_empty());
        assert_eq!(newest.checkpoint.images(), *last);
        *last
    }

    /// A run that has ended is as if nothing had happened.
    fn check_end(&self, root: &Path) {
        assert_eq!(Some(&self.check(root)), self.states.keys().next_back());
        assert_eq!(exported(root), self.exported);
        for dir in [root, &root.join("checkpoints"), &root.join("export")] {
            assert_eq!(left(dir), [""; 0], "{}", dir.display());
        }
        let rows = fs::read_to_string(root.join("stats.jsonl")).unwrap();
        assert_eq!(rows.lines().count(), self.states.len(), "no row is missing or doubled");
    }
}

fn numbers(root: &Path) -> Vec<u64> {
    let dir = root.join("checkpoints");
    let all = if dir.exists() { names(&dir) } else { Vec::new() };
    all.iter().filter(|name| !name.starts_with('.')).map(|n| n.parse().unwrap()).collect()
}

fn exported(root: &Path) -> [Vec<u8>; 2] {
    ["generator.bpk", "generator.onnx"].map(|n| fs::read(root.join("export").join(n)).unwrap())
}

#[test]
fn training_goes_on_after_every_kill() {
    kill_training(TINY, times("POCKET_GAN_KILLS", 2));
}

#[test]
fn so_does_training_on_pairs() {
    kill_training(PAIRS, times("POCKET_GAN_KILLS", 1));
}

fn kill_training(line: &'static str, kills: u32) {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let reference = Reference::new(at, line);
    let root = at.join("run");
    let (mut random, mut killed, mut ended, mut resumed) = (Random(1), 0, 0, 0);
    while killed < kills {
        let before = reference.check(&root);
        let child = start("trainer", at, &format!("{line} --out run"));
        match kill_after(child, reference.life.mul_f64(0.9 * random.share())) {
            true => killed += 1,
            false => {
                reference.check_end(&root);
                fs::remove_dir_all(&root).unwrap();
                ended += 1;
                continue;
            }
        }
        let after = reference.check(&root);
        assert!(after >= before, "a state was lost");
        resumed += u32::from(after > 0);
    }
    trainer(at, &format!("{line} --out run")).ok();
    reference.check_end(&root);
    println!("fit: {killed} kills, {resumed} with a state to resume from, {} runs", ended + 1);
}

#[test]
fn runs_at_once_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let reference = Reference::new(at, TINY);
    let (pairs, mut random) = (times("POCKET_GAN_PAIRS", 2), Random(2));
    let (mut refused, mut after) = (0, 0);
    for i in 0..pairs {
        // Into one folder, or each into the next free one.
        let together = i % 2 == 0;
        let line = if together { format!("{} --out run", reference.line) } else { TINY.into() };
        let first = start("trainer", at, &line);
        thread::sleep(reference.life.mul_f64(0.2 * random.share()));
        let mut command = Command::new(program("trainer"));
        command.args(line.split_whitespace()).current_dir(at).stdin(Stdio::null());
        let second = command.output().unwrap();
        let first = first.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&second.stderr).into_owned();
        let done = [first.status.success(), second.status.success()];
        match (together, done) {
            (false, [true, true]) => {
                for name in names(&at.join("runs")) {
                    reference.check_end(&at.join("runs").join(name));
                }
                assert_eq!(names(&at.join("runs")).len(), 2);
                fs::remove_dir_all(at.join("runs")).unwrap();
            }
            (true, [true, false]) => {
                let why = ["is training in run", "has become the run of another process"];
                assert!(why.iter().any(|why| err.contains(why)), "{err}");
                refused += 1;
            }
            // The second was quicker, or came after the end.
            (true, [false, true]) => refused += 1,
            (true, [true, true]) => after += 1,
            _ => panic!("{done:?}: {err}"),
        }
        if together {
            reference.check_end(&at.join("run"));
            fs::remove_dir_all(at.join("run")).unwrap();
        }
    }
    println!("{pairs} pairs of runs: {refused} refused, {after} one after the other");
}

#[test]
fn files_of_killed_programs_are_whole_or_absent() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let kills = times("POCKET_GAN_KILLS", 1);
    let model = root().join("models/pretrained/faces-tiny.bpk");
    let model = model.display();

    let line = |to: &str| format!("generate {model} --count 30 --scale 4 --out {to}/a.png");
    pictures_are_whole(kills, at, line);

    translator(&at.join("translator.bpk"));
    trainer(at, "data draw --out pictures --count 12 --size 64").ok();
    let line = |to: &str| format!("translate translator.bpk pictures --scale 4 --out {to}/");
    pictures_are_whole(kills, at, line);

    let line = format!("convert {model} --precision int8 --faces 1 --out converted/a.bpk");
    let path = at.join("converted/a.bpk");
    let mut want = Vec::new();
    let done = kill_often(kills, "runtime", at, &line, |_| {
        match fs::read(&path) {
            Ok(bytes) if want.is_empty() => want = bytes,
            Ok(bytes) => assert!(bytes == want),
            Err(_) => {}
        }
        let _ = fs::remove_file(&path);
        age(&at.join("converted"));
    });
    println!("convert: {} kills of {} starts", done.0, done.1);
    run("runtime", at, &line.split(' ').collect::<Vec<_>>()).ok();
    assert_eq!(names(&at.join("converted")), ["a.bpk"]);

    trainer(at, &TINY.replace("--images 400", "--images 80 --out run")).ok();
    let want = exported(&at.join("run"));
    let export = at.join("run/export");
    let done = kill_often(kills, "trainer", at, "export run", |killed| {
        for (name, want) in ["generator.bpk", "generator.onnx"].iter().zip(&want) {
            let got = fs::read(export.join(name));
            assert!(got.is_ok_and(|got| got == *want), "the old file stays until the new is whole");
        }
        assert!(killed || left(&export).is_empty());
    });
    println!("export: {} kills of {} starts", done.0, done.1);

    let line = "--model MODEL --position place --fps 10 --dwell-s 0.2 --morph-s 0.4 --frames 7 \
         --size 64x64 --out frames";
    let line = line
        .replace("MODEL", &root().join("models/pretrained/faces-tiny.bpk").display().to_string());
    let mut last = 0;
    let done = kill_often(kills, "firmware-demo", at, &line, |killed| {
        let bytes = fs::read(at.join("place")).unwrap();
        let position = u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        // It was written at the end, or it is that of the run before.
        let moved = position == last + 6;
        assert!(moved || (killed && position == last), "{position} after {last}");
        last = position;
        whole(&at.join("frames"));
        age(at);
        age(&at.join("frames"));
    });
    println!("firmware-demo: {} kills of {} starts", done.0, done.1);
    run("firmware-demo", at, &line.split_whitespace().collect::<Vec<_>>()).ok();
    assert_eq!(left(at), [""; 0]);
    assert_eq!(left(&at.join("frames")), [""; 0]);
}

/// Kills `runtime` while it runs the line that writes pictures to a folder: each that is there is the
/// same as one of a run that was left alone.
fn pictures_are_whole(kills: u32, at: &Path, line: impl Fn(&str) -> String) {
    let [want, killed_in] = ["want", "killed"].map(|name| at.join(name));
    for folder in [&want, &killed_in] {
        fs::create_dir(folder).unwrap();
    }
    let whole = |to: &str| run("runtime", at, &line(to).split(' ').collect::<Vec<_>>()).ok();
    whole("want");
    let done = kill_often(kills, "runtime", at, &line("killed"), |killed| {
        for name in names(&killed_in).iter().filter(|name| !name.starts_with('.')) {
            let [got, want] = [&killed_in, &want].map(|folder| fs::read(folder.join(name)));
            assert!(got.unwrap() == want.unwrap(), "{name}");
            if killed {
                fs::remove_file(killed_in.join(name)).unwrap();
            }
        }
        age(&killed_in);
    });
    println!("{}: {} kills of {} starts", line("DIR"), done.0, done.1);
    whole("killed");
    assert_eq!(names(&killed_in), names(&want), "nothing is missing or left behind");
    for folder in [want, killed_in] {
        fs::remove_dir_all(folder).unwrap();
    }
}

/// Writes a model that takes a picture of 64 x 64 and blurs it.
fn translator(path: &Path) {
    let op = Op::Conv { out: 3, window: Window { kernel: 3, stride: 1, padding: 1 } };
    // From each channel to itself.
    let weight = (0..81).map(|i| if i / 27 == i % 27 / 9 { 1.0 / 9.0 } else { 0.0 }).collect();
    let graph = Graph {
        input: Input::Picture(Shape::new(3, 64, 64)),
        layers: vec![Layer { weight, ..Layer::new("blur", op) }],
        facts: Facts::default(),
    };
    fs::write(path, graph.to_record().unwrap()).unwrap();
}
