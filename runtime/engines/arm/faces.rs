//! `faces MODEL PRECISION`: makes a face, then another with a mark after each layer for `count.c`; prints the layers
//! and their multiply-adds.

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
    for layer in model.layers() {
        println!("{} {}", layer.name, layer.op.multiply_adds(layer.input, layer.output));
    }
    Ok(())
}
