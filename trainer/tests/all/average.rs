//! Batch norm of the averaged generator.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Tensor;
use toml::Table;
use trainer::config::Config;
use trainer::data::{Batches, Crop, DataSet, Form};
use trainer::networks::noise::{self, Stream};
use trainer::networks::{finished, fresh};
use trainer::objective::{self, Batch};

/// Mean and deviation of all values of images.
fn moments(x: &Tensor<4>) -> [f32; 2] {
    let deviation = x.clone().inner().reshape([-1]).var(0).sqrt();
    [x.clone().inner().mean().into_scalar(), deviation.into_scalar()]
}

#[test]
fn an_average_wants_statistics_of_its_own() {
    let flags: Table =
        "size = 16\nngf = 8\nndf = 8\nnz = 8\nbatch = 16\nlr = 2e-3\nema = 500".parse().unwrap();
    let cfg = Config::new(None, &flags).unwrap();
    let device = cfg.device.open();
    let data = Arc::new(DataSet::drawn(
        64,
        0,
        &Form { size: 16, channels: 3, crop: Crop::Center, transpose: false },
        1,
    ));
    let mut state = fresh(&cfg, &device).unwrap();
    let mut batches = Batches::new(data, cfg.batch, 0, 0, 1);
    for _ in 0..120 {
        let batch = Batch::new(batches.next().unwrap(), &cfg, &device);
        objective::step(&mut state, batch, &cfg, &device);
    }
    state.ema.settle();
    // The activations that the average's own weights make: batch norm by the batch, as in training.
    let mut rng = noise::rng(1, Stream::Latents, 0);
    let z = noise::latents(1024, cfg.nz, &mut rng, &device);
    let finished = finished(&state.ema, &cfg, 2_048, &device);
    let copied = state.ema.clone().forward(z.clone().inner());
    let trained = fresh(&cfg, &device)
        .unwrap()
        .g
        .load_record(state.ema.clone().into_record())
        .forward(z.clone());
    let own = finished.forward(z.inner());
    let off = |x: &Tensor<4>| -> f32 {
        (x.clone().inner() - trained.clone().inner()).abs().mean().into_scalar()
    };
    let (of_own, of_copied) = (off(&own), off(&copied));
    assert!(
        of_own * 4.0 < of_copied,
        "statistics of the average are off by {of_own}, those of the trained weights by {of_copied}; {:?} {:?} {:?}",
        moments(&own),
        moments(&copied),
        moments(&trained)
    );
}
