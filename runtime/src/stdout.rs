//! Whether a program was started with a standard output.
//!
//! Before `main`, Rust opens `/dev/null` in place of a closed standard output, so that a picture
//! written there would seem to succeed. This looks earlier, where the system allows it.
#![allow(unsafe_code, reason = "a function that runs before main, and a call into libc")]

use core::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard output was closed when the program started. Always `false` on systems other
/// than Linux.
pub fn was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

#[cfg(target_os = "linux")]
mod early {
    use core::ffi::c_int;
    use core::sync::atomic::Ordering;

    unsafe extern "C" {
        fn fcntl(fd: c_int, command: c_int, ...) -> c_int;
    }

    /// Reads the flags of a descriptor, and fails for a closed one.
    const F_GETFD: c_int = 1;
    const STDOUT: c_int = 1;

    // SAFETY: the C runtime calls the functions in this section one after another before `main`;
    // arguments that it passes are ignored, as C allows.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        // SAFETY: F_GETFD takes no further argument and changes nothing.
        let flags = unsafe { fcntl(STDOUT, F_GETFD) };
        super::CLOSED.store(flags < 0, Ordering::Relaxed);
    }
}
