//! Translates drawings beside the program: of several that wait, only the newest.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use runtime::Image;
use runtime::op::Shape;

/// What a model made of a version of the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The drawing's version.
    pub version: u64,
    /// Red, green and blue, row by row.
    bytes: Vec<u8>,
    shape: Shape,
}

impl Answer {
    /// Copies an image.
    pub fn new(version: u64, image: Image<'_>) -> Answer {
        Answer {
            version,
            bytes: image.pixels().flatten().collect(),
            shape: Shape::new(3, image.height(), image.width()),
        }
    }

    /// The image.
    pub fn image(&self) -> Image<'_> {
        Image::from_bytes(&self.bytes, self.shape)
    }
}

/// A thread that translates.
#[derive(Default)]
pub struct Worker {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// A drawing that waits: its version and pixels.
    wanted: Option<(u64, Vec<u8>)>,
    /// An answer that nobody has taken.
    answer: Option<Answer>,
    /// Whether one of the two sides is gone.
    closed: bool,
}

/// Closes a worker when it is dropped, also by a panic.
struct Closing<'w>(&'w Worker);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_all();
    }
}

impl Worker {
    /// Calls `work` with a worker that translates by calling `translate` with a drawing's version and
    /// pixels.
    pub fn with<R>(
        translate: impl FnMut(u64, &[u8]) -> Answer + Send,
        work: impl FnOnce(&Worker) -> R,
    ) -> R {
        let worker = Worker::default();
        thread::scope(|scope| {
            scope.spawn(|| worker.serve(translate));
            let _closing = Closing(&worker);
            work(&worker)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut translate: impl FnMut(u64, &[u8]) -> Answer) {
        let _closing = Closing(self);
        let mut state = self.state();
        while !state.closed {
            let Some((version, pixels)) = state.wanted.take() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let answer = translate(version, &pixels);
            state = self.state();
            state.answer = Some(answer);
            self.changed.notify_all();
        }
        drop(state);
    }

    /// Asks for the answer to a drawing, instead of one that still waits.
    pub fn ask(&self, version: u64, pixels: Vec<u8>) {
        self.state().wanted = Some((version, pixels));
        self.changed.notify_all();
    }

    /// The newest answer, if there is one that was not taken yet.
    pub fn take(&self) -> Option<Answer> {
        self.state().answer.take()
    }

    /// Waits for the answer to a version that was asked for; `None` if the worker has failed.
    pub fn wait(&self, version: u64) -> Option<Answer> {
        let mut state = self.state();
        loop {
            match state.answer.take() {
                Some(answer) if answer.version >= version => return Some(answer),
                Some(_) | None if state.closed => return None,
                Some(_) | None => {}
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn echo(version: u64, pixels: &[u8]) -> Answer {
        Answer::new(version, Image::from_bytes(pixels, Shape::new(1, 1, pixels.len())))
    }

    #[test]
    fn the_newest_drawing_wins() {
        let (start, started) = channel();
        let (go, gone) = channel::<()>();
        let mut seen = Vec::new();
        let versions = &mut seen;
        let translate = move |version, pixels: &[u8]| {
            versions.push(version);
            start.send(()).unwrap();
            gone.recv().unwrap();
            echo(version, pixels)
        };
        Worker::with(translate, |worker| {
            worker.ask(1, vec![1]);
            started.recv().unwrap();
            // While it works on the first, three more come.
            for version in 2..=4 {
                worker.ask(version, vec![version as u8]);
            }
            assert_eq!(worker.take(), None);
            go.send(()).unwrap();
            go.send(()).unwrap();
            assert_eq!(worker.wait(4), Some(echo(4, &[4])));
            assert_eq!(worker.take(), None);
        });
        assert_eq!(seen, [1, 4]);
    }

    #[test]
    fn a_worker_that_fails_is_not_waited_for() {
        let failed = std::panic::catch_unwind(|| {
            Worker::with(
                |_, _| panic!("a test"),
                |worker| {
                    worker.ask(1, vec![1]);
                    assert_eq!(worker.wait(1), None);
                },
            );
        });
        assert!(failed.is_err(), "the failure is passed on");
    }
}
