//! A face as firmware makes it: a record in flash, a static arena, no heap. The core is `no_std`;
//! only printing the result is not.

use std::cell::RefCell;

use runtime::{Cpu, Latent, Model};

static FACES: &[u8] = runtime::include_record!("../../models/pretrained/faces-tiny-int8.bpk");

/// What `Model::arena_len` returns for this record. A build script can compute it: see
/// `runtime::embed`.
const ARENA: usize = 1796;

thread_local! {
    static MEMORY: RefCell<[f32; ARENA]> = const { RefCell::new([0.0; ARENA]) };
}

fn main() -> Result<(), &'static str> {
    let model = Model::parse(FACES).map_err(|_| "the record is damaged")?;
    MEMORY.with_borrow_mut(|arena| {
        // Fails, with the length that the model needs, if the arena is too small.
        let mut cpu = Cpu::new(&model, arena).map_err(|_| "the arena is too small")?;
        let image = cpu.generate(&Latent::from_seed(42)).map_err(|_| "not the model's latent")?;
        let [red, green, blue] = image.pixel(image.width() / 2, image.height() / 2);
        println!("{} bytes of RAM, center pixel {red} {green} {blue}", size_of_val(arena));
        Ok(())
    })
}
