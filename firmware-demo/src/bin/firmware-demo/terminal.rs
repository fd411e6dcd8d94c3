//! A terminal: two pixels per character, as upper half blocks in 24-bit color.

use std::io::{IsTerminal, Write, stdin, stdout};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode, size};
use embedded_graphics::geometry::Size;

use crate::canvas::Canvas;
use crate::options::Options;
use crate::screen::{Fault, Key, Scene, Screen};

/// A terminal that shows faces.
pub struct Terminal {
    canvas: Canvas,
    options: Options,
    /// The upper and lower pixel of each character on the screen; `None` if unknown.
    cells: Vec<Option<[[u8; 3]; 2]>>,
    /// Output collected for one write.
    out: Vec<u8>,
    keyboard: bool,
}

/// Switches to the alternate screen, hides the cursor and clears to black.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[48;2;0;0;0m\x1b[2J";
/// Restores the colors, the cursor and the main screen.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// Takes over the terminal on standard output. Keys are read if standard input is a terminal too.
///
/// # Errors
/// [`Fault::Never`] if standard output is not a terminal.
pub fn open(options: &Options) -> Result<Terminal, Fault> {
    if !stdout().is_terminal() {
        return Err(Fault::Never("standard output is not a terminal".into()));
    }
    let keyboard = stdin().is_terminal();
    if keyboard {
        enable_raw_mode().map_err(lost)?;
    }
    let mut terminal = Terminal {
        canvas: Canvas::new(Size::zero(), options.colors),
        options: options.clone(),
        cells: Vec::new(),
        out: ENTER.to_vec(),
        keyboard,
    };
    terminal.flush()?;
    Ok(terminal)
}

fn lost(error: std::io::Error) -> Fault {
    Fault::Lost(format!("the terminal failed: {error}"))
}

impl Terminal {
    fn flush(&mut self) -> Result<(), Fault> {
        let mut stdout = stdout().lock();
        let wrote = stdout.write_all(&self.out).and_then(|()| stdout.flush());
        self.out.clear();
        wrote.map_err(lost)
    }

    /// Resizes the canvas if the terminal was resized.
    fn follow_size(&mut self) {
        // Some terminals do not report a size.
        let (columns, rows) = match size() {
            Ok((columns @ 1.., rows @ 1..)) => (columns as u32, rows as u32),
            _ => (80, 24),
        };
        let whole = Size::new(columns, 2 * rows);
        let wanted = self.options.size.map_or(whole, |s| s.0.component_min(whole));
        if wanted != self.canvas.size() {
            self.canvas = Canvas::new(wanted, self.options.colors);
            self.cells = vec![None; (wanted.width * wanted.height.div_ceil(2)) as usize];
            self.out.extend(b"\x1b[48;2;0;0;0m\x1b[2J");
        }
    }

    /// Queues the characters that changed.
    fn paint(&mut self) {
        let width = self.canvas.size().width as usize;
        let pixels = self.canvas.pixels();
        let (mut pen, mut next) = (None, None);
        for (i, cell) in self.cells.iter_mut().enumerate() {
            let (column, row) = (i % width, i / width);
            let upper = pixels[2 * row * width + column];
            // An odd last row has no lower pixels.
            let lower = pixels.get((2 * row + 1) * width + column);
            let wanted = [upper, lower.copied().unwrap_or_default()];
            if *cell == Some(wanted) {
                continue;
            }
            *cell = Some(wanted);
            if next != Some(i) || column == 0 {
                self.out.extend(format!("\x1b[{};{}H", row + 1, column + 1).bytes());
            }
            next = Some(i + 1);
            if pen != Some(wanted) {
                let [[r, g, b], [x, y, z]] = wanted;
                let colors = format!("\x1b[38;2;{r};{g};{b};48;2;{x};{y};{z}m");
                self.out.extend(colors.bytes());
                pen = Some(wanted);
            }
            self.out.extend("▀".bytes());
        }
    }
}

impl Screen for Terminal {
    fn show(&mut self, scene: &mut Scene<'_, '_>) -> Result<(), Fault> {
        self.follow_size();
        if self.canvas.draw(scene)? {
            self.paint();
            self.flush()?;
        }
        Ok(())
    }

    fn key(&mut self) -> Result<Option<Key>, Fault> {
        while self.keyboard && poll(Duration::ZERO).map_err(lost)? {
            let Event::Key(key) = read().map_err(lost)? else {
                continue;
            };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            let pressed = match key.code {
                // In raw mode Ctrl-C is a key, not a signal.
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    Some(Key::Quit)
                }
                KeyCode::Char(' ') => Some(Key::Hold),
                KeyCode::Char('n') => Some(Key::Next),
                KeyCode::Char('p') => Some(Key::Previous),
                KeyCode::Char('f') => Some(Key::Favorite),
                KeyCode::Char('s') => Some(Key::Sleep),
                KeyCode::Char('q') => Some(Key::Quit),
                KeyCode::Right => Some(Key::Next),
                KeyCode::Left => Some(Key::Previous),
                KeyCode::Esc => Some(Key::Quit),
                _ => None,
            };
            if pressed.is_some() {
                return Ok(pressed);
            }
        }
        Ok(None)
    }

    fn leave(&mut self) -> Result<(), Fault> {
        // `drop` restores the terminal, also after an error.
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.out.clear();
        self.out.extend(LEAVE);
        // A terminal that is gone needs no cleanup.
        let _ = self.flush();
        if self.keyboard {
            let _ = disable_raw_mode();
        }
    }
}
