//! What the system tests share: the real programs, driven in scratch folders.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The path of one of the workspace's programs, built if it is missing or older than its sources.
///
/// `cargo test --workspace` has built all of them beside the tests.
///
/// # Panics
/// If it cannot be built.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<bool> = OnceLock::new();
    // Tests are in `target/PROFILE/deps`, programs one folder up.
    let this = std::env::current_exe().expect("a test knows its own path");
    let folder = this.ancestors().nth(2).expect("a test is in a target folder");
    let at = |name: &str| folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let built = BUILT.get_or_init(|| {
        // The plain programs and those with a GPU have the same path: only cargo can tell them apart.
        let gpu = cfg!(feature = "gpu");
        !gpu && PROGRAMS.iter().all(|name| is_current(&at(name))) || build(folder, gpu)
    });
    assert!(built, "the programs do not build");
    at(name)
}

const PROGRAMS: [&str; 3] = ["trainer", "runtime", "firmware-demo"];

/// What the programs are built from, beside the crates of Cargo.lock.
const SOURCES: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "models",
    "runtime",
    "trainer",
    "firmware-demo/src",
    "firmware-demo/Cargo.toml",
];

/// Whether a program is newer than all its sources. Cargo lists those in a file beside the program, but not when it builds
/// programs for tests.
fn is_current(program: &Path) -> bool {
    modified(program)
        .is_some_and(|built| SOURCES.iter().all(|path| is_older(&root().join(path), built)))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|m| m.modified()).ok()
}

/// Whether a file, or every file of a folder, was last written before `limit`; tests and runs do not count.
fn is_older(path: &Path, limit: SystemTime) -> bool {
    if !path.is_dir() {
        return modified(path).is_some_and(|at| at <= limit);
    }
    let Ok(mut entries) = std::fs::read_dir(path) else {
        return false;
    };
    let skipped = ["tests", "target", "runs", "engines", "kernels", "fuzz"];
    entries.all(|entry| {
        entry.is_ok_and(|entry| {
            skipped.iter().any(|name| entry.file_name() == *name) || is_older(&entry.path(), limit)
        })
    })
}

/// Whether the programs were built.
fn build(folder: &Path, gpu: bool) -> bool {
    let profile = match folder.file_name().and_then(|f| f.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let mut command = Command::new(env!("CARGO"));
    // What the tests themselves are built with: another selection of packages and features would build the programs again.
    command.args(["test", "--quiet", "--no-run", "--profile", profile]);
    match gpu {
        false => command.arg("--workspace"),
        true => command.args([
            "--package=runtime",
            "--package=models",
            "--package=trainer",
            "--package=tests",
            "--features=runtime/gpu,models/gpu,trainer/gpu,tests/gpu",
            "--lib",
            "--test=all",
            "--test=system",
            "--test=gpu",
        ]),
    };
    command.arg("--target-dir").arg(folder.parent().expect("a profile is in a target folder"));
    command.current_dir(root()).status().is_ok_and(|status| status.success())
}

/// The workspace.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A program that was run to its end.
pub struct Ran {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub out: Vec<u8>,
    /// What it complained about.
    pub err: String,
}

/// Runs a program in `dir` to its end.
///
/// # Panics
/// If it cannot be started.
pub fn run(name: &str, dir: &Path, args: &[&str]) -> Ran {
    let output: Output = Command::new(program(name))
        .args(args)
        .current_dir(dir)
        // A layer of Mesa's would tell of a display that is not there, in a line of its own.
        .env("NODEVICE_SELECT", "1")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    Ran {
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs `trainer` with the words of `line`.
///
/// # Panics
/// As [`run`].
pub fn trainer(dir: &Path, line: &str) -> Ran {
    run("trainer", dir, &line.split_whitespace().collect::<Vec<_>>())
}

impl Ran {
    /// The text it printed, once it is known to have succeeded.
    ///
    /// # Panics
    /// If it failed.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// The error it printed: one line of `error: ...`, exit code 1, no panic.
    ///
    /// # Panics
    /// If it was anything else.
    pub fn error(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", String::from_utf8_lossy(&self.out), self.err);
        let lines: Vec<&str> = self.err.lines().collect();
        let [line] = lines[..] else { panic!("not one line: {}", self.err) };
        line.strip_prefix("error: ").expect(line).to_owned()
    }

    /// The message about arguments that make no sense: exit code 2.
    ///
    /// # Panics
    /// If it was anything else.
    pub fn usage(self) -> String {
        assert_eq!(self.code, Some(2), "{}", self.err);
        self.err
    }
}

/// Names of what lies in a folder, sorted.
///
/// # Panics
/// If it cannot be read.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The README's code is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
