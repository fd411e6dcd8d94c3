//! No allocation: parsing a model and making faces under an allocator that panics.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use embedded_graphics::mock_display::MockDisplay;
use embedded_graphics::pixelcolor::Rgb565;
use firmware_demo::{Kiosk, Show};
use runtime::cpu::Cpu;
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::simd::Isa;

/// The system's allocator, which panics on a thread that forbade it.
struct Watched;

thread_local! {
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
}

#[allow(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Panicking allocates too: allow that before.
        if FORBIDDEN.replace(false) {
            panic!("allocates {} bytes", layout.size());
        }
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// Runs `work` with allocation forbidden.
fn without_allocation<T>(work: impl FnOnce() -> T) -> T {
    FORBIDDEN.set(true);
    let result = work();
    FORBIDDEN.set(false);
    result
}

const RECORD: &[u8] = runtime::include_record!("../../models/pretrained/faces64.bpk");

#[test]
fn parsing_and_generating_do_not_allocate() {
    let mut arena = vec![0.0; Model::parse(RECORD).unwrap().arena_len()];
    for isa in Isa::all().into_iter().chain([None]) {
        let sum = without_allocation(|| {
            let model = Model::parse(RECORD).ok()?;
            let mut cpu = Cpu::with(&model, &mut arena, isa).ok()?;
            let first = cpu.generate(&Latent::from_seed(1)).ok()?.pixel(9, 9)[0] as u32;
            let between = Latent::between(1, 2, 0.5).truncated(0.7);
            let image = cpu.generate(&between).ok()?;
            Some(first + image.pixels().map(|p| p[1] as u32).sum::<u32>())
        });
        assert!(sum.is_some_and(|sum| sum > 0), "{isa:?}");
    }
}

#[test]
fn the_kiosk_does_not_allocate() {
    let model = Model::parse(RECORD).unwrap();
    let mut arena = vec![0.0; model.arena_len()];
    let show = Show {
        dwell: 2,
        morph: 2,
        ..Show::default()
    };
    let mut kiosk = Kiosk::new(Cpu::new(&model, &mut arena).unwrap(), show);
    let mut display = MockDisplay::<Rgb565>::new();
    display.set_allow_overdraw(true);
    let steps = without_allocation(|| (0..9).filter(|_| kiosk.step(&mut display).is_ok()).count());
    assert_eq!(steps, 9);
}

#[test]
#[should_panic(expected = "allocates 3 bytes")]
fn an_allocation_would_be_noticed() {
    without_allocation(|| std::hint::black_box(vec![1u8; 3]));
}
