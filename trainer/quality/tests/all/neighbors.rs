use quality::Pictures;
use quality::neighbors::{memorization, search};

fn set(values: &[u8]) -> Pictures {
    let mut set = Pictures::new(2, 1);
    values.iter().for_each(|&v| set.push(&[v; 4]));
    set
}

#[test]
fn nearest_first() {
    let near = search(&set(&[100]), &set(&[0, 90, 120, 101, 255]), 3);
    assert_eq!(near[0].nearest, [(3, 1.0), (1, 10.0), (2, 20.0)]);
}

#[test]
fn copies_are_detected() {
    let train = set(&[0, 50, 100, 150, 200, 250]);
    let held_out = set(&[25, 75, 125]);
    let of = |fakes: &[u8]| {
        let near = search(&set(fakes), &train, 1);
        memorization(&near, &held_out, &train).unwrap().ratio
    };
    assert_eq!(of(&[50, 100, 150]), 0.0);
    assert_eq!(of(&[25, 75, 175]), 1.0);
    assert!(memorization(&[], &held_out, &train).is_err());
}
