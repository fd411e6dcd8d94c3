//! The dense GAN on IDX files: what an epoch writes, that it resumes bit for bit, that its files
//! run.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use runtime::npy::Array;
use toml::Table;
use trainer::config::Config;
use trainer::data::{DataSet, Form};
use trainer::export;
use trainer::fit::{End, Fit};
use trainer::networks;
use trainer::run::Run;
use trainer::run::log::Log;

const COUNT: u32 = 40;
const SIDE: u32 = 9;

/// Forty images of bars, with labels, as IDX.
fn data(dir: &Path) {
    let head = |kind: u8, sides: &[u32]| -> Vec<u8> {
        let sides = sides.iter().flat_map(|side| side.to_be_bytes());
        [0, 0, 8, kind].into_iter().chain(sides).collect()
    };
    let bar = |i: u32, at: u32| if at % SIDE == i % SIDE { 255 } else { 0 };
    let mut images = head(3, &[COUNT, SIDE, SIDE]);
    images.extend((0..COUNT).flat_map(|i| (0..SIDE * SIDE).map(move |at| bar(i, at))));
    let mut labels = head(1, &[COUNT]);
    labels.extend((0..COUNT).map(|i| (i % SIDE) as u8));
    fs::write(dir.join("train-images-idx3-ubyte"), images).unwrap();
    fs::write(dir.join("train-labels-idx1-ubyte"), labels).unwrap();
}

/// Trains until `epochs` epochs, from where the run in `root` is.
fn train(root: &Path, data: &Arc<DataSet>, epochs: &str) -> (End, Config) {
    let set = format!(
        "size = {SIDE}\nnz = 5\nngf = 4\nndf = 4\nbatch = 8\nepochs = {epochs}\nlog_every = 8\ncheckpoint_every = 40\nworkers = 1"
    );
    let cfg = Config::new(Some("gan-mnist"), &set.parse::<Table>().unwrap()).unwrap();
    let run = Run::at(root);
    run.create().unwrap();
    let log = Log::new(cfg.total(data.len()));
    let stop = AtomicBool::new(false);
    let end = Fit::new(&run, &cfg, data.clone(), None, &log, &stop).train().unwrap();
    (end, cfg)
}

/// The bytes of the exported record of a finished run: what its networks weigh, without the names
/// that change.
fn record(end: End, cfg: &Config, dir: &Path) -> Vec<u8> {
    let End::Done(state) = end else { panic!("nobody stopped it") };
    let device = cfg.device.open();
    let generator = networks::finished(&state.ema, cfg, 64, &device);
    let facts = runtime::graph::Facts::default();
    let files = export::export(&generator, cfg.nz, facts, dir, "bars", &device).unwrap();
    assert!(files.onnx.exists());
    fs::read(files.record).unwrap()
}

#[test]
fn epochs_are_shown_and_a_run_resumes_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    data(dir.path());
    let form =
        Form { size: SIDE, channels: 1, crop: trainer::data::Crop::Center, transpose: false };
    let set = Arc::new(DataSet::open(dir.path(), &form, 1).unwrap());
    assert_eq!(set.labels().len(), SIDE as usize);
    let (whole, halves) = (dir.path().join("whole"), dir.path().join("halves"));
    let (end, cfg) = train(&whole, &set, "3.0");
    train(&halves, &set, "1.0");
    let (other, _) = train(&halves, &set, "3.0");
    let out = dir.path().join("export");
    assert_eq!(record(end, &cfg, &out), record(other, &cfg, &out));

    for root in [&whole, &halves] {
        for epoch in 1..=3 {
            let sheet = root.join(format!("fake_images_epoch_{epoch:04}.png"));
            let sheet = codecs::open(sheet).unwrap();
            assert_eq!(sheet.width(), sheet.height());
            assert!(sheet.width() >= 8 * SIDE);
            let bytes = fs::read(root.join(format!("d_outputs_epoch_{epoch:04}.npy"))).unwrap();
            let array = Array::parse(&bytes).unwrap();
            assert_eq!(array.shape, [8, 8]);
            assert!(array.values().all(|p| (0.0..=1.0).contains(&p)), "{array:?}");
        }
        assert!(!root.join("fake_images_epoch_0004.png").exists());
    }
    let outputs = |root: &Path| fs::read(root.join("d_outputs_epoch_0003.npy")).unwrap();
    assert_eq!(outputs(&whole), outputs(&halves));
}

#[test]
fn a_size_that_the_networks_do_not_take() {
    let error = |text: &str| {
        Config::new(Some("gan-mnist"), &text.parse::<Table>().unwrap()).unwrap_err().to_string()
    };
    assert_eq!(error("size = 65"), "size is 65: must be 8 to 64 for the network mlp");
    let other = error("network = 'dcgan'");
    assert_eq!(other, "size is 28: must be 16, 32, 64 or 128 for the network dcgan");
}
