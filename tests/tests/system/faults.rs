//! Runs that share a folder, damaged checkpoints, full disks, closed streams and hostile files, with
//! the real program.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tests::{Ran, names, program, root, trainer};

const SMALL: &str =
    "--size 16 --ngf 4 --ndf 4 --nz 8 --batch 16 --set drawn=34 --set log_every=160";

fn fit(dir: &Path, more: &str) -> Ran {
    trainer(dir, &format!("fit {SMALL} {more}"))
}

/// `trainer` with the words of `line`, not started yet.
fn command(dir: &Path, line: &str) -> Command {
    let mut command = Command::new(program("trainer"));
    command.args(line.split_whitespace()).current_dir(dir).stdin(Stdio::null());
    command
}

/// Waits until `is_there`.
fn wait_until(what: &str, is_there: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what} never came");
        thread::sleep(Duration::from_millis(20));
    }
}

fn checkpoints(dir: &Path) -> Vec<String> {
    let path = dir.join("run/checkpoints");
    if !path.exists() {
        return Vec::new();
    }
    names(&path).into_iter().filter(|name| !name.starts_with('.')).collect()
}

#[test]
fn one_process_trains_a_run_and_others_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let endless = format!("fit {SMALL} --images 100000000 --out run --set checkpoint_every=160");
    let start = || -> Child {
        command(at, &endless).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut first = start();
    wait_until("a checkpoint", || !checkpoints(at).is_empty());
    for line in ["fit --out run", &endless] {
        let error = trainer(at, line).error();
        let want = format!("process {} is training in run: wait for its end", first.id());
        assert!(error.starts_with(&want), "{error}");
    }
    for line in ["export run", "sample run --out sheet.png --grid 2x2", "report run"] {
        trainer(at, line).ok();
    }
    let plan = trainer(at, "fit --out run --dry-run").ok();
    assert!(plan.contains("bytes of RAM"), "{plan}");
    assert!(first.try_wait().unwrap().is_none(), "nothing disturbed it");
    // The system releases the lock of a process that is killed.
    first.kill().unwrap();
    first.wait().unwrap();
    let before = checkpoints(at);
    let mut second = start();
    wait_until("another checkpoint", || checkpoints(at) != before);
    second.kill().unwrap();
    second.wait().unwrap();
}

#[test]
fn runs_that_start_at_once_get_folders_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let line = format!("fit {SMALL} --images 16");
    let all: Vec<Child> =
        (0..4).map(|_| command(dir.path(), &line).stdout(Stdio::null()).spawn().unwrap()).collect();
    for mut one in all {
        assert!(one.wait().unwrap().success());
    }
    let want = ["00000-drawn", "00001-drawn", "00002-drawn", "00003-drawn"];
    assert_eq!(names(&dir.path().join("runs")), want);
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_used() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fit(at, "--images 64 --out whole --set checkpoint_every=32").ok();
    let files = names(&at.join("whole/checkpoints/000000000064"));
    assert_eq!(files.len(), 7, "{files:?}");
    for (i, file) in files.iter().enumerate() {
        let run = at.join(format!("run{i}"));
        copy(&at.join("whole"), &run);
        let path = run.join("checkpoints/000000000064").join(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let sample = trainer(at, &format!("sample run{i} --out {i}.png --grid 1x1"));
        assert!(sample.err.contains(file) && sample.err.contains("32 images"), "{}", sample.err);
        sample.ok();
        // Training reads them as sampling does: a checksum, a network and the state will do.
        if i % 3 != 0 {
            continue;
        }
        let text = trainer(at, &format!("fit --out run{i} --images 96")).ok();
        assert!(text.contains("resuming from 32 images"), "{text}");
        assert!(text.contains(file.as_str()) && text.contains("damaged-000000000064"), "{text}");
        assert!(names(&run.join("checkpoints")).contains(&"damaged-000000000064".into()));
    }
    // None is whole: nothing starts over.
    let run = at.join("whole/checkpoints");
    for name in names(&run) {
        fs::remove_file(run.join(name).join("g.bpk")).unwrap();
    }
    let error = trainer(at, "fit --out whole --images 96").error();
    assert!(error.contains("000000000064/g.bpk"), "{error}");
    assert!(trainer(at, "export whole").error().contains("000000000064/g.bpk"));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in names(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        match from.is_dir() {
            true => copy(&from, &to),
            false => _ = fs::copy(from, to).unwrap(),
        }
    }
}

