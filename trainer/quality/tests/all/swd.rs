use quality::Pictures;
use quality::swd::{distance, pyramid, sliced};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn noise(n: usize, seed: u64, amplitude: f32) -> Pictures {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut set = Pictures::new(32, 3);
    for _ in 0..n {
        let image: Vec<u8> = (0..3 * 32 * 32)
            .map(|i| {
                let wave = ((i % 32) as f32 * 0.4).sin() * 60.0;
                (128.0 + wave + amplitude * (rng.random::<f32>() - 0.5)) as u8
            })
            .collect();
        set.push(&image);
    }
    set
}

#[test]
fn alike_is_near_and_unlike_is_far() {
    let near = distance(&noise(16, 1, 60.0), &noise(16, 2, 60.0), 0).unwrap();
    let far = distance(&noise(16, 1, 60.0), &noise(16, 2, 0.0), 0).unwrap();
    assert_eq!(near.levels.iter().map(|l| l.0).collect::<Vec<_>>(), [32, 16]);
    assert!(near.mean() * 5.0 < far.mean(), "{near:?} {far:?}");
    assert_eq!(
        distance(&noise(9, 1, 9.0), &noise(9, 2, 9.0), 3),
        distance(&noise(9, 1, 9.0), &noise(9, 2, 9.0), 3)
    );
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (a, b) = (noise(9, 1, 60.0), noise(9, 2, 60.0));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| distance(&a, &b, 3))
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert_eq!(on(threads), one, "{threads} threads");
    }
}

#[test]
fn a_shift_along_a_line_is_its_length() {
    // One dimension, every direction the same: sorted values differ by 0.25 each.
    let a: Vec<f32> = (0..100).map(|i| i as f32 / 10.0).collect();
    let b: Vec<f32> = a.iter().rev().map(|v| v + 0.25).collect();
    let got = sliced(&a, &b, 1, &[1.0, -1.0]);
    assert!((got - 0.25).abs() < 1e-6, "{got}");
}

#[test]
fn values_of_any_sign_and_size_are_sorted() {
    let sorted = [-2.5f32, -2.0, -1e-3, -1e-40, 0.0, 1e-40, 1e-3, 1.0, 7.0];
    let mixed = [1.0, -1e-3, 7.0, -2.5, 1e-40, 0.0, -2.0, 1e-3, -1e-40];
    assert_eq!(sliced(&sorted, &mixed, 1, &[1.0, -1.0]), 0.0);
    let moved = mixed.map(|v| v + 0.5);
    assert!((sliced(&sorted, &moved, 1, &[1.0]) - 0.5).abs() < 1e-6);
}

#[test]
fn a_pyramid_of_a_constant_is_nothing_but_its_last_level() {
    let all = pyramid(&[7; 32 * 32], 32);
    let (first, last) = all.split_at(32 * 32);
    assert_eq!(last.len(), 16 * 16);
    assert!(first.iter().all(|v| v.abs() < 1e-5));
    assert!(last.iter().all(|v| (v - 7.0).abs() < 1e-5));
}

#[test]
fn too_few_is_an_error() {
    let error = distance(&noise(3, 1, 9.0), &noise(9, 2, 9.0), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the sliced Wasserstein distance of 3 images: it takes 4 or more"
    );
}
