//! The instructions. The compiler knows nothing of tiles, so nothing else uses them: they keep their contents from
//! one function here to the next. Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights.

use core::arch::asm;
use core::marker::PhantomData;

#[cfg(feature = "std")]
use crate::layout::LANES;

/// Rows of a tile.
pub(super) const ROWS: usize = 16;
/// Tiles of sums.
pub(super) const SUMS: usize = 4;

/// 64 bytes of a pixel, or of weights.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u8; 64]);

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

/// Adds the products of unsigned and signed bytes of tiles A and B to tile C.
///
/// # Safety
/// There is a [`Tiles`].
#[inline(always)]
unsafe fn dot_bytes<const C: u8, const A: u8, const B: u8>() {
    unsafe { tiles!("tdpbusd tmm{c}, tmm{a}, tmm{b}"; c = const C, a = const A, b = const B,) };
}

/// Adds the products of 16-bit floats of tiles A and B to tile C.
///
/// # Safety
/// There is a [`Tiles`].
#[inline(always)]
unsafe fn dot_halves<const C: u8, const A: u8, const B: u8>() {
    unsafe { tiles!("tdpbf16ps tmm{c}, tmm{a}, tmm{b}"; c = const C, a = const A, b = const B,) };
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

/// Adds the products of `M` tiles of bytes, `spread` lines apart, and `N` tiles of weights to as many sums, those of
/// the first inputs first.
///
/// # Safety
/// There is a [`Tiles`], and the tiles are readable.
#[inline(always)]
pub(super) unsafe fn add_bytes<const M: usize, const N: usize>(
    inputs: (*const Line, usize),
    weights: [*const Line; N],
) {
    // SAFETY: as promised by the caller.
    unsafe {
        bytes_cell::<0, M, N>(inputs, weights);
        bytes_cell::<1, M, N>(inputs, weights);
        bytes_cell::<2, M, N>(inputs, weights);
        bytes_cell::<3, M, N>(inputs, weights);
    }
}

/// Those of one sum.
///
/// # Safety
/// As [`add_bytes`].
#[inline(always)]
unsafe fn bytes_cell<const C: u8, const M: usize, const N: usize>(
    (inputs, spread): (*const Line, usize),
    weights: [*const Line; N],
) {
    const { assert!(M * N <= SUMS) };
    let (m, n) = (usize::from(C) / N, usize::from(C) % N);
    if m >= M {
        return;
    }
    // SAFETY: as promised by the caller.
    unsafe {
        if n == 0 {
            load::<4>(inputs.add(m * spread));
        }
        // Two tiles of weights stay.
        match n % 2 {
            _ if m > 0 && N <= 2 => {}
            0 => load::<6>(weights[n]),
            _ => load::<7>(weights[n]),
        }
        match n % 2 {
            0 => dot_bytes::<C, 4, 6>(),
            _ => dot_bytes::<C, 4, 7>(),
        }
    }
}

/// Adds to sum `C` of `M` times `N` the products of floats: inputs are tiles of 16-bit floats, `spread` lines apart, and
/// `apart` lines further of what they leave, weights are pairs of such tiles.
///
/// # Safety
/// There is a [`Tiles`], the tiles are readable, and the sums before it were added to with the same tiles.
#[inline(always)]
pub(super) unsafe fn add_floats<const C: u8, const M: usize, const N: usize>(
    (inputs, spread, apart): (*const Line, usize, usize),
    weights: *const [Tile; 2],
) {
    const { assert!(M * N <= SUMS) };
    let (m, n) = (usize::from(C) / N, usize::from(C) % N);
    // SAFETY: as promised by the caller.
    unsafe {
        if n == 0 {
            load::<4>(inputs.add(m * spread));
            load::<5>(inputs.add(m * spread + apart));
        }
        if m == 0 || N > 1 {
            let weights = weights.cast::<Line>();
            load::<6>(weights);
            load::<7>(weights.add(ROWS));
        }
        dot_halves::<C, 4, 6>();
        dot_halves::<C, 5, 6>();
        dot_halves::<C, 4, 7>();
    }
}

/// Products and nothing else; returns how many multiply-adds of bytes or of floats they are.
///
/// # Safety
/// As [`Tiles::new`].
#[cfg(feature = "std")]
pub(in crate::simd) unsafe fn products(int8: bool, rounds: usize) -> usize {
    // SAFETY: as promised by the caller.
    unsafe {
        let _tiles = Tiles::new();
        for _ in 0..rounds {
            match int8 {
                true => {
                    dot_bytes::<0, 4, 6>();
                    dot_bytes::<1, 5, 6>();
                    dot_bytes::<2, 4, 7>();
                    dot_bytes::<3, 5, 7>();
                }
                false => {
                    dot_halves::<0, 4, 6>();
                    dot_halves::<1, 5, 6>();
                    dot_halves::<2, 4, 7>();
                    dot_halves::<3, 5, 7>();
                }
            }
        }
    }
    // A product of floats is three of 16-bit ones.
    let of_row = if int8 { size_of::<Line>() } else { size_of::<Line>() / 2 };
    let all = rounds * SUMS * ROWS * LANES * of_row;
    if int8 { all } else { all / 3 }
}
