//! Which instruction set a kernel runs with: detected at run time with `std`, fixed at compile time
//! without.

use super::set::{Compiled, Job};

/// An instruction set that this CPU has.
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::Isa;
///
/// let names: Vec<&str> = Isa::all().into_iter().flatten().map(Isa::name).collect();
/// assert!(names.contains(&"scalar") && names.contains(&Isa::best().name()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx512Vbmi,
    #[cfg(target_arch = "x86_64")]
    Amx,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "aarch64")]
    Dotprod,
    #[cfg(target_arch = "aarch64")]
    I8mm,
}

/// The environment variable that chooses an instruction set.
#[cfg(feature = "std")]
const VARIABLE: &str = "POCKET_GAN_ISA";

/// `POCKET_GAN_ISA` names an instruction set that this CPU does not have: its value.
#[cfg(feature = "std")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsaError(pub std::string::String);

#[cfg(feature = "std")]
impl std::fmt::Display for IsaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{VARIABLE}={}: this CPU has", self.0)?;
        for (i, isa) in Isa::all().into_iter().flatten().enumerate() {
            write!(f, "{} {}", if i == 0 { "" } else { "," }, isa.name())?;
        }
        Ok(())
    }
}

#[cfg(feature = "std")]
impl std::error::Error for IsaError {}

/// Whether the CPU has these features: asked at run time if there is an operating system to ask.
#[cfg(target_arch = "x86_64")]
macro_rules! has {
    ($($feature:tt),+) => {{
        #[cfg(feature = "std")]
        let has = $(std::arch::is_x86_feature_detected!($feature))&&+;
        #[cfg(not(feature = "std"))]
        let has = cfg!(all($(target_feature = $feature),+));
        has
    }};
}

/// The same of a 64-bit Arm CPU.
#[cfg(target_arch = "aarch64")]
macro_rules! has {
    ($($feature:tt),+) => {{
        #[cfg(feature = "std")]
        let has = $(std::arch::is_aarch64_feature_detected!($feature))&&+;
        #[cfg(not(feature = "std"))]
        let has = cfg!(all($(target_feature = $feature),+));
        has
    }};
}

/// Whether there is AMX and may be used.
#[cfg(target_arch = "x86_64")]
fn granted() -> bool {
    #[cfg(feature = "std")]
    return super::amx::granted();
    // The system must be asked.
    #[cfg(not(feature = "std"))]
    false
}

impl Isa {
    /// The fastest one available.
    pub fn best() -> Isa {
        Isa::all().into_iter().flatten().last().unwrap_or(Isa(Kind::Portable))
    }

    /// All that are available, slowest first.
    #[cfg(target_arch = "x86_64")]
    pub fn all() -> [Option<Isa>; 6] {
        let avx512 = if has!("avx512vnni") { Kind::Avx512Vnni } else { Kind::Avx512 };
        let vbmi =
            has!("avx512vbmi", "avx512ifma", "avx512vnni", "avx512bw", "avx512dq", "avx512vl");
        [
            Some(Isa(Kind::Portable)),
            has!("avx2", "fma", "f16c").then_some(Isa(Kind::Avx2)),
            has!("avx2", "fma", "f16c", "avxvnni").then_some(Isa(Kind::AvxVnni)),
            has!("avx512f").then_some(Isa(avx512)),
            vbmi.then_some(Isa(Kind::Avx512Vbmi)),
            (vbmi && granted()).then_some(Isa(Kind::Amx)),
        ]
    }

    /// All that are available, slowest first. (Every 64-bit Arm CPU has NEON, and those with dot
    /// products have arithmetic of 16-bit floats.)
    #[cfg(target_arch = "aarch64")]
    pub fn all() -> [Option<Isa>; 6] {
        [
            Some(Isa(Kind::Portable)),
            Some(Isa(Kind::Neon)),
            has!("dotprod", "fp16").then_some(Isa(Kind::Dotprod)),
            has!("dotprod", "fp16", "i8mm").then_some(Isa(Kind::I8mm)),
            None,
            None,
        ]
    }

