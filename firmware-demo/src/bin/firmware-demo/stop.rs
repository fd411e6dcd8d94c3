//! Ctrl-C, SIGTERM and a closed terminal ask the program to end, which it does between two frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request to end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Installs the signal handlers.
    ///
    /// # Errors
    /// If they cannot be installed.
    pub fn listen() -> Result<Stop, ctrlc::Error> {
        let stop = Stop::default();
        let asked = stop.clone();
        ctrlc::set_handler(move || asked.ask())?;
        Ok(stop)
    }

    /// Makes the request.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the request was made.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
