//! The variants of the program.

use super::tile::{Pass, Tile};

/// How contiguous values of a tensor can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Their number is a multiple of the tile's `k`: the terms of a tile belong to a single tap.
    Whole,
    /// Their number is a multiple of 4.
    Vectors,
    /// Their number is arbitrary.
    Scalars,
}

impl Access {
    /// How `length` values can be read by a tile of `k` terms.
    pub fn of(length: usize, k: usize) -> Access {
        match length {
            _ if length.is_multiple_of(k) => Access::Whole,
            _ if length.is_multiple_of(4) => Access::Vectors,
            _ => Access::Scalars,
        }
    }

    /// Whether four values can be read at a time.
    pub fn vectors(self) -> bool {
        self != Access::Scalars
    }
}

/// A matrix product: a pass by a tile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gemm {
    /// The pass.
    pub pass: Pass,
    /// The tile.
    pub tile: Tile,
    /// Access to the channels of `x`.
    pub channels: Access,
    /// Access to the features, which are the channels of `y`.
    pub features: Access,
    /// Whether rows and columns of `y` are powers of two, so that shifts divide by them.
    pub shifts: bool,
}

impl Gemm {
    /// Whether the left factor, the right factor and the result are accessed value by value.
    pub fn scalar(&self) -> [bool; 3] {
        let (c, f) = (!self.channels.vectors(), !self.features.vectors());
        match self.pass {
            Pass::Forward => [c, c, f],
            Pass::Data => [f, c, c],
            Pass::Weight => [f, c, c],
        }
    }

    /// Whether the terms of a tile belong to a single tap.
    pub fn whole(&self) -> bool {
        match self.pass {
            Pass::Forward => self.channels == Access::Whole,
            Pass::Data => self.features == Access::Whole,
            Pass::Weight => false,
        }
    }
}