    /// All that are available, slowest first.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn all() -> [Option<Isa>; 6] {
        [Some(Isa(Kind::Portable)), None, None, None, None, None]
    }

    /// `scalar`, `avx2`, `avxvnni` (AVX2 with dot products of bytes), `avx512`, `avx512vbmi` (with tables in
    /// registers: Ice Lake, Zen 4), `amx` (the same with products of matrices: Sapphire Rapids), `neon`, `dotprod`
    /// (Armv8.2 with dot products and 16-bit floats) or `i8mm` (the same with matrix products of bytes).
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx512Vnni => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512Vbmi => "avx512vbmi",
            #[cfg(target_arch = "x86_64")]
            Kind::Amx => "amx",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Kind::Dotprod => "dotprod",
            #[cfg(target_arch = "aarch64")]
            Kind::I8mm => "i8mm",
        }
    }

    /// Whether f16 models are multiplied and partly added up in 16-bit floats, which is twice as fast.
    /// Otherwise their weights are widened and the arithmetic has 32 bits.
    pub fn has_halves(self) -> bool {
        match self.0 {
            Kind::Portable => false,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 | Kind::AvxVnni => false,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx512Vnni | Kind::Avx512Vbmi | Kind::Amx => false,
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => false,
            #[cfg(target_arch = "aarch64")]
            Kind::Dotprod | Kind::I8mm => true,
        }
    }

    /// Pixels of the smallest input for which Winograd pays. Of a small one the padding leaves out
    /// products anyway, and if sums of taps are made ahead, they take long for few tiles.
    pub(super) fn winograd_from(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 | Kind::AvxVnni => 17,
            _ => 2,
        }
    }

    /// Whether there are products of matrices.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_tiles(self) -> bool {
        self.0 == Kind::Amx
    }

    /// Whether bytes are multiplied by AVX2.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_pairs(self) -> bool {
        matches!(self.0, Kind::Avx2 | Kind::Avx512)
    }

    /// Whether there is AVX2.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_avx2(self) -> bool {
        self.0 != Kind::Portable
    }

    /// Whether there is AVX-VNNI without AVX-512.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_avx_vnni(self) -> bool {
        self.0 == Kind::AvxVnni
    }

    /// Whether there are tables in registers of AVX-512, with all that `Kind::Avx512Vbmi` stands for.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_vbmi(self) -> bool {
        matches!(self.0, Kind::Avx512Vbmi | Kind::Amx)
    }

    /// What multiplies bytes.
    #[cfg(feature = "std")]
    pub(super) fn byte_products(self) -> &'static str {
        match self.0 {
            Kind::Portable => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 | Kind::Avx512 => "vpmaddwd",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni | Kind::Avx512Vnni | Kind::Avx512Vbmi | Kind::Amx => "vpdpbusd",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "smlal",
            #[cfg(target_arch = "aarch64")]
            Kind::Dotprod => "sdot",
            #[cfg(target_arch = "aarch64")]
            Kind::I8mm => "usmmla",
        }
    }

    /// The one that the environment variable `POCKET_GAN_ISA` names, for comparisons; without it,
    /// the fastest.
    ///
    /// # Errors
    /// [`IsaError`] if this CPU does not have it.
    #[cfg(feature = "std")]
    pub fn from_env() -> Result<Isa, IsaError> {
        let Some(name) = std::env::var_os(VARIABLE) else {
            return Ok(Isa::best());
        };
        let named = Isa::all().into_iter().flatten().find(|isa| name == isa.name());
        named.ok_or_else(|| IsaError(name.to_string_lossy().into_owned()))
    }

    /// Whether `POCKET_GAN_ISA` is set.
    #[cfg(feature = "std")]
    pub fn is_forced() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    /// Does a job of floats with these instructions.
    pub(crate) fn floats<J: Job>(self, job: J) -> J::Output {
        match self.0 {
            Kind::Portable => job.portable(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX2, FMA and F16C.
            Kind::Avx2 | Kind::AvxVnni => unsafe { job.avx2() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX-512 F, which implies the others.
            Kind::Avx512 | Kind::Avx512Vnni | Kind::Avx512Vbmi | Kind::Amx => unsafe {
                job.avx512()
            },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: NEON is part of every aarch64 CPU that Rust targets.
            Kind::Neon => unsafe { job.neon() },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: `Isa::all` found dot products and arithmetic of 16-bit floats.
            Kind::Dotprod | Kind::I8mm => unsafe { job.dotprod() },
        }
    }

    /// Does a job of bytes with these instructions.
    pub(crate) fn bytes<J: Job>(self, job: J) -> J::Output {
        match self.0 {
            Kind::Portable => job.portable(),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX2, FMA and F16C, which AVX-512 F implies. It has no byte
            // products of its own.
            Kind::Avx2 | Kind::Avx512 => unsafe { job.avx2() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found those, and AVX-VNNI.
            Kind::AvxVnni => unsafe { job.avx_vnni() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found AVX-512 F, which implies the others, and VNNI.
            Kind::Avx512Vnni => unsafe { job.avx512_vnni() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Isa::all` found these, and byte permutations, products of 52 bits, and registers and
            // arithmetic of all lengths.
            Kind::Avx512Vbmi | Kind::Amx => unsafe { job.avx512_vbmi() },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: NEON is part of every aarch64 CPU that Rust targets.
            Kind::Neon => unsafe { job.neon() },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: `Isa::all` found dot products and arithmetic of 16-bit floats.
            Kind::Dotprod => unsafe { job.dotprod() },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: `Isa::all` found those, and matrix products of bytes.
            Kind::I8mm => unsafe { job.i8mm() },
        }
    }
}