#[test]
fn every_reader_refuses_another_layout() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fit(at, "--images 160 --out run").ok();
    let newest = at.join("run/checkpoints/000000000160");
    fs::remove_file(newest.join("checksums")).unwrap();
    let facts = fs::read_to_string(newest.join("state.json")).unwrap();
    let old = facts.replace("\"version\": 2", "\"version\": 1");
    assert_ne!(facts, old);
    fs::write(newest.join("state.json"), old).unwrap();
    for line in ["fit --out run --images 320", "export run", "sample run --out x.png"] {
        let error = trainer(at, line).error();
        assert!(error.contains("has layout 1, this program reads layout 2"), "{line}: {error}");
    }
}

#[test]
fn what_lies_among_checkpoints_does_not_end_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fit(at, "--images 160 --out run").ok();
    let parent = at.join("run/checkpoints");
    fs::write(parent.join("999999999999"), "mine").unwrap();
    fs::write(parent.join("000000000320"), "mine, too").unwrap();
    fs::create_dir(parent.join(".writing-old")).unwrap();
    let text = trainer(at, "fit --out run --images 320").ok();
    assert!(text.contains("resuming from 160 images"), "{text}");
    let want = ["000000000160", "000000000320", "999999999999", "damaged-000000000320"];
    assert_eq!(names(&parent), want);
    assert_eq!(fs::read_to_string(parent.join("damaged-000000000320")).unwrap(), "mine, too");
}

#[test]
fn outputs_that_cannot_be_written_do_not_end_training() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir_all(at.join("run")).unwrap();
    fit(at, "--images 16 --out run").ok();
    for name in ["curves.svg", "stats.jsonl", "report.html"] {
        fs::remove_file(at.join("run").join(name)).unwrap();
        fs::create_dir(at.join("run").join(name)).unwrap();
    }
    let ran = trainer(at, "fit --out run --images 640 --set grid_every=160");
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    for name in ["curves.svg", "stats.jsonl", "report.html"] {
        let warning = format!("warning: cannot write run/{name}: ");
        assert_eq!(ran.err.matches(&warning).count(), 1, "{}", ran.err);
    }
    let last = ran.err.lines().last().unwrap();
    assert!(last.starts_with("error: the run is trained and exported, but cannot write"), "{last}");
    assert!(checkpoints(at).contains(&"000000000640".into()));
    assert!(at.join("run/export/generator.onnx").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_or_closed_output_does_not_end_training() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let line = |run: &str| format!("fit {SMALL} --images 160 --out {run}");
    let done = |run: &str| {
        assert!(at.join(run).join("checkpoints/000000000160").exists(), "{run}");
        assert!(at.join(run).join("export/generator.bpk").exists(), "{run}");
    };
    let output = command(at, &line("full")).stdout(full()).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert_eq!(err.matches("warning: cannot write standard output: ").count(), 1, "{err}");
    done("full");
    let status = command(at, &line("both")).stdout(full()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    done("both");
    // `fit 2>&1 | head -0`: the reader is gone before the first line.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = || Stdio::from(writer.try_clone().unwrap());
    let status = command(at, &line("closed")).stdout(closed()).stderr(closed()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    done("closed");
    // An error that nobody can read is no panic.
    let wrong = command(at, "fit --lr -1").stdout(closed()).stderr(closed()).status().unwrap();
    assert_eq!(wrong.code(), Some(1));
}

#[test]
fn unfinished_files_of_dead_processes_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fit(at, "--images 16 --out run").ok();
    let left = ["run/.pocket-gan-writing-abc", "run/export/.pocket-gan-writing-def"];
    for path in left {
        fs::write(at.join(path), "half").unwrap();
    }
    trainer(at, "fit --out run --images 32").ok();
    for path in left {
        assert!(!at.join(path).exists(), "{path}");
    }
}

#[test]
fn hostile_files_and_sizes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    // A tensor of 9.2 GB that repeats 4 bytes, in a file of 1,641.
    let small = root().join("tests/fixtures/stride0.pth");
    let small = small.display();
    let error = trainer(at, &format!("import {small} --out out")).error();
    assert!(error.contains("too many for a file of 1641"), "{error}");
    trainer(at, &format!("import {small} --list")).ok();
    let error = trainer(at, "fit --set drawn=9000000000000").error();
    assert_eq!(error, "drawn is 9000000000000: must be at most 10000000");
    assert!(names(at).is_empty());
}

#[cfg(unix)]
#[test]
fn pipes_are_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    assert!(Command::new("mkfifo").arg(at.join("pipe")).status().unwrap().success());
    for line in ["fit --data pipe", "data inspect pipe", "import pipe"] {
        let error = trainer(at, line).error();
        assert!(error.contains("pipe"), "{line}: {error}");
    }
}

