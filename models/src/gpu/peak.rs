//! What an adapter computes at most: a program of nothing but multiply-adds.

use burn::backend::wgpu::CubeTensor;

use super::launch::{Program, launch};
use super::tensor::empty;
use super::wgsl;

/// Multiply-adds of a launch of [`peak`] of this many rounds.
pub fn peak_work(rounds: u32) -> f64 {
    const VALUES: f64 = 12.0;
    f64::from(rounds)
        * Peak::REPEATED as f64
        * VALUES
        * f64::from(Peak::GROUPS)
        * Peak::THREADS as f64
}

/// Runs multiply-adds of 32-bit floats for this many rounds on the device of `like`.
pub fn peak(like: &CubeTensor, rounds: u32) {
    let never = empty(like, [4]);
    let params = [0.999f32.to_bits(), 0.001f32.to_bits(), rounds, 0];
    launch(Peak, [Peak::GROUPS, 1, 1], &[], &[&never], &params);
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Peak;

impl Peak {
    const GROUPS: u32 = 2048;
    const THREADS: usize = 256;
    const REPEATED: usize = 32;
}

impl Program for Peak {
    fn name(&self) -> &'static str {
        "peak"
    }

    fn text(&self) -> String {
        let round =
            "        a = fma(a, m, n);\n        b = fma(b, m, n);\n        c = fma(c, m, n);\n";
        wgsl::bindings(&[("never", "vec4<f32>")])
            + &include_str!("peak.wgsl").replace("REPEATED", &round.repeat(Peak::REPEATED))
            + &wgsl::per_value(Peak::THREADS)
    }
}
