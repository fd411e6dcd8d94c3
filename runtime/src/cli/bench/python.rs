//! A Python program that answers line by line, each within a time.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug)]
pub enum PythonError {
    /// The program cannot be started.
    Start(PathBuf, io::Error),
    /// It lacks this package.
    Missing(PathBuf, String),
    /// It ended: the last line it wrote to standard error.
    Ended(PathBuf, String),
    /// It did not answer in time.
    Hangs(PathBuf, Duration),
    /// It wrote another line than was expected.
    Answer(PathBuf, String),
}

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PythonError::Start(path, _) => write!(
                f,
                "cannot start {0}; install Python and then its packages (pip install onnxruntime numpy), \
                 or name another Python with --python",
                path.display()
            ),
            PythonError::Missing(path, package) => write!(
                f,
                "{0} has no package {package}; install it ({0} -m pip install onnxruntime numpy), \
                 or name another Python with --python",
                path.display()
            ),
            PythonError::Ended(path, why) if why.is_empty() => {
                write!(f, "{} ended without an answer", path.display())
            }
            PythonError::Ended(path, why) => write!(f, "{} failed: {why}", path.display()),
            PythonError::Hangs(path, within) => write!(
                f,
                "{} did not answer within {:.0} seconds and was stopped",
                path.display(),
                within.as_secs_f64().ceil()
            ),
            PythonError::Answer(path, line) => {
                write!(f, "{} wrote {line:?} instead of an answer", path.display())
            }
        }
    }
}

impl std::error::Error for PythonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PythonError::Start(_, error) => Some(error),
            PythonError::Missing(..)
            | PythonError::Ended(..)
            | PythonError::Hangs(..)
            | PythonError::Answer(..) => None,
        }
    }
}

/// A running Python, which is stopped when this is dropped.
pub struct Python {
    program: PathBuf,
    child: Child,
    questions: Option<ChildStdin>,
    answers: Receiver<String>,
    /// Standard error: a file, because a full pipe would block the child.
    errors: File,
}

/// Most bytes of a line, and of the end of standard error that is read.
const MOST: u64 = 4096;

impl Python {
    /// Starts `program` with arguments.
    ///
    /// # Errors
    /// [`PythonError::Start`].
    pub fn start<'a>(
        program: &Path,
        args: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<Python, PythonError> {
        let failed = |e| PythonError::Start(program.into(), e);
        // It has no name, so that nothing can be left behind.
        let errors = tempfile::tempfile().map_err(failed)?;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let (send, answers) = channel();
        if let Some(out) = child.stdout.take() {
            let mut out = BufReader::new(out);
            // It ends with the pipe. Nobody waits for it: a child of the child may hold the pipe.
            thread::spawn(move || {
                loop {
                    let mut line = Vec::new();
                    match out.by_ref().take(MOST).read_until(b'\n', &mut line) {
                        Ok(0) | Err(_) => break,
                        Ok(_) => {
                            let line = String::from_utf8_lossy(&line).trim_end().to_string();
                            if send.send(line).is_err() {
                                break;
                            }
                        }
                    }
                }
            });
        }
        let questions = child.stdin.take();
        Ok(Python { program: program.into(), child, questions, answers, errors })
    }

    /// Writes an empty line, which asks for an answer.
    pub fn ask(&mut self) {
        if let Some(to) = &mut self.questions {
            // If it has ended, reading the answer says so.
            let _ = to.write_all(b"\n").and_then(|()| to.flush());
        }
    }

    /// The words after `key` of the next line.
    ///
    /// # Errors
    /// [`PythonError`]; the child is of no use after it.
    pub fn answer(&mut self, key: &str, within: Duration) -> Result<Vec<String>, PythonError> {
        let program = self.program.clone();
        let line = match self.answers.recv_timeout(within) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                return Err(PythonError::Hangs(program, within));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PythonError::Ended(program, self.last_error()));
            }
        };
        let mut words = line.split_whitespace().map(str::to_string);
        match (words.next().as_deref(), line.is_ascii()) {
            (Some(word), true) if word == key => Ok(words.collect()),
            (Some("missing"), true) => {
                Err(PythonError::Missing(program, words.next().unwrap_or_default()))
            }
            _ => Err(PythonError::Answer(program, line)),
        }
    }

    /// [`PythonError::Answer`] for words that are not what they should be.
    pub fn unexpected(&self, words: &[String]) -> PythonError {
        PythonError::Answer(self.program.clone(), words.join(" "))
    }

    /// The last line of standard error: of a traceback, the one that says what is wrong.
    fn last_error(&mut self) -> String {
        let mut end = Vec::new();
        let length = self.errors.seek(SeekFrom::End(0)).unwrap_or(0);
        let from = SeekFrom::Start(length.saturating_sub(MOST));
        // Without it the message is shorter.
        let _ =
            self.errors.seek(from).and_then(|_| (&self.errors).take(MOST).read_to_end(&mut end));
        let text = String::from_utf8_lossy(&end);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or_default().trim().to_string()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A shell in place of Python.
    fn shell(script: &str) -> Python {
        Python::start(Path::new("sh"), ["-c", script].map(OsStr::new)).unwrap()
    }

    #[test]
    fn a_child_that_hangs_is_stopped() {
        let mut child = shell("exec sleep 60");
        let started = Instant::now();
        let error = child.answer("times", Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, PythonError::Hangs(..)), "{error}");
        let id = child.child.id();
        drop(child);
        assert!(started.elapsed() < Duration::from_secs(30));
        let alive = Command::new("sh").args(["-c", &format!("kill -0 {id}")]).output().unwrap();
        assert!(!alive.status.success(), "the child is still there");
    }

    #[test]
    fn questions_answers_and_errors() {
        let within = Duration::from_secs(60);
        let mut child = shell("read -r _ && echo times 1 2; echo why >&2; exit 1");
        child.ask();
        assert_eq!(child.answer("times", within).unwrap(), ["1", "2"]);
        child.ask();
        let error = child.answer("times", within).unwrap_err().to_string();
        assert_eq!(error, "sh failed: why");
        let mut child = shell("echo hello");
        let error = child.answer("times", within).unwrap_err().to_string();
        assert_eq!(error, "sh wrote \"hello\" instead of an answer");
    }
}
