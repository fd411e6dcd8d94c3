//! `runtime bench`: how long a face takes here, one thread, each kind of kernel.

use std::error::Error;
use std::time::{Duration, Instant};

use runtime::cpu::Cpu;
use runtime::latent::Latent;
use runtime::simd::Isa;

use super::load::Bytes;
use super::output;
use crate::Bench;

/// Prints a row a kind of kernel.
///
/// # Errors
/// One that names the file.
pub fn run(args: &Bench) -> Result<(), Box<dyn Error>> {
    let bytes = Bytes::load(args.model.as_deref())?;
    let model = bytes.model()?;
    let mut arena = vec![0.0; model.arena_len()];
    output::print(
        format!(
            "{:<12}{:>10}{:>12}{:>12}{:>12}{:>16}\n",
            "kernels", "faces", "min ms", "median ms", "faces/s", "Gmultiply-adds/s"
        )
        .as_bytes(),
    )?;
    for isa in Isa::all().into_iter().flatten() {
        let mut cpu = Cpu::with(&model, &mut arena, Some(isa))?;
        let mut times = Vec::new();
        // The first ones bring weights into the caches.
        for seed in 0..3 {
            cpu.generate(&Latent::from_seed(seed))?;
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs_f64(args.seconds) || times.is_empty() {
            let start = Instant::now();
            std::hint::black_box(cpu.generate(&Latent::from_seed(times.len() as u64))?);
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        let line = format!(
            "{:<12}{:>10}{:>12.3}{:>12.3}{:>12.0}{:>16.1}\n",
            isa.name(),
            times.len(),
            times[0] * 1e3,
            median * 1e3,
            1.0 / median,
            model.multiply_adds() as f64 / median / 1e9
        );
        output::print(line.as_bytes())?;
    }
    Ok(())
}
