//! What a training step on a GPU costs: alone in its process, since launches and memory are counted for all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::cubecl::logging::{LaunchObservation, LaunchObserver};
use burn::tensor::Tensor;
use runtime::gpu::adapters;
use trainer::config::Config;
use trainer::objective::{self, Batch};

#[derive(Default)]
struct Count(AtomicUsize);

impl LaunchObserver for Count {
    fn launched(&self, _: &'static str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A step leaves nothing behind, and the tutorial's has at most 250 launches.
#[test]
fn memory_stays_and_launches_are_few() {
    let Some(adapter) = adapters().into_iter().next() else {
        let required = std::env::var("POCKET_GAN_GPU").is_ok_and(|v| v == "required");
        assert!(!required, "Vulkan finds no adapter, and one is required");
        eprintln!("no adapter: not tested");
        return;
    };
    let device = trainer::config::on(&adapter).unwrap();
    let gpu = device.clone().autodiff();
    let narrow = "ngf = 4\nndf = 4\nnz = 8\nbatch = 8".parse().unwrap();
    let cfg = Config::new(Some("dcgan-tutorial"), &narrow).unwrap();
    let mut state = trainer::networks::fresh(&cfg, &gpu).unwrap();
    let mut step = || {
        let images = Tensor::zeros([cfg.batch, 3, 64, 64], &gpu);
        let batch = Batch { images, inputs: None, others: None, labels: Vec::new() };
        objective::step(&mut state, batch, &cfg, &gpu).into_data();
    };
    (0..4).for_each(|_| step());
    let used = || device.memory_pool_usage().unwrap().bytes_in_use;
    let before = used();
    (0..10).for_each(|_| step());
    assert!(used() <= before + (1 << 20), "{} bytes after {before}", used());
    let count = Arc::new(Count::default());
    let watching = LaunchObservation::new(count.clone());
    step();
    drop(watching);
    let count = count.0.load(Ordering::Relaxed);
    println!("{count} launches");
    assert!(count <= 250, "{count} launches");
}
