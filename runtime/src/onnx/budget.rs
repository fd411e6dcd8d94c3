//! How many bytes of constants a file may still make.

use core::cell::Cell;

use super::error::OnnxError;
use crate::limits::{Exceeded, Limit, Limits};

/// Bytes that are left. Copies are counted when they are made and never given back, so that both
/// the memory and the time of reading a file are in proportion to it.
pub(super) struct Budget {
    limit: Limit,
    most: u64,
    left: Cell<u64>,
}

impl Budget {
    /// That of a file of `bytes` bytes.
    pub fn new(bytes: usize, limits: &Limits) -> Budget {
        let (limit, most) = limits.constants_of(bytes as u64);
        Budget { limit, most, left: Cell::new(most) }
    }

    /// That of the fields of such a file, which need some room even if it has no constants.
    pub fn of_fields(bytes: usize, limits: &Limits) -> Budget {
        let constants = limits.constants.max(Limits::SMALL);
        Budget::new(bytes, &Limits { constants, ..*limits })
    }

    /// Takes `n` values of `size` bytes, before they are allocated.
    ///
    /// # Errors
    /// [`OnnxError::Limit`] if fewer are left.
    pub fn take(&self, n: usize, size: usize) -> Result<(), OnnxError> {
        let bytes = (n as u64).saturating_mul(size as u64);
        let left = self.left.get().checked_sub(bytes).ok_or_else(|| {
            let need = (self.most - self.left.get()).saturating_add(bytes);
            OnnxError::Limit(Exceeded { limit: self.limit, need, most: self.most })
        })?;
        self.left.set(left);
        Ok(())
    }

    /// Takes `n` floats.
    ///
    /// # Errors
    /// As [`Budget::take`].
    pub fn floats(&self, n: usize) -> Result<(), OnnxError> {
        self.take(n, size_of::<f32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_may_be_taken() {
        let limits = Limits { constants: 100, ..Limits::DEFAULT };
        let budget = Budget::new(10, &limits);
        budget.take(5, 8).unwrap();
        budget.floats(15).unwrap();
        budget.take(0, 8).unwrap();
        let exceeded = Exceeded { limit: Limit::Constants, need: 101, most: 100 };
        assert_eq!(budget.take(1, 1), Err(OnnxError::Limit(exceeded)));
        assert!(budget.take(usize::MAX, 8).is_err());
    }
}
