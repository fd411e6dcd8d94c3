//! Instruction sets as types: the registers that a kernel is compiled for, and how a job is compiled
//! for each of them.

#[cfg(not(all(feature = "dsp", target_arch = "arm")))]
use super::dots;
use super::dots::{Bytes, Dots, Row};
#[cfg(all(feature = "dsp", target_arch = "arm"))]
use super::dsp;
use super::lanes::{self, Lanes, Stored};

/// Work that is compiled for each instruction set.
pub(crate) trait Job: Sized {
    /// What it returns.
    type Output;

    /// Does the work. Implementations are `#[inline(always)]`, so that they are compiled with the
    /// instructions of the caller.
    fn run<S: Set>(self, set: S) -> Self::Output;
}

/// A job compiled for each instruction set. These are functions of a trait, rather than free ones,
/// because the compiler puts those next to the job: jobs are compiled side by side, and again only
/// after a change to them.
pub(super) trait Compiled: Job {
    #[inline(never)]
    fn portable(self) -> Self::Output {
        self.run(Portable)
    }

    /// # Safety
    /// The CPU has what the function is compiled for; so below.
    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn avx2(self) -> Self::Output {
        // SAFETY: as promised by the caller; so below.
        self.run(unsafe { Avx2::new() })
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(enable = "avxvnni,avx2,fma,f16c")]
    unsafe fn avx_vnni(self) -> Self::Output {
        self.run(unsafe { AvxVnni::new() })
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx2,fma,f16c")]
    unsafe fn avx512(self) -> Self::Output {
        self.run(unsafe { Avx512::new() })
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512vnni,avx2,fma,f16c")]
    unsafe fn avx512_vnni(self) -> Self::Output {
        self.run(unsafe { Avx512Vnni::new() })
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    #[target_feature(
        enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512ifma,avx2,fma,f16c"
    )]
    unsafe fn avx512_vbmi(self) -> Self::Output {
        self.run(unsafe { Avx512Vbmi::new() })
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(never)]
    unsafe fn neon(self) -> Self::Output {
        self.run(unsafe { Neon::new() })
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(never)]
    #[target_feature(enable = "dotprod,fp16")]
    unsafe fn dotprod(self) -> Self::Output {
        self.run(unsafe { Dotprod::new() })
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(never)]
    #[target_feature(enable = "dotprod,fp16,i8mm")]
    unsafe fn i8mm(self) -> Self::Output {
        self.run(unsafe { I8mm::new() })
    }
}

impl<J: Job> Compiled for J {}

/// An instruction set. A value of the type proves that this CPU has it.
pub(crate) trait Set: Copy {
    /// A register of floats.
    type Lanes: Lanes;
    /// 16 sums of float products, for weights stored as `W`.
    type Row<W: Stored>: Dots<X = f32, Weight = W, Sum = f32>;
    /// 16 sums of byte products.
    type Bytes: Bytes;
    /// Whether there is arithmetic of 16-bit floats.
    #[cfg(target_arch = "aarch64")]
    const HALVES: bool = false;
    /// Whether the compiler sees through the arithmetic, rather than through named instructions.
    #[cfg(feature = "std")]
    const PLAIN: bool = false;

    /// Does a job in a function of its own, compiled once for all its callers.
    fn call<J: Job>(self, job: J) -> J::Output;
}

/// Whatever the target always has.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Set for Portable {
    type Lanes = lanes::Portable;
    type Row<W: Stored> = Row<lanes::Portable, W, 4>;
    #[cfg(not(all(feature = "dsp", target_arch = "arm")))]
    type Bytes = dots::Portable;
    // The feature promises that the CPU has the extension.
    #[cfg(all(feature = "dsp", target_arch = "arm"))]
    type Bytes = dsp::Dsp;
    #[cfg(feature = "std")]
    const PLAIN: bool = true;

    fn call<J: Job>(self, job: J) -> J::Output {
        job.portable()
    }
}

/// Defines the token of an instruction set.
macro_rules! set {
    ($(#[$meta:meta])* $name:ident, $function:ident: $lanes:ty, $registers:literal, $bytes:ty, $halves:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name(());

        $(#[$meta])*
        impl $name {
            /// # Safety
            /// This CPU has the instruction set.
            #[inline(always)]
            pub unsafe fn new() -> Self {
                $name(())
            }
        }

        $(#[$meta])*
        impl Set for $name {
            type Lanes = $lanes;
            type Row<W: Stored> = Row<$lanes, W, $registers>;
            type Bytes = $bytes;
            #[cfg(target_arch = "aarch64")]
            const HALVES: bool = $halves;

            fn call<J: Job>(self, job: J) -> J::Output {
                // SAFETY: the value proves that the CPU has the instruction set.
                unsafe { job.$function() }
            }
        }
    };
}

set!(
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2, avx2: lanes::Avx2, 2, dots::Avx2, false
);
set!(
    /// The same with AVX-VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni, avx_vnni: lanes::Avx2, 2, dots::AvxVnni, false
);
set!(
    /// AVX-512 F. Its byte products need VNNI or come from AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx512, avx512: lanes::Avx512, 1, dots::Avx2, false
);
set!(
    /// AVX-512 F with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni, avx512_vnni: lanes::Avx512, 1, dots::Vnni, false
);
set!(
    /// The same with bytes and words, registers of all lengths, and byte permutations.
    #[cfg(target_arch = "x86_64")]
    Avx512Vbmi, avx512_vbmi: lanes::Avx512, 1, dots::Vnni<true>, false
);
set!(
    /// NEON.
    #[cfg(target_arch = "aarch64")]
    Neon, neon: lanes::Neon, 4, dots::Neon, false
);
set!(
    /// NEON with dot products and arithmetic of 16-bit floats: Armv8.2, since the Cortex-A55 and
    /// A76.
    #[cfg(target_arch = "aarch64")]
    Dotprod, dotprod: lanes::Neon, 4, dots::Sdot, true
);
set!(
    /// The same with matrix products of bytes: Armv8.6, Armv9.
    #[cfg(target_arch = "aarch64")]
    I8mm, i8mm: lanes::Neon, 4, dots::Mmla, true
);
