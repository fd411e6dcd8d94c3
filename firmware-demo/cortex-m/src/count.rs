//! Counts instructions with the SysTick timer.
//!
//! On a board the timer counts cycles of the core. Under QEMU with `-icount shift=0` an instruction takes one virtual
//! nanosecond and the timer counts those at the rate of the board's clock, whatever that is; a loop of known length
//! tells how many instructions a tick is.
#![allow(unsafe_code, reason = "a loop whose instructions can be counted is written in assembly")]

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;

/// The timer has 24 bits.
const PERIOD: u32 = 1 << 24;

static PERIODS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    PERIODS.fetch_add(1, Ordering::Relaxed);
}

/// A running timer that knows what a tick is.
pub struct Counter {
    /// Instructions of [`ROUNDS`] rounds of the loop took so many ticks.
    calibration: u64,
}

/// Rounds of the loop: two instructions each.
const ROUNDS: u32 = 4_000_000;

impl Counter {
    /// Starts the timer and measures a tick.
    pub fn start(mut timer: SYST) -> Counter {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(PERIOD - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        let start = ticks();
        // SAFETY: the loop changes nothing but a register of its own and the flags.
        unsafe {
            core::arch::asm!("2:", "subs {n}, #1", "bne 2b", n = inout(reg) ROUNDS => _);
        }
        Counter { calibration: (ticks() - start).max(1) }
    }

    /// Instructions that so many ticks are.
    pub fn instructions(&self, ticks: u64) -> u64 {
        // Ten days of a core at 1 GHz do not overflow.
        ticks * (2 * ROUNDS as u64) / self.calibration
    }
}

/// Ticks since the timer was started.
pub fn ticks() -> u64 {
    loop {
        let before = PERIODS.load(Ordering::Relaxed);
        let left = SYST::get_current();
        // A period that ends in between would count twice or not at all.
        if before == PERIODS.load(Ordering::Relaxed) && !SCB::is_pendst_pending() {
            // The interrupt comes as the timer reaches 0, before it starts again from above.
            return before as u64 * PERIOD as u64 + ((PERIOD - left) % PERIOD) as u64;
        }
    }
}
