use quality::features::Features;
use quality::manifold::measure;

fn line(from: f64, step: f64, n: usize) -> Features {
    let values = (0..n).map(|i| from + step * i as f64).collect();
    Features::new("line", 1, values).unwrap()
}

#[test]
fn the_same_elsewhere_and_within() {
    let real = line(0.0, 1.0, 40);
    let far = measure(&real, &line(1e3, 1.0, 40)).unwrap();
    assert_eq!((far.precision, far.recall, far.density, far.coverage), (0.0, 0.0, 0.0, 0.0));
    let same = measure(&real, &line(0.1, 1.0, 40)).unwrap();
    assert_eq!((same.precision, same.recall, same.coverage), (1.0, 1.0, 1.0));
    // A few samples close together: good, but not diverse.
    let few = measure(&real, &line(20.2, 0.01, 10)).unwrap();
    assert_eq!(few.precision, 1.0);
    assert!(few.recall < 0.1 && few.coverage < 0.4, "{few:?}");
    assert!(measure(&real, &line(0.0, 1.0, 5)).is_err());
}
