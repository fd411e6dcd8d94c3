//! The Vulkan backend makes the CPU's pictures and trains like the CPU, on every adapter.
//!
//! Without the feature `gpu` only the error messages are tested. Without an adapter the other tests
//! print a line and pass, unless the variable `POCKET_GAN_GPU` is `required`.

use tests::{run, trainer};

#[test]
fn devices_that_do_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    let error =
        run("runtime", dir.path(), &["generate", "--out", "x.png", "--device", "cuda"]).usage();
    assert!(error.contains("cpu, vulkan, vulkan:N or auto"), "{error}");
    let error = trainer(dir.path(), "fit --device cuda").error();
    assert!(error.contains("cpu, vulkan, vulkan:N or auto"), "{error}");
    let args = ["generate", "--out", "x.png", "--device", "vulkan:99"];
    let error = run("runtime", dir.path(), &args).error();
    assert!(error.contains("--device vulkan:99"), "{error}");
    assert!(!dir.path().join("x.png").exists());
    let half = ["generate", "--out", "x.png", "--device", "cpu", "--half"];
    let error = run("runtime", dir.path(), &half).error();
    assert!(error.contains("--half is for a GPU"), "{error}");
    let said = run("runtime", dir.path(), &["devices"]).ok();
    assert!(said.starts_with("cpu") && said.contains("vulkan"), "{said}");
}

