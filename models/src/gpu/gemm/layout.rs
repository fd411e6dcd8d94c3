//! The layout of a factor in workgroup memory.

/// Which neighbors in a factor are contiguous in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Major {
    /// Along the sum (K-major).
    K,
    /// Across it, along the rows or columns of the result (MN-major).
    Mn,
}

/// A factor in workgroup memory, in vectors of four values.
#[derive(Clone, Copy)]
pub struct Layout {
    /// The order, which is that of the tensor.
    pub major: Major,
    /// Rows of the left factor, or columns of the right one.
    pub rows: usize,
    /// Whether this is the left factor.
    pub left: bool,
    /// Whether matrix units read it.
    pub matrix: bool,
    /// Terms of the sum.
    pub k: usize,
}

impl Layout {
    /// Vectors from one group of four terms, or one term, or one row to the next. The padding keeps
    /// threads that access it together out of the same bank.
    pub fn pitch(&self) -> usize {
        match (self.major, self.matrix, self.left) {
            (Major::K, true, _) => self.k / 4 + 2,
            (Major::Mn, true, _) => self.rows / 4 + 2,
            (Major::K, false, true) => self.rows + 2,
            (Major::K, false, false) => self.rows + 10,
            (Major::Mn, false, _) => self.rows / 4,
        }
    }

    /// Vectors in all.
    pub fn len(&self) -> usize {
        match (self.major, self.matrix) {
            (Major::K, true) => self.rows * self.pitch(),
            (Major::K, false) => self.k / 4 * self.pitch(),
            (Major::Mn, _) => self.k * self.pitch(),
        }
    }

    /// The index of a vector: `near` counts vectors in the direction of the major order, `far`
    /// counts values in the other.
    pub fn index(&self, near: &str, far: &str) -> String {
        let pitch = self.pitch();
        match (self.major, self.matrix, self.left) {
            (Major::K, true, _) => format!("({far}) * {pitch}u + {near}"),
            (Major::K, false, true) => format!("{near} * {pitch}u + {far}"),
            (Major::K, false, false) => {
                let part = self.rows / 4 + 1;
                format!("{near} * {pitch}u + ({far}) % 4u * {part}u + ({far}) / 4u")
            }
            (Major::Mn, _, _) => format!("({far}) * {pitch}u + {near}"),
        }
    }
}
