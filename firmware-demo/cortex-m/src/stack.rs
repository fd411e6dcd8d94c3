//! The stack's high-water mark: free memory is painted first and inspected later.
#![allow(unsafe_code, reason = "accesses the unused memory below the stack")]

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
    // Leaves room for this function's own frame.
    let end = (cortex_m::register::msp::read() as usize - 64) as *mut u32;
    while at < end {
        // SAFETY: nothing uses the RAM between the static data and the stack.
        unsafe {
            write_volatile(at, PAINT);
            at = at.add(1);
        }
    }
}

/// The most bytes of stack in use at once since [`paint`].
pub fn deepest() -> usize {
    let mut at = addr_of!(__sheap);
    let top = addr_of!(_stack_start);
    // SAFETY: all words up to the top of the stack are RAM, and they are only read.
    while at < top && unsafe { read_volatile(at) } == PAINT {
        at = at.wrapping_add(1);
    }
    top as usize - at as usize
}

/// Bytes of static data: initialized, zeroed and padding.
pub fn data() -> usize {
    // RAM starts at a multiple of 16 MiB on each of these boards.
    addr_of!(__sheap) as usize & 0xff_ffff
}