#[cfg(feature = "gpu")]
mod on_vulkan {
    use std::fs;
    use std::process::{Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    use burn::tensor::Device;
    use models::dcgan::{Output, Shape, Style, Upsample};
    use models::{Sequential, autoencoder, dcgan, mlp};
    use runtime::backend::Backend;
    use runtime::cpu::Cpu;
    use runtime::gpu::{Adapter, Fallback, Gpu, GpuError, adapters};
    use runtime::graph::{Facts, Graph};
    use runtime::latent::Latent;
    use runtime::model::Model;
    use runtime::record::Buffer;
    use tests::{program, run, trainer};
    use trainer::config::Config;
    use trainer::export;
    use trainer::networks::noise::{self, Stream};
    use trainer::objective::{self, Batch};

    /// The adapters; none is a failure if they are required.
    fn found() -> Vec<Adapter> {
        let all = adapters();
        if all.is_empty() {
            let required = std::env::var("POCKET_GAN_GPU").is_ok_and(|v| v == "required");
            assert!(!required, "Vulkan finds no adapter, and one is required");
            eprintln!("no adapter: not tested");
        }
        all
    }

    fn record(net: &Sequential, nz: usize, facts: Facts) -> Buffer {
        let mut graph = export::graph(net, nz, facts);
        graph.fold();
        Buffer::from(&graph.to_record().unwrap())
    }

    /// Generators with every kind of layer, and different sizes and numbers of channels.
    fn generators() -> Vec<(&'static str, Buffer)> {
        let device = Device::flex();
        let shape = |size, channels| Shape { size, channels };
        let resize = Style { upsample: Upsample::Resize, norm: false, output: Output::Sigmoid };
        let nets = [
            ("64 px color", dcgan::generator(&shape(64, 3), 20, 8, 1, &device), 20),
            ("16 px gray", dcgan::generator(&shape(16, 1), 7, 3, 2, &device), 7),
            ("128 px", dcgan::generator(&shape(128, 3), 9, 2, 3, &device), 9),
            ("resize", dcgan::generator_as(resize, &shape(32, 3), 8, 4, 4, &device), 8),
            ("dense", mlp::generator(&shape(28, 1), 11, 16, 5, &device), 11),
            ("decoder", autoencoder::decoder(&shape(28, 1), &[12, 9], 3, 6, &device), 3),
        ];
        let all = nets.map(|(name, net, nz)| (name, record(&net.unwrap(), nz, Facts::default())));
        all.into()
    }

    #[test]
    fn the_same_seed_is_the_same_picture() {
        for adapter in found() {
            for (name, record) in generators() {
                let model = Model::parse(record.bytes()).unwrap();
                let mut gpu = Gpu::new(&model, &adapter, false).unwrap();
                let mut arena = vec![0.0; model.arena_len()];
                let mut cpu = Cpu::new(&model, &mut arena).unwrap();
                let latents: Vec<Latent> = (0..5)
                    .map(Latent::from_seed)
                    .chain([Latent::between(3, 9, 0.3), Latent::from_seed(4).truncated(0.5)])
                    .collect();
                gpu.generate_all(&latents).unwrap();
                for (i, latent) in latents.iter().enumerate() {
                    let want = cpu.generate(latent).unwrap();
                    let worst = want
                        .pixels()
                        .zip(gpu.image(i).pixels())
                        .flat_map(|(a, b)| [0, 1, 2].map(|c| a[c].abs_diff(b[c])))
                        .max();
                    assert!(worst <= Some(1), "{name}, face {i}, on {}: {worst:?}", adapter.name);
                }
            }
        }
    }

    #[test]
    fn sixteen_bits_are_near() {
        for adapter in found().into_iter().filter(|a| a.half) {
            let (_, record) = generators().swap_remove(0);
            let model = Model::parse(record.bytes()).unwrap();
            let mut faces = [false, true].map(|half| Gpu::new(&model, &adapter, half).unwrap());
            let [full, half] =
                faces.each_mut().map(|gpu| gpu.values(&[Latent::from_seed(8)]).unwrap());
            let off = full.iter().zip(&half).map(|(a, b)| (a - b).abs());
            let worst = off.fold(0.0, f32::max);
            assert!(worst > 0.0 && worst < 0.02, "{worst} on {}", adapter.name);
        }
    }

    #[test]
    fn a_thousand_at_once_and_a_conditional_one() {
        for adapter in found() {
            let device = Device::flex();
            let shape = Shape { size: 16, channels: 1 };
            let net = mlp::generator(&shape, 6 + 3, 4, 1, &device).unwrap();
            let facts =
                Facts { labels: ["a", "b", "c"].map(String::from).into(), ..Facts::default() };
            let record = record(&net, 6, facts);
            let model = Model::parse(record.bytes()).unwrap();
            let mut gpu = Gpu::new(&model, &adapter, false).unwrap();
            let latents: Vec<Latent> = (0..1000).map(|i| Latent::from_seed(i).labeled(2)).collect();
            let whole = gpu.values(&latents).unwrap();
            // An adapter that takes a few at once makes as many, and the same; other kernels may
            // sum in another order.
            let mut narrow = adapter.clone();
            narrow.largest_buffer = 200 * 16 * 16 * 4;
            let mut parts = Gpu::new(&model, &narrow, false).unwrap();
            let pairs = parts.values(&latents).unwrap();
            let pairs = pairs.iter().zip(&whole);
            assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-5);
            let mut arena = vec![0.0; model.arena_len()];
            let mut cpu = Cpu::new(&model, &mut arena).unwrap();
            let want = cpu.generate(&latents[999]).unwrap();
            let off = want.values().iter().zip(&whole[999 * 16 * 16..]);
            assert!(off.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-4);
        }
    }

    #[test]
    fn what_a_gpu_does_not_take() {
        let Some(adapter) = found().into_iter().next() else {
            return;
        };
        let (_, record) = generators().swap_remove(1);
        let model = Model::parse(record.bytes()).unwrap();
        let graph = Graph::from_model(&model);
        let int8 = Buffer::from(&graph.quantize(0..2).unwrap());
        let int8 = Model::parse(int8.bytes()).unwrap();
        let error = Gpu::new(&int8, &adapter, false).err().unwrap();
        assert!(error.to_string().contains("cannot run int8 records"), "{error}");
        let mut narrow = adapter.clone();
        narrow.largest_buffer = 100;
        let error = Gpu::new(&model, &narrow, false).err().unwrap();
        assert!(matches!(error, GpuError::TooLarge(_, 100)), "{error}");
        let mut whole = adapter.clone();
        whole.half = false;
        let error = Gpu::new(&model, &whole, true).err().unwrap();
        assert!(error.to_string().contains("does not support 16-bit floats"), "{error}");
        // A latent of another length is not the GPU's fault: nothing falls back.
        let gpu = Gpu::new(&model, &adapter, false).unwrap();
        let mut arena = vec![0.0; model.arena_len()];
        let cpu = Cpu::new(&model, &mut arena).unwrap();
        let mut both = Fallback::new(gpu, cpu, |error| panic!("{error}"));
        assert!(both.generate(&Latent::from_values(&[1.0])).is_err());
        assert!(both.on_gpu());
        both.generate(&Latent::from_seed(1)).unwrap();
    }

