//! Whether this CPU has AMX and the system lets this process use it.

/// Asks once.
#[cfg(all(target_os = "linux", not(miri)))]
pub(in crate::simd) fn granted() -> bool {
    use std::sync::OnceLock;

    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| has_tiles() && ask())
}

/// Other systems are not asked.
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(in crate::simd) fn granted() -> bool {
    false
}

/// Whether the CPU has tiles and their products of bytes and of 16-bit floats, and the system saves tiles.
#[cfg(all(target_os = "linux", not(miri)))]
fn has_tiles() -> bool {
    use core::arch::x86_64::{__cpuid, __cpuid_count};

    const XSAVE: u32 = 1 << 27;
    const TILES: u32 = (1 << 22) | (1 << 24) | (1 << 25);
    const STATE: u64 = 3 << 17;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & XSAVE == 0 || __cpuid_count(7, 0).edx & TILES != TILES
    {
        return false;
    }
    let (low, high): (u32, u32);
    // SAFETY: the system uses XSAVE, so the register may be read.
    unsafe {
        core::arch::asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack));
    }
    (u64::from(high) << 32 | u64::from(low)) & STATE == STATE
}

/// Asks Linux for the permission that a process needs, because tiles make the memory larger in which the system
/// saves registers.
#[cfg(all(target_os = "linux", not(miri)))]
fn ask() -> bool {
    /// The number of `arch_prctl`, and of what it is to do.
    const CALL: i64 = 158;
    const ASK: u64 = 0x1023;
    /// The contents of tiles.
    const TILES: u64 = 18;
    let result: i64;
    // SAFETY: a system call that reads and writes no memory of this process; it keeps all registers but these.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") CALL => result,
            in("rdi") ASK,
            in("rsi") TILES,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}
