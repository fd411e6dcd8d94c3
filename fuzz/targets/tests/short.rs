//! Every reader with the same damaged inputs each time, a few seconds in all: what CI can do without
//! a fuzzer. `POCKET_GAN_FUZZ=10` tries ten times as many. See `fuzz/README.md` for more.

use std::time::{Duration, Instant};

use fuzz_targets::mutate::{Random, next, seeds};
use fuzz_targets::{TARGETS, Target};

/// Longest that an input may take here.
const SLOW: Duration = Duration::from_secs(10);

/// How many times the usual number of inputs to try.
fn times() -> u32 {
    std::env::var("POCKET_GAN_FUZZ").map_or(1, |times| times.parse().expect("a number of times"))
}

fn try_it(target: &Target) {
    let seeds = seeds(target);
    for seed in &seeds {
        (target.run)(seed);
    }
    let mut random = Random(1);
    for i in 0..target.short * times() {
        let before = random.0;
        let bytes = next(&mut random, &seeds, target.text);
        let start = Instant::now();
        let ended = std::panic::catch_unwind(|| (target.run)(&bytes));
        let took = start.elapsed();
        let again = format!("fuzz-targets {} --from {before} --count 1", target.name);
        assert!(ended.is_ok(), "input {i} is a fault; repeat it with `{again}`");
        assert!(took < SLOW, "input {i} takes {took:?}; repeat it with `{again}`");
    }
}

fn named(name: &str) {
    try_it(TARGETS.iter().find(|target| target.name == name).expect("a target"));
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            named(stringify!($name));
        })*

        #[test]
        fn no_target_is_left_out() {
            let tested = [$(stringify!($name)),*];
            assert!(TARGETS.iter().map(|target| target.name).eq(tested));
        }
    };
}

tests! {
    metadata record lines graph onnx npy translate kiosk sketch recipe checkpoint state safetensors
    idx numpy cifar table zip tar nested image pairs
}
