//! One face in the terminal: `cargo run --release -p runtime --example face -- 7`

use std::error::Error;

use runtime::{Cpu, Image, Latent, Model};

static FACES: &[u8] = runtime::include_record!("../../models/pretrained/faces64.bpk");

fn main() -> Result<(), Box<dyn Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(42), |seed| seed.parse())?;
    let model = Model::parse(FACES)?;
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::new(&model, &mut arena)?;
    let image = cpu.generate(&Latent::from_seed(seed))?;
    print!("{}", half_blocks(&image));
    Ok(())
}

/// Two pixels per character, above each other, in 24-bit color.
fn half_blocks(image: &Image<'_>) -> String {
    let mut text = String::new();
    for y in (0..image.height() - 1).step_by(2) {
        for x in 0..image.width() {
            let ([r, g, b], [s, h, c]) = (image.pixel(x, y), image.pixel(x, y + 1));
            text += &format!("\x1b[38;2;{r};{g};{b};48;2;{s};{h};{c}m\u{2580}");
        }
        text += "\x1b[0m\n";
    }
    text
}
