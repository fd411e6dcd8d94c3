//! The instructions. The compiler knows nothing of tiles, so nothing else uses them: they keep their contents from
//! one function here to the next. Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights.

use core::arch::asm;
use core::marker::PhantomData;

use super::panels::Line;
use crate::layout::LANES;

/// Rows of a tile.
pub(super) const ROWS: usize = 16;
/// Tiles of sums.
pub(super) const SUMS: usize = 4;

/// A tile in memory.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Tile(pub [Line; ROWS]);

/// A tile of zeros.
pub(super) const ZERO: Tile = Tile([Line([0; 64]); ROWS]);

/// A thread that may use tiles.
pub(super) struct Tiles(PhantomData<*const ()>);

/// How many rows and bytes of a row each tile has.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start: u8,
    zero: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

/// An instruction on tiles.
macro_rules! tiles {
    ($($instruction:literal),+; $($operand:tt)*) => {
        asm!($($instruction),+, $($operand)*
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack, preserves_flags))
    };
}

impl Tiles {
    /// Sets the shape of all tiles.
    ///
    /// # Safety
    /// The CPU has AMX, and the system lets this process use it.
    pub unsafe fn new() -> Tiles {
        let mut config =
            Config { palette: 1, start: 0, zero: [0; 14], bytes: [0; 16], rows: [0; 16] };
        config.bytes[..8].fill(size_of::<Line>() as u16);
        config.rows[..8].fill(ROWS as u8);
        // SAFETY: as promised by the caller.
        unsafe { tiles!("ldtilecfg [{config}]"; config = in(reg) &raw const config,) };
        Tiles(PhantomData)
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the value proves that there are tiles.
        unsafe { tiles!("tilerelease";) };
    }
}

/// Zeros.
///
/// # Safety
/// There is a [`Tiles`]; so below.
#[inline(always)]
unsafe fn zero<const T: u8>() {
    // SAFETY: as promised by the caller; so below.
    unsafe { tiles!("tilezero tmm{t}"; t = const T,) };
}

/// Loads 16 lines.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn load<const T: u8>(from: *const Line) {
    unsafe {
        tiles!("tileloadd tmm{t}, [{from} + {step}*1]"; t = const T,
            from = in(reg) from, step = in(reg) size_of::<Line>(),);
    }
}

/// Stores 16 lines.
///
/// # Safety
/// They are writable.
#[inline(always)]
unsafe fn store<const T: u8>(to: *mut Tile) {
    unsafe {
        tiles!("tilestored [{to} + {step}*1], tmm{t}"; t = const T,
            to = in(reg) to, step = in(reg) size_of::<Line>(),);
    }
}

/// Products.
pub(super) trait Products {
    /// Adds those of tiles A and B to tile C.
    ///
    /// # Safety
    /// There is a [`Tiles`].
    unsafe fn add<const C: u8, const A: u8, const B: u8>();
}

/// Products of unsigned and signed bytes.
pub(super) struct OfBytes;

impl Products for OfBytes {
    #[inline(always)]
    unsafe fn add<const C: u8, const A: u8, const B: u8>() {
        // SAFETY: as promised by the caller; so below.
        unsafe { tiles!("tdpbusd tmm{c}, tmm{a}, tmm{b}"; c = const C, a = const A, b = const B,) };
    }
}

/// Products of 16-bit floats.
pub(super) struct OfHalves;

impl Products for OfHalves {
    #[inline(always)]
    unsafe fn add<const C: u8, const A: u8, const B: u8>() {
        unsafe {
            tiles!("tdpbf16ps tmm{c}, tmm{a}, tmm{b}"; c = const C, a = const A, b = const B,)
        };
    }
}

/// Clears the sums.
///
/// # Safety
/// There is a [`Tiles`].
#[inline(always)]
pub(super) unsafe fn clear() {
    unsafe {
        zero::<0>();
        zero::<1>();
        zero::<2>();
        zero::<3>();
    }
}

/// Stores the sums.
///
/// # Safety
/// There is a [`Tiles`].
#[inline(always)]
pub(super) unsafe fn sums(to: &mut [Tile; SUMS]) {
    let to = to.as_mut_ptr();
    // SAFETY: as promised by the caller; the array has that many.
    unsafe {
        store::<0>(to);
        store::<1>(to.add(1));
        store::<2>(to.add(2));
        store::<3>(to.add(3));
    }
}

/// Adds the products of `M` tiles of inputs, one after another in memory, and `N` tiles of weights to as many sums,
/// those of the first inputs first. There are at most four, and at most two of weights if of inputs there is more
/// than one.
///
/// # Safety
/// There is a [`Tiles`], and the tiles are readable.
#[inline(always)]
pub(super) unsafe fn add<P: Products, const M: usize, const N: usize>(
    inputs: *const Line,
    weights: [*const Line; N],
) {
    const { assert!(M * N <= SUMS && (N <= 2 || M == 1)) };
    // SAFETY: as promised by the caller.
    unsafe {
        cell::<P, 0, M, N>(inputs, weights);
        cell::<P, 1, M, N>(inputs, weights);
        cell::<P, 2, M, N>(inputs, weights);
        cell::<P, 3, M, N>(inputs, weights);
    }
}

/// One of them.
///
/// # Safety
/// As [`add`].
#[inline(always)]
unsafe fn cell<P: Products, const C: u8, const M: usize, const N: usize>(
    inputs: *const Line,
    weights: [*const Line; N],
) {
    let (m, n) = (usize::from(C) / N, usize::from(C) % N);
    if m >= M {
        return;
    }
    // SAFETY: as promised by the caller.
    unsafe {
        let from = inputs.add(m * ROWS);
        match m % 2 {
            _ if n > 0 => {}
            0 => load::<4>(from),
            _ => load::<5>(from),
        }
        match n % 2 {
            _ if m > 0 => {}
            0 => load::<6>(weights[n]),
            _ => load::<7>(weights[n]),
        }
        match (m % 2, n % 2) {
            (0, 0) => P::add::<C, 4, 6>(),
            (0, _) => P::add::<C, 4, 7>(),
            (_, 0) => P::add::<C, 5, 6>(),
            (_, _) => P::add::<C, 5, 7>(),
        }
    }
}

impl Tile {
    /// A row of sums.
    pub fn row<T: Copy>(&self, row: usize) -> [T; LANES] {
        const { assert!(size_of::<T>() == 4) };
        // SAFETY: a line is 16 floats or integers, of which all patterns are valid.
        unsafe { (&raw const self.0[row]).cast::<[T; LANES]>().read() }
    }
}
