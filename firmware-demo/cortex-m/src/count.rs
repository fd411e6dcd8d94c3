//! Counts instructions with the SysTick timer.
//!
//! On a board the timer counts cycles of the core. Under QEMU with `-icount shift=0` each instruction
//! takes one virtual nanosecond and the timer ticks at the rate of the board's clock; a loop of known
//! length calibrates instructions per tick.
#![allow(unsafe_code, reason = "a loop with a known number of instructions needs assembly")]

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;

/// Ticks until the 24-bit timer wraps.
const PERIOD: u32 = 1 << 24;

static PERIODS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    PERIODS.fetch_add(1, Ordering::Relaxed);
}

/// A running, calibrated timer.
pub struct Counter {
    /// Ticks of [`ROUNDS`] rounds of the calibration loop.
    calibration: u64,
}

/// Rounds of the calibration loop, of two instructions each.
const ROUNDS: u32 = 4_000_000;

impl Counter {
    /// Starts and calibrates the timer.
    pub fn start(mut timer: SYST) -> Counter {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(PERIOD - 1);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        let start = ticks();
        // SAFETY: the loop only changes a register of its own and the flags.
        unsafe {
            core::arch::asm!("2:", "subs {n}, #1", "bne 2b", n = inout(reg) ROUNDS => _);
        }
        Counter { calibration: (ticks() - start).max(1) }
    }

    /// Converts ticks to instructions.
    pub fn instructions(&self, ticks: u64) -> u64 {
        // No overflow within ten days at 1 GHz.
        ticks * (2 * ROUNDS as u64) / self.calibration
    }
}

/// Ticks since the timer was started.
pub fn ticks() -> u64 {
    loop {
        let before = PERIODS.load(Ordering::Relaxed);
        let left = SYST::get_current();
        // If the timer wraps between the two reads, a period counts twice or not at all.
        if before == PERIODS.load(Ordering::Relaxed) && !SCB::is_pendst_pending() {
            // The interrupt fires when the timer reaches 0, before it reloads.
            return before as u64 * PERIOD as u64 + ((PERIOD - left) % PERIOD) as u64;
        }
    }
}
