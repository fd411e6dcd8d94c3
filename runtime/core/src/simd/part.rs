//! A layer split among threads.

use core::marker::PhantomData;
use core::ops::Range;

use crate::layer::Layer;

/// One of several equal parts of a layer's work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    index: usize,
    of: usize,
}

impl Part {
    /// All of it.
    pub const WHOLE: Part = Part { index: 0, of: 1 };

    /// Part `index` of `of`.
    ///
    /// # Panics
    /// If `index` is not below `of`.
    #[cfg(feature = "std")]
    pub fn new(index: usize, of: usize) -> Part {
        assert!(index < of, "part {index} of {of}");
        Part { index, of }
    }

    /// Number of parts.
    pub fn of(self) -> usize {
        self.of
    }

    /// Its share of `n` consecutive things.
    pub fn share(self, n: usize) -> Range<usize> {
        n * self.index / self.of..n * (self.index + 1) / self.of
    }

    /// Does work that is not worth sharing in the first part.
    pub fn alone<T>(self, y: Places<'_, T>, work: impl FnOnce(&mut [T])) {
        if self.index == 0 {
            let len = y.len;
            // SAFETY: only the first part touches the output.
            work(unsafe { y.cut(0, len) });
        }
    }
}

/// The output of a layer, which its parts write in any order, each to its own places.
pub(crate) struct Places<'a, T> {
    start: *mut T,
    len: usize,
    of: PhantomData<&'a mut [T]>,
}

impl<T> Clone for Places<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Places<'_, T> {}

impl<'a, T> Places<'a, T> {
    /// The places of a slice.
    pub fn new(slice: &'a mut [T]) -> Places<'a, T> {
        Places { start: slice.as_mut_ptr(), len: slice.len(), of: PhantomData }
    }

    /// The `len` places from `start`.
    ///
    /// # Safety
    /// They may be read and written during `'a`; everything else that does so keeps to other
    /// places.
    #[cfg(feature = "std")]
    pub unsafe fn raw(start: *mut T, len: usize) -> Places<'a, T> {
        Places { start, len, of: PhantomData }
    }

    /// `n` places from `at`.
    ///
    /// # Safety
    /// Nothing else reads or writes them while the slice is in use.
    ///
    /// # Panics
    /// If they are not all within the output.
    #[inline(always)]
    pub unsafe fn cut(self, at: usize, n: usize) -> &'a mut [T] {
        assert!(at <= self.len && n <= self.len - at, "within the output");
        // SAFETY: within the output, by the assertion; unshared, as promised by the caller.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(at), n) }
    }

    /// Writes one place.
    ///
    /// # Safety
    /// Nothing else reads or writes it at the same time.
    ///
    /// # Panics
    /// If it is not within the output.
    #[inline(always)]
    pub unsafe fn put(self, at: usize, value: T) {
        assert!(at < self.len, "within the output");
        // SAFETY: within the output, by the assertion; unshared, as promised by the caller.
        unsafe { self.start.add(at).write(value) }
    }
}

/// A part of a layer of floats, whose weights are stored as `W`.
pub(super) struct Work<'a, W> {
    pub layer: &'a Layer<'a>,
    pub weight: &'a [W],
    pub bias: &'a [f32],
    pub part: Part,
    pub x: &'a [f32],
    /// [`super::scratch_len`] values.
    pub scratch: &'a mut [f32],
    /// Nothing else writes the places of the part.
    pub y: Places<'a, f32>,
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn shares_partition_the_work() {
        for (n, of) in [(0, 1), (1, 3), (7, 2), (8, 3), (100, 7)] {
            let mut next = 0;
            for index in 0..of {
                let share = Part::new(index, of).share(n);
                assert_eq!(share.start, next);
                assert!(share.len().abs_diff(n / of) <= 1, "{n} by {of}");
                next = share.end;
            }
            assert_eq!(next, n);
        }
    }

    #[test]
    #[should_panic(expected = "within the output")]
    fn places_are_bounded() {
        let mut three = [0u8; 3];
        // SAFETY: nothing else refers to it.
        unsafe { Places::new(&mut three).cut(2, 2) };
    }
}