    /// Steps of a recipe on a device: what each says, and pictures of the generator that comes out.
    fn steps(cfg: &Config, count: u64, device: &Device) -> (Vec<Vec<f32>>, Vec<f32>) {
        let mut state = trainer::networks::fresh(cfg, device).unwrap();
        let said = (0..count).map(|i| {
            let mut rng = noise::rng(5, Stream::Mirror, i);
            let shape = [cfg.batch, cfg.channels, 16, 16];
            let images = noise::normal(shape, &mut rng, device).clamp(-1.0, 1.0);
            let labels = (0..cfg.batch).map(|i| i % 2).collect();
            let batch = Batch { images, inputs: None, others: None, labels };
            let said = objective::step(&mut state, batch, cfg, device);
            said.into_data().try_to_vec().unwrap()
        });
        let said = said.collect();
        let z = noise::seeds(0, 2, cfg.nz, cfg.labels.len(), &device.clone().inner());
        state.ema.settle();
        let images = state.ema.forward(z).into_data().try_to_vec().unwrap();
        (said, images)
    }

    fn config(recipe: Option<&str>, more: &str) -> Config {
        // The last word on a setting counts.
        let said = |line: &&str| {
            let key = line.split(' ').next();
            !more.lines().any(|line| line.split(' ').next() == key)
        };
        let base = "size = 16\nngf = 4\nndf = 4\nnz = 8\nbatch = 4\nlr = 1e-3";
        let base: Vec<&str> = base.lines().filter(said).collect();
        let text = format!("{}\n{more}", base.join("\n"));
        let cfg = Config::new(recipe, &text.parse().unwrap()).unwrap();
        cfg.classed(&["a".into(), "b".into()]).unwrap()
    }

    /// Steps on Vulkan and on the CPU are within `bound` of each other.
    fn alike(recipe: Option<&str>, more: &str, count: u64, bound: f32) {
        let Some(adapter) = found().into_iter().next() else {
            return;
        };
        let gpu = trainer::config::on(&adapter).unwrap().autodiff();
        let cfg = config(recipe, more);
        let (want, images) = steps(&cfg, count, &Device::flex().autodiff());
        let (got, others) = steps(&cfg, count, &gpu);
        for (i, (want, got)) in want.iter().zip(&got).enumerate() {
            for (a, b) in want.iter().zip(got) {
                assert!(
                    (a - b).abs() < bound * a.abs().max(1.0),
                    "{recipe:?} {more}, step {i}: {want:?} {got:?}"
                );
            }
        }
        let off = images.iter().zip(&others).map(|(a, b)| (a - b).abs());
        let worst = off.fold(0.0, f32::max);
        let bound = 10.0 * bound;
        assert!(worst < bound, "{recipe:?} {more}: images are off by {worst}");
    }

    #[test]
    fn training_is_the_same_training() {
        let gan = "penalty = 'r1r2'\nd_norm = false\nloss = 'rpgan'\nupsample = 'resize'";
        let hinge =
            "loss = 'hinge'\naugment = 'color,translation,cutout'\nchannels = 1\nspectral = true";
        let cases = [
            (None, ""),
            (None, gan),
            (None, hinge),
            (None, "loss = 'wasserstein'\nd_norm = false\nclip = 0.1\nd_steps = 2\nsmooth = 0.0"),
            (Some("cgan-mnist"), ""),
            (Some("vae"), "hidden = [16]"),
        ];
        for (recipe, more) in cases {
            alike(recipe, more, 4, 2e-3);
        }
    }

