//! Instruction sets as types: the registers that a kernel is compiled for.

#[cfg(not(all(feature = "dsp", target_arch = "arm")))]
use super::dots;
use super::dots::{Bytes, Dots, Row};
#[cfg(all(feature = "dsp", target_arch = "arm"))]
use super::dsp;
use super::lanes::{self, Lanes, Stored};

/// An instruction set. A value of the type proves that this CPU has it.
pub(crate) trait Set: Copy {
    /// A register of floats.
    type Lanes: Lanes;
    /// 16 sums of float products, for weights stored as `W`.
    type Row<W: Stored>: Dots<X = f32, Weight = W, Sum = f32>;
    /// 16 sums of byte products.
    type Bytes: Bytes;
    /// Whether the compiler sees through the arithmetic, rather than through named instructions.
    #[cfg(feature = "std")]
    const PLAIN: bool = false;
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
}

/// Defines the token of an instruction set.
macro_rules! set {
    ($(#[$meta:meta])* $name:ident: $lanes:ty, $registers:literal, $bytes:ty) => {
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
        }
    };
}

set!(
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2: lanes::Avx2, 2, dots::Avx2
);
set!(
    /// AVX-512 F. Its byte products need VNNI or come from AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx512: lanes::Avx512, 1, dots::Avx2
);
set!(
    /// AVX-512 F with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni: lanes::Avx512, 1, dots::Vnni
);
set!(
    /// NEON.
    #[cfg(target_arch = "aarch64")]
    Neon: lanes::Neon, 4, dots::Neon
);