/// Runs `program` with standard output closed, as `>&-` does, or open to a full disk.
#[cfg(target_os = "linux")]
fn without_output(name: &str, dir: &Path, line: &str, to: &str) -> (Option<i32>, String) {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" {line} {to}")]).arg(program(name));
    let output = command.current_dir(dir).stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn text_that_cannot_be_printed_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    trainer(at, "data draw --out faces --count 4 --size 16").ok();
    let model = root().join("models/pretrained/faces-tiny.bpk").display().to_string();
    for (name, line) in [
        ("trainer", "recipes"),
        ("trainer", "recipes cgan-mnist"),
        ("trainer", "data inspect faces"),
        ("trainer", "data inspect faces --json"),
        ("trainer", "man"),
        ("runtime", "man"),
        ("runtime", "devices"),
        ("runtime", &format!("inspect {model}")),
    ] {
        for (to, why) in [(">&-", "it is closed"), (">/dev/full", "No space left on device")] {
            let (code, err) = without_output(name, at, line, to);
            assert_eq!(code, Some(1), "{name} {line} {to}: {err}");
            assert!(err.contains("cannot write") && err.contains(why), "{name} {line} {to}: {err}");
            assert!(err.lines().count() == 1, "{name} {line} {to}: {err}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn files_are_written_though_their_names_cannot_be_printed() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fit(at, "--images 16 --out run").ok();
    trainer(at, "data draw --out faces --count 4 --size 16").ok();
    for (line, file) in [
        ("data draw --out OUT --count 4", "OUT"),
        ("data show faces --out OUT.png", "OUT.png"),
        ("data inspect faces --out OUT", "OUT/mean.png"),
        ("sample run --grid 2x2 --out OUT.png", "OUT.png"),
        ("export run --out OUT", "OUT/generator.onnx"),
        ("interpolate run --seeds 1,2 --steps 2 --out OUT.png", "OUT.png"),
    ] {
        for (to, out, want) in [(">&-", "closed", 0), (">/dev/full", "full", 1)] {
            let (line, file) = (line.replace("OUT", out), at.join(file.replace("OUT", out)));
            let (code, err) = without_output("trainer", at, &line, to);
            assert_eq!(code, Some(want), "{line} {to}: {err}");
            let warning = "warning: cannot write to standard output: No space left on device";
            assert_eq!(err.matches(warning).count(), want as usize, "{line} {to}: {err}");
            match file.is_dir() {
                true => fs::remove_dir_all(file).unwrap(),
                false => fs::remove_file(file).unwrap(),
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn names_of_a_stranger_and_names_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    // A run keeps its settings as text: refused, not changed.
    let name = OsStr::from_bytes(b"pictures\xff");
    trainer(at, "data draw --out plain --count 16 --size 16").ok();
    fs::rename(at.join("plain"), at.join(name)).unwrap();
    for option in ["--data", "--data-a", "--recipe"] {
        let mut command = command(at, &format!("fit {SMALL} {option}"));
        let output = command.arg(name).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(option) && err.contains("give a link"), "{err}");
    }
    std::os::unix::fs::symlink(name, at.join("link")).unwrap();
    fit(at, "--images 16 --data link --out run").ok();
    // Others take any name.
    let output = command(at, "data inspect").arg(name).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // What a terminal would obey is shown.
    fs::write(at.join("link/\u{1b}[2J\u{202e}.png"), "no picture").unwrap();
    for line in ["data inspect link", "data show link --out sheet.png"] {
        let text = trainer(at, line).ok();
        assert!(text.contains("\\u{1b}[2J\\u{202e}.png"), "{text}");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn more_archives_in_a_folder_than_files_that_may_be_open() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("parts")).unwrap();
    for i in 0..150u8 {
        let mut tar = Vec::new();
        for j in 0..2 {
            let ppm = [&b"P6 2 2 255\n"[..], &[i; 12]].concat();
            tar.extend(member(&format!("{j}.ppm"), &ppm));
        }
        tar.extend([0; 1024]);
        fs::write(at.join(format!("parts/part-{i:04}.tar")), tar).unwrap();
    }
    // Fewer open files than archives.
    let line = "ulimit -n 100; exec \"$0\" data inspect parts";
    let mut command = Command::new("sh");
    let output =
        command.args(["-c", line]).arg(program("trainer")).current_dir(at).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("images        300"), "{text}");
}

/// A file of a tar archive (POSIX 1003.1, pax, "ustar interchange format").
fn member(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
    header[148..156].fill(b' ');
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut member = [&header[..], bytes].concat();
    member.resize(member.len().next_multiple_of(512), 0);
    member
}
