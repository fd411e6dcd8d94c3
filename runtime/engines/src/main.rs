//! tract, rten and our own runtime on the same ONNX file, in turns: milliseconds a face, one face at a time.
//!
//!     RTEN_NUM_THREADS=1 cargo run --release -- dcgan64.onnx [rounds]

use std::error::Error;
use std::time::{Duration, Instant};

use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use runtime::cpu::Cpu;
use runtime::latent::Latent;
use runtime::model::Model;
use runtime::record::Buffer;
use tract_onnx::prelude::*;

type Face<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// Median milliseconds.
fn timed(face: &mut dyn FnMut()) -> f64 {
    (0..3).for_each(|_| face());
    let (mut times, began) = (Vec::new(), Instant::now());
    while began.elapsed() < Duration::from_millis(500) {
        let start = Instant::now();
        face();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    median(times)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("engines FILE.onnx [ROUNDS]")?;
    let rounds = args.next().map_or(Ok(5), |n| n.parse())?;

    let mut graph = runtime::onnx::read(&std::fs::read(&path)?)?;
    graph.fold();
    let latent = graph.latent;
    let records = [graph.to_record()?, graph.pack()?, graph.quantise(0..64)?].map(Buffer::from);
    let mut models = Vec::new();
    for record in &records {
        models.push(Model::parse(record.bytes()).map_err(|e| e.to_string())?);
    }

    let tract = tract_onnx::onnx()
        .model_for_path(&path)?
        .with_input_fact(0, f32::fact([1, latent, 1, 1]).into())?
        .into_optimized()?
        .into_runnable()?;
    let rten = rten::Model::load_file(&path)?;
    let values: Vec<f32> = (0..latent).map(|i| (i as f32 * 0.7).sin()).collect();

    let z = values.clone();
    let mut faces: Vec<Face<'_>> = vec![(
        "tract 0.23",
        Box::new(move || {
            let z = tract_ndarray::Array4::from_shape_vec((1, latent, 1, 1), z.clone());
            let z: Tensor = z.expect("as many values as the shape says").into();
            tract.run(tvec!(z.into())).expect("tract runs");
        }),
    )];
    faces.push((
        "rten 0.27",
        Box::new(|| {
            let z = NdTensor::from_data([1, latent, 1, 1], values.clone());
            rten.run_one(z.view().into(), None).expect("rten runs");
        }),
    ));
    for (name, model) in ["runtime f32", "runtime packed", "runtime int8"].into_iter().zip(&models) {
        let arena = Box::leak(vec![0.0; model.arena_len()].into_boxed_slice());
        let mut cpu = Cpu::new(model, arena)?;
        faces.push((
            name,
            Box::new(move || {
                std::hint::black_box(cpu.generate(&Latent::from_seed(1)).expect("a latent of a seed"));
            }),
        ));
    }
    let mut results = vec![Vec::new(); faces.len()];
    for _ in 0..rounds {
        for ((_, face), results) in faces.iter_mut().zip(&mut results) {
            results.push(timed(face));
        }
    }
    for ((name, _), results) in faces.iter().zip(results) {
        println!("{name:<20}{:9.3} ms", median(results));
    }
    Ok(())
}