    /// Rounding grows from step to step, but slowly: after fifty every number is within a hundredth
    /// of the CPU's.
    #[test]
    fn fifty_steps_are_the_cpus() {
        alike(Some("dcgan-tutorial"), "ngf = 8\nndf = 8\nbatch = 6\nlr = 2e-4", 50, 1e-2);
    }

    #[test]
    fn a_run_on_a_gpu_repeats_to_the_bit() {
        let Some(adapter) = found().into_iter().next() else {
            return;
        };
        let gpu = trainer::config::on(&adapter).unwrap().autodiff();
        let cfg = config(None, "penalty = 'r1r2'\nd_norm = false\nloss = 'rpgan'\nbatch = 33");
        assert!(steps(&cfg, 3, &gpu) == steps(&cfg, 3, &gpu));
    }

    #[test]
    fn the_programs_on_a_gpu_and_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        // No driver is found: that is reported, and the CPU makes the faces.
        let blind = |args: &[&str]| {
            let mut command = Command::new(program("runtime"));
            command.args(args).current_dir(path);
            let none = path.join("none.json");
            command.env("VK_DRIVER_FILES", &none).env("VK_ICD_FILENAMES", &none);
            command.output().unwrap()
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let done = blind(&["generate", "--out", "cpu.png"]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert!(text(&done.stderr).contains("device: CPU (Vulkan finds no adapter)"));
        let failed = blind(&["generate", "--out", "x.png", "--device", "vulkan"]);
        assert_eq!(failed.status.code(), Some(1));
        assert!(
            text(&failed.stderr).contains("Vulkan finds no adapter"),
            "{}",
            text(&failed.stderr)
        );
        assert!(!path.join("x.png").exists());

        if found().is_empty() {
            return;
        }
        let args = ["generate", "--device", "vulkan", "--out", "gpu.png"];
        run("runtime", path, &args).ok();
        let read = |name: &str| codecs::open(path.join(name)).unwrap().into_rgb8();
        let (cpu, gpu) = (read("cpu.png"), read("gpu.png"));
        let worst = cpu.iter().zip(gpu.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(1), "{worst:?}");
        run(
            "runtime",
            path,
            &["generate", "--device", "vulkan", "--count", "70", "--out", "f.png"],
        )
        .ok();
        assert!(path.join("f-069.png").exists() && !path.join("f-070.png").exists());

        let small = "fit --device vulkan --out run --size 16 --ngf 2 --ndf 2 --nz 4 --batch 8 \
                     --set drawn=16 --set checkpoint_every=16 --set log_every=8 --images 16";
        let said = trainer(path, small).ok();
        assert!(said.contains("device: "), "{said}");
        // Software Vulkan has no matrix units, and says so before anything is written.
        let adapters = found();
        if adapters.first().is_some_and(|a| !a.is_real()) {
            let mixed = "fit --device vulkan --precision mixed --out mixed --set drawn=128";
            let error = trainer(path, mixed).error();
            assert!(error.contains("use --precision f32"), "{error}");
            assert!(!path.join("mixed").exists());
        }
        // It resumes on the CPU, and then has no use for Vulkan's loader.
        let mut child = Command::new(program("trainer"));
        let child = child.args("fit --out run --device cpu --images 1000000".split(' '));
        let mut child = child.current_dir(path).stdout(Stdio::null()).spawn().unwrap();
        let row = |text: &str| text.lines().last().is_some_and(|row| row.contains("\"images\":24"));
        let began = Instant::now();
        while !fs::read_to_string(path.join("run/stats.jsonl")).is_ok_and(|text| row(&text)) {
            assert!(began.elapsed() < Duration::from_secs(120), "it never resumed");
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            thread::sleep(Duration::from_millis(5));
        }
        let maps = fs::read_to_string(format!("/proc/{}/maps", child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(maps.is_ok_and(|maps| !maps.contains("libvulkan")), "Vulkan is loaded");
    }
}
