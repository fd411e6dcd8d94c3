use quality::features::Features;
use quality::kernel::{discrepancy, distance};

#[test]
fn by_hand() {
    let a = Features::new("a", 1, vec![0.0, 1.0]).unwrap();
    let b = Features::new("b", 1, vec![2.0, 3.0]).unwrap();
    // Kernels: (0 + 1)^3 within a, (6 + 1)^3 within b, 1, 1, 3^3 and 4^3 between.
    let want = 1.0 + 343.0 - 2.0 * (1.0 + 1.0 + 27.0 + 64.0) / 4.0;
    assert_eq!(discrepancy(&a, &[0, 1], &b, &[0, 1]), want);
}

#[test]
fn nothing_for_the_same_and_refusals() {
    let values: Vec<f64> = (0..600).map(|i| ((i * 37) % 101) as f64 / 50.0 - 1.0).collect();
    let a = Features::new("a", 3, values).unwrap();
    let same = distance(&a, &a, 1).unwrap();
    assert!(same.mean.abs() < 0.05, "{same:?}");
    let one = Features::new("one", 3, vec![0.0; 3]).unwrap();
    assert!(distance(&a, &one, 0).is_err());
}
