//! Settings of the memory allocator.
//!
//! A training step frees and allocates the same few hundred megabytes. glibc returns blocks of more
//! than 32 MiB to the system at once, which clears every page before it hands it out again: at
//! batch 128 that took a third of a step. The allocator reads its settings from the environment at
//! start, so the program restarts itself with them.

/// Settings of glibc's allocator, see mallopt(3): never use mmap for a single block, never trim.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SETTINGS: [(&str, &str); 2] =
    [("MALLOC_MMAP_THRESHOLD_", "4294967296"), ("MALLOC_TRIM_THRESHOLD_", "17179869184")];

/// Restarts this program once with an allocator that keeps freed memory, unless the environment
/// already configures the allocator. Does nothing if that fails.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep() {
    use std::os::unix::process::CommandExt;
    use std::{env, process::Command};

    let is_set = SETTINGS.iter().any(|(name, _)| env::var_os(name).is_some());
    if is_set || env::var_os("GLIBC_TUNABLES").is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else {
        return;
    };
    // Returns only on failure: training is then slower.
    let _ = Command::new(program).args(env::args_os().skip(1)).envs(SETTINGS).exec();
}

/// Does nothing: only glibc needs these settings.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep() {}
