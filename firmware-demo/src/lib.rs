//! A kiosk: endless faces on anything embedded-graphics can draw on.
//!
//! It needs neither an operating system nor an allocator: the caller provides a backend (with its
//! arena) and a display.
//!
//! ```
//! use embedded_graphics::mock_display::MockDisplay;
//! use embedded_graphics::pixelcolor::Rgb888;
//! use firmware_demo::{Kiosk, Show};
//! use runtime::{Cpu, Model};
//!
//! let record = runtime::include_record!("../../models/pretrained/faces64.bpk");
//! let model = Model::parse(record).map_err(|e| e.to_string())?;
//! let mut arena = vec![0.0; model.arena_len()];
//! let cpu = Cpu::new(&model, &mut arena).map_err(|e| e.to_string())?;
//! let mut kiosk = Kiosk::new(cpu, Show::default());
//!
//! let mut display = MockDisplay::<Rgb888>::new();
//! display.set_allow_overdraw(true);
//! kiosk.step(&mut display).map_err(|e| e.to_string())?;
//! # Ok::<(), String>(())
//! ```
//!
//! With a model that turns pictures into pictures, [`sketch`] makes a panel that is drawn on.
#![no_std]

pub mod caption;
pub mod hours;
mod ink;
pub mod kiosk;
pub mod paint;
#[cfg(test)]
mod panel;
pub mod scale;
pub mod show;
pub mod sketch;
pub mod touch;
pub mod turn;

pub use hours::{Clock, Hours};
pub use kiosk::{Kiosk, KioskError};
pub use paint::Paint;
pub use scale::{Fit, Scaling};
pub use show::Show;
pub use sketch::Sketch;
pub use touch::{Touch, Touchscreen};
pub use turn::Turn;
