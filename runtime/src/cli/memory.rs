//! Large blocks of memory in large pages.
//!
//! The system finds memory for a page when it is first touched, which takes 2 to 3 µs in a virtual
//! machine: longer than filling it. A model has thousands of pages of 4 KiB, but few of 2 MiB, which
//! Linux has to be asked for.
#![allow(unsafe_code, reason = "an allocator, and calls into libc")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_void};
use std::ptr;

/// The allocator of the program: blocks of 2 MiB and more are mapped by themselves, the others are
/// the system's.
pub struct Memory;

/// A large page.
const LARGE: usize = 2 << 20;
/// Length to which mappings are rounded up: any page that is not a large one.
const PAGE: usize = 1 << 16;

const PROT_READ_WRITE: c_int = 1 | 2;
const MAP_PRIVATE_ANONYMOUS: c_int = 2 | 0x20;
const MADV_HUGEPAGE: c_int = 14;

unsafe extern "C" {
    fn mmap(
        at: *mut c_void,
        len: usize,
        prot: c_int,
        flags: c_int,
        fd: c_int,
        off: i64,
    ) -> *mut c_void;
    fn munmap(at: *mut c_void, len: usize) -> c_int;
    fn madvise(at: *mut c_void, len: usize, advice: c_int) -> c_int;
}

/// Whether a block is mapped by itself. It depends on nothing but the layout, by which a block is
/// also freed.
fn is_mapped(layout: Layout) -> bool {
    layout.size() >= LARGE
        && layout.align() <= 4096
        && layout.size() <= isize::MAX as usize - 2 * LARGE
}

/// Length of the mapping of a block: whole large pages, or with an end of less than half of one in
/// small pages, so that little memory is taken that was not asked for.
fn length(size: usize) -> usize {
    match size % LARGE {
        end if end < LARGE / 2 => size.next_multiple_of(PAGE),
        _ => size.next_multiple_of(LARGE),
    }
}

/// A mapping of zeros that begins with a large page; null if there is no memory.
fn map(size: usize) -> *mut u8 {
    let len = length(size);
    // SAFETY: a new mapping is nobody else's. What is unmapped lies in it, before and after the
    // block that is returned.
    unsafe {
        let all = mmap(ptr::null_mut(), len + LARGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
        if all.addr() == usize::MAX {
            return ptr::null_mut();
        }
        let before = all.addr().next_multiple_of(LARGE) - all.addr();
        let block = all.byte_add(before);
        if before > 0 {
            munmap(all, before);
        }
        munmap(block.byte_add(len), LARGE - before);
        // A hint: without large pages, small ones do.
        madvise(block, len / LARGE * LARGE, MADV_HUGEPAGE);
        block.cast()
    }
}

// SAFETY: a block is taken and given back by the same of the two, as `is_mapped` decides; mappings
// are aligned to a large page, and as long as the layout says.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match is_mapped(layout) {
            true => map(layout.size()),
            // SAFETY: the caller's.
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match is_mapped(layout) {
            true => map(layout.size()),
            // SAFETY: the caller's.
            false => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match is_mapped(layout) {
            // SAFETY: a mapping of that length, as `map` made it.
            true => unsafe {
                munmap(block.cast(), length(layout.size()));
            },
            // SAFETY: the caller's.
            false => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's: the size fits the alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: blocks are the caller's; the copied bytes are in both.
        unsafe {
            match (is_mapped(layout), is_mapped(new)) {
                (false, false) => System.realloc(block, layout, size),
                (true, true) if length(layout.size()) == length(size) => block,
                _ => {
                    let to = self.alloc(new);
                    if !to.is_null() {
                        ptr::copy_nonoverlapping(block, to, size.min(layout.size()));
                        self.dealloc(block, layout);
                    }
                    to
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn blocks_of_all_sizes_grow_and_shrink() {
        let sizes = [1, 4096, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE - 5, 9 * LARGE + 4097];
        for from in sizes {
            for to in sizes {
                let layout = Layout::from_size_align(from, 64).unwrap();
                // SAFETY: within the sizes asked for, and freed with the last.
                unsafe {
                    let block = Memory.alloc_zeroed(layout);
                    assert!(!block.is_null());
                    assert_eq!(block.addr() % if from < LARGE { 64 } else { LARGE }, 0);
                    assert_eq!([*block, *block.add(from - 1)], [0, 0], "{from}");
                    block.write_bytes(7, from);
                    let block = Memory.realloc(block, layout, to);
                    assert_eq!(block.addr() % 64, 0);
                    let kept = from.min(to);
                    assert!((0..kept).step_by(61).all(|i| *block.add(i) == 7), "{from} to {to}");
                    block.write_bytes(1, to);
                    Memory.dealloc(block, Layout::from_size_align(to, 64).unwrap());
                }
            }
        }
    }

    #[test]
    fn too_much_is_no_memory() {
        let layout = Layout::from_size_align(isize::MAX as usize - 4096, 8).unwrap();
        // SAFETY: nothing is there.
        unsafe {
            // Looked at, so that the call is not left out.
            assert!(black_box(Memory.alloc(layout)).is_null());
            let half = Layout::from_size_align(isize::MAX as usize / 2, 8).unwrap();
            assert!(Memory.alloc_zeroed(half).is_null());
            let small = Layout::from_size_align(LARGE, 8).unwrap();
            let block = Memory.alloc(small);
            assert!(Memory.realloc(block, small, half.size()).is_null());
            Memory.dealloc(block, small);
        }
    }
}
