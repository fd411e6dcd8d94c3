//! How deep the stack has been: what lies below it is painted first and looked at later.
#![allow(unsafe_code, reason = "the memory below the stack belongs to nobody yet")]

use core::ptr::{addr_of, read_volatile, write_volatile};

const PAINT: u32 = 0x5ac3_3c5a;

unsafe extern "C" {
    /// The end of the static data, from the linker.
    static mut __sheap: u32;
    /// The top of the stack, from the linker.
    static mut _stack_start: u32;
}

/// Paints everything between the static data and the stack.
pub fn paint() {
    let mut at = addr_of!(__sheap) as *mut u32;
    // Room for this function's own frame.
    let end = (cortex_m::register::msp::read() as usize - 64) as *mut u32;
    while at < end {
        // SAFETY: the words from the end of the static data to below the stack are RAM that nothing uses.
        unsafe {
            write_volatile(at, PAINT);
            at = at.add(1);
        }
    }
}

/// Bytes of stack that were used at most since [`paint`].
pub fn deepest() -> usize {
    let mut at = addr_of!(__sheap);
    let top = addr_of!(_stack_start);
    // SAFETY: as above, and the stack's own words are only read.
    while at < top && unsafe { read_volatile(at) } == PAINT {
        at = at.wrapping_add(1);
    }
    top as usize - at as usize
}

/// Bytes of static data: initialised, zeroed and whatever the linker put between them.
pub fn data() -> usize {
    // Both linker scripts and QEMU's models put RAM at a multiple of 16 MB.
    addr_of!(__sheap) as usize & 0xff_ffff
}
