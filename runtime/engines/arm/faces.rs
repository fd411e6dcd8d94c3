//! `faces MODEL PRECISION`: makes a face, then another with a mark after each layer for `count.c`; prints the layers
//! and their multiply-adds, and how close the pixels of 16 faces are to those of packed f32 on the same CPU.

use runtime::graph::Graph;
use runtime::record::Buffer;
use runtime::{Cpu, Isa, Latent, Model};

fn mark() {
    // SAFETY: a hint without a meaning does nothing.
    unsafe { core::arch::asm!("hint #100", options(nostack)) };
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [path, precision] = [1, 2].map(|i| std::env::args().nth(i).unwrap_or_default());
    let bytes = Buffer::from(&std::fs::read(path)?);
    let model = Model::parse(bytes.bytes()).map_err(|e| e.to_string())?;
    let graph = Graph::from_model(&model);
    let record = Buffer::from(&match precision.as_str() {
        "packed" => graph.pack()?,
        "f16" => graph.halve()?,
        "int8" => graph.quantize(0..1)?,
        _ => graph.to_record()?,
    });
    let model = Model::parse(record.bytes()).map_err(|e| e.to_string())?;
    let mut arena = vec![0.0; model.arena_len()];
    let mut cpu = Cpu::with(&model, &mut arena, Some(Isa::from_env()?))?;
    cpu.generate(&Latent::from_seed(0))?;
    mark();
    cpu.watched(&Latent::from_seed(1), |_, _| mark())?;
    let exact = Buffer::from(&graph.pack()?);
    let exact = Model::parse(exact.bytes()).map_err(|e| e.to_string())?;
    let mut other_arena = vec![0.0; exact.arena_len()];
    let mut other = Cpu::with(&exact, &mut other_arena, Some(Isa::from_env()?))?;
    let (mut squares, mut most, mut count) = (0, 0, 0);
    for seed in 0..16 {
        let face = cpu.generate(&Latent::from_seed(seed))?;
        let exact = other.generate(&Latent::from_seed(seed))?;
        for (a, b) in face.pixels().flatten().zip(exact.pixels().flatten()) {
            let off = u64::from(a.abs_diff(b));
            (squares, most, count) = (squares + off * off, most.max(off), count + 1);
        }
    }
    let psnr = 10.0 * (65025.0 * f64::from(count) / (squares as f64).max(1e-3)).log10();
    println!("{psnr:.1} dB, at most {most} off");
    for layer in model.layers() {
        println!("{} {}", layer.name, layer.op.multiply_adds(layer.input, layer.output));
    }
    Ok(())
}
