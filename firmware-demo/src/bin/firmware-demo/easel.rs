//! The program's sketch: strokes, and the answers of a worker to them.

use embedded_graphics::draw_target::DrawTarget;
use firmware_demo::Paint;
use firmware_demo::sketch::{Sketch, SketchError};

use crate::worker::{Answer, Worker};

/// A drawing and its answers.
pub struct Easel<'m> {
    /// The drawing.
    pub sketch: Sketch<'m>,
    worker: &'m Worker,
    /// Bytes of the picture that the model takes.
    bytes: usize,
    /// Whether each drawing waits for its answer, as in a file.
    patient: bool,
    /// The version that was asked for last.
    asked: Option<u64>,
    answer: Option<Answer>,
}

impl<'m> Easel<'m> {
    /// A drawing for a model whose picture has this many bytes.
    pub fn new(sketch: Sketch<'m>, worker: &'m Worker, bytes: usize, patient: bool) -> Easel<'m> {
        Easel { sketch, worker, bytes, patient, asked: None, answer: None }
    }

    /// Whether each drawing waits for its answer.
    pub fn is_patient(&self) -> bool {
        self.patient
    }

    /// Whether an answer was asked for and has not come.
    pub fn is_waiting(&self) -> bool {
        let had = self.answer.as_ref().map(|answer| answer.version);
        self.asked.is_some() && self.asked != had
    }

    /// Draws what changed and the newest answer. Returns whether anything was drawn.
    ///
    /// # Errors
    /// Those of the sketch.
    pub fn draw<D>(&mut self, display: &mut D) -> Result<bool, SketchError<D::Error>>
    where
        D: DrawTarget<Color: Paint>,
    {
        let mut drawn = self.sketch.draw(display)?;
        if self.sketch.unanswered().is_some() {
            self.ask();
        }
        match self.patient {
            true => self.wait(),
            false => self.answer = self.worker.take().or(self.answer.take()),
        }
        if let Some(answer) = &self.answer {
            drawn |= self.sketch.answer(answer.image(), answer.version, display)?;
        }
        Ok(drawn)
    }

    /// The answer to the drawing as it is, which is waited for; `None` if nothing is drawn.
    pub fn current(&mut self) -> Option<&Answer> {
        if self.sketch.is_blank() {
            return None;
        }
        self.ask();
        self.wait();
        self.answer.as_ref()
    }

    /// Asks for the answer to the drawing, once.
    fn ask(&mut self) {
        let version = self.sketch.version();
        if self.asked != Some(version) {
            let mut pixels = vec![0; self.bytes];
            self.sketch.pixels(&mut pixels);
            self.worker.ask(version, pixels);
            self.asked = Some(version);
        }
    }

    /// Waits for the answer that was asked for last.
    fn wait(&mut self) {
        if let Some(version) = self.asked.filter(|_| self.is_waiting()) {
            self.answer = self.worker.wait(version);
        }
    }
}
