//! What the system tests share: the real programs, driven in scratch folders.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

/// The path of one of the workspace's programs, built if it is not there.
///
/// # Panics
/// If it cannot be built.
pub fn program(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    // Tests lie in `target/PROFILE/deps`, programs one folder up.
    let this = std::env::current_exe().expect("a test knows its own path");
    let folder = this
        .ancestors()
        .nth(2)
        .expect("a test lies in a target folder");
    BUILT.call_once(|| {
        let release = folder.file_name().is_some_and(|f| f == "release");
        let profile = if release {
            "--profile=release"
        } else {
            "--profile=dev"
        };
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", profile, "--bins", "--target-dir"])
            .arg(folder.parent().expect("a profile lies in a target folder"))
            .args([
                "-p",
                "trainer",
                "-p",
                "runtime",
                "-p",
                "firmware-demo",
                "-p",
                "models",
                "-p",
                "tests",
            ])
            .args(match cfg!(feature = "gpu") {
                true => &["--features", "runtime/gpu,trainer/gpu"][..],
                false => &[],
            })
            .current_dir(root())
            .status();
        assert!(
            status.is_ok_and(|s| s.success()),
            "the programs do not build"
        );
    });
    folder
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION)
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
        assert_eq!(
            self.code,
            Some(1),
            "{}{}",
            String::from_utf8_lossy(&self.out),
            self.err
        );
        let lines: Vec<&str> = self.err.lines().collect();
        let [line] = lines[..] else {
            panic!("not one line: {}", self.err)
        };
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
    let mut names: Vec<String> = entries
        .map(|e| {
            e.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// The README's code is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
