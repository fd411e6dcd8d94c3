//! How much a file may ask for: without limits, a file of 200 bytes can take gigabytes or hours.
//!
//! A file that asks for more is refused with [`Exceeded`] before anything of that size is
//! allocated or computed. All limits can be raised by the caller.

use core::fmt;

use crate::layer::LAYERS;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of a file that is read as a whole.
    File,
    /// Layers of a model. Beyond [`LAYERS`], raising it has no effect.
    Layers,
    /// Bytes of the arena, for all threads together.
    Arena,
    /// Multiply-adds for one face. Each value that a layer writes counts as 32 more, so that layers
    /// without multiplications count too.
    MultiplyAdds,
    /// Pixels of a picture.
    Pixels,
    /// Bytes of weights and other constants that are made from an ONNX file; also those of its
    /// description.
    Constants,
    /// The same for each byte of the ONNX file, above a first MiB.
    Expansion,
}

impl Limit {
    /// All of them, in the order of [`Limits`].
    pub const ALL: [Limit; 7] = [
        Limit::File,
        Limit::Layers,
        Limit::Arena,
        Limit::MultiplyAdds,
        Limit::Pixels,
        Limit::Constants,
        Limit::Expansion,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Limit::File => "file",
            Limit::Layers => "layers",
            Limit::Arena => "arena",
            Limit::MultiplyAdds => "multiply-adds",
            Limit::Pixels => "pixels",
            Limit::Constants => "constants",
            Limit::Expansion => "expansion",
        }
    }
}

/// More than a limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which limit.
    pub limit: Limit,
    /// What would be needed; at least this much.
    pub need: u64,
    /// The most that is allowed.
    pub most: u64,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exceeded { limit, need, most } = self;
        match limit {
            Limit::File => write!(f, "the file has more than {most} bytes"),
            Limit::Layers => write!(f, "{need} layers; at most {most} are supported"),
            Limit::Arena => write!(f, "the arena needs {need} bytes, more than {most}"),
            Limit::MultiplyAdds => {
                write!(f, "a face takes {need} multiply-adds, more than {most}")
            }
            Limit::Pixels => write!(f, "the picture would have more than {most} pixels"),
            Limit::Constants => write!(f, "its contents need more than {most} bytes"),
            Limit::Expansion => {
                write!(
                    f,
                    "its contents need more than {most} bytes, too many for a file this small"
                )
            }
        }
    }
}

impl core::error::Error for Exceeded {}

/// The most of everything; see [`Limit`] for the units.
///
/// ```
/// # use runtime_core as runtime;
/// use runtime::{Limit, Limits, Model, ModelError};
///
/// let record = runtime::include_record!("../../../models/pretrained/faces-tiny-int8.bpk");
/// let small = Limits { arena: 4096, ..Limits::DEFAULT };
/// let error = Model::parse_within(record, &small).unwrap_err();
/// assert!(matches!(error, ModelError::Limit(e) if e.limit == Limit::Arena));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`Limit::File`].
    pub file: u64,
    /// See [`Limit::Layers`].
    pub layers: u64,
    /// See [`Limit::Arena`].
    pub arena: u64,
    /// See [`Limit::MultiplyAdds`].
    pub multiply_adds: u64,
    /// See [`Limit::Pixels`].
    pub pixels: u64,
    /// See [`Limit::Constants`].
    pub constants: u64,
    /// See [`Limit::Expansion`].
    pub expansion: u64,
}

impl Limits {
    /// Bytes that an ONNX file of any size may need: room for what exporters compute from a few
    /// integers.
    #[doc(hidden)]
    pub const SMALL: u64 = 1 << 20;

    /// For files from strangers on a computer with a few GB of memory: a face takes seconds. The
    /// largest published translators of 256 px pictures need 57 billion multiply-adds (CycleGAN, 9
    /// blocks).
    pub const DEFAULT: Limits = Limits {
        file: 1 << 29,
        layers: LAYERS as u64,
        arena: 1 << 29,
        multiply_adds: 1 << 36,
        pixels: 1 << 27,
        constants: 1 << 30,
        expansion: 16,
    };

    /// None, for models that the program itself has made.
    pub const NONE: Limits = Limits {
        file: u64::MAX,
        layers: u64::MAX,
        arena: u64::MAX,
        multiply_adds: u64::MAX,
        pixels: u64::MAX,
        constants: u64::MAX,
        expansion: u64::MAX,
    };

    /// The most of one.
    pub fn of(&self, limit: Limit) -> u64 {
        match limit {
            Limit::File => self.file,
            Limit::Layers => self.layers,
            Limit::Arena => self.arena,
            Limit::MultiplyAdds => self.multiply_adds,
            Limit::Pixels => self.pixels,
            Limit::Constants => self.constants,
            Limit::Expansion => self.expansion,
        }
    }

    /// Sets one.
    pub fn set(&mut self, limit: Limit, most: u64) {
        let place = match limit {
            Limit::File => &mut self.file,
            Limit::Layers => &mut self.layers,
            Limit::Arena => &mut self.arena,
            Limit::MultiplyAdds => &mut self.multiply_adds,
            Limit::Pixels => &mut self.pixels,
            Limit::Constants => &mut self.constants,
            Limit::Expansion => &mut self.expansion,
        };
        *place = most;
    }

    /// Whether `need` is within a limit.
    ///
    /// # Errors
    /// [`Exceeded`] if it is not.
    pub fn check(&self, limit: Limit, need: u64) -> Result<(), Exceeded> {
        let most = self.of(limit);
        match need <= most {
            true => Ok(()),
            false => Err(Exceeded { limit, need, most }),
        }
    }

    /// The limit on constants made from a file of `bytes` bytes.
    pub fn constants_of(&self, bytes: u64) -> (Limit, u64) {
        let expanded = bytes.saturating_mul(self.expansion).saturating_add(Limits::SMALL);
        match expanded < self.constants {
            true => (Limit::Expansion, expanded),
            false => (Limit::Constants, self.constants),
        }
    }
}

impl Default for Limits {
    /// [`Limits::DEFAULT`].
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_set_read_and_checked_at_its_edge() {
        for (i, limit) in Limit::ALL.into_iter().enumerate() {
            let most = 100 + i as u64;
            let mut limits = Limits::NONE;
            limits.set(limit, most);
            for other in Limit::ALL {
                let want = if other == limit { most } else { u64::MAX };
                assert_eq!(limits.of(other), want, "{other:?}");
            }
            assert_eq!(limits.check(limit, most), Ok(()));
            let need = most + 1;
            assert_eq!(limits.check(limit, need), Err(Exceeded { limit, need, most }));
        }
    }

    #[test]
    fn constants_grow_with_the_file_up_to_a_limit() {
        let limits = Limits { constants: 3 << 20, expansion: 4, ..Limits::DEFAULT };
        assert_eq!(limits.constants_of(0), (Limit::Expansion, 1 << 20));
        assert_eq!(limits.constants_of(1000), (Limit::Expansion, (1 << 20) + 4000));
        assert_eq!(limits.constants_of(1 << 20), (Limit::Constants, 3 << 20));
        assert_eq!(limits.constants_of(u64::MAX), (Limit::Constants, 3 << 20));
    }
}
