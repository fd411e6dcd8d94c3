//! Keeping memory.
//!
//! A training step gives back and takes again the same few hundred megabytes. The C library of most Linux systems
//! returns pieces of more than 32 MiB to the system at once, which clears every page before it gives it again: at batch
//! 128 that took a third of a step's time. Its settings can be given from outside only, so the program starts itself
//! again with them.

/// Settings of glibc's allocator, as in mallopt(3): ask the system for no piece on its own, give none back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SETTINGS: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "4294967296"), ("MALLOC_TRIM_THRESHOLD_", "17179869184")];

/// Starts this program again with an allocator that keeps memory, once, unless the environment already says how. Where
/// that fails or means nothing, does nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep() {
    use std::os::unix::process::CommandExt;
    use std::{env, process::Command};

    let said = SETTINGS.iter().any(|(name, _)| env::var_os(name).is_some());
    if said || env::var_os("GLIBC_TUNABLES").is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else {
        return;
    };
    // Returns only if it could not: then it is slower, and no worse.
    let _ = Command::new(program).args(env::args_os().skip(1)).envs(SETTINGS).exec();
}

/// Starts this program again with an allocator that keeps memory, where that means anything.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep() {}
