use quality::edges::{blurred, canny, distance};

/// Columns and rows of an image of `side`, row by row.
fn places(side: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..side * side).map(move |at| (at % side, at / side))
}

fn drawing(side: usize, on: impl Fn(usize, usize) -> bool) -> Vec<bool> {
    places(side).map(|(x, y)| on(x, y)).collect()
}

#[test]
fn a_step_has_one_line_of_edges_where_it_is() {
    let side = 16;
    for (name, turned) in [("upright", false), ("level", true)] {
        let step: Vec<u8> = places(side)
            .map(|(x, y)| if (if turned { y } else { x }) < 8 { 20 } else { 180 })
            .collect();
        let edges = canny(&step, side);
        // Both pixels beside the step are as steep.
        let line = |at| drawing(side, move |x, y| (if turned { y } else { x }) == at);
        assert!(edges == line(7) || edges == line(8), "{name}: {edges:?}");
    }
}

#[test]
fn what_is_flat_or_faint_has_no_edges() {
    let side = 16;
    assert!(!canny(&[77; 256], side).contains(&true));
    let faint: Vec<u8> = places(side).map(|(x, _)| if x < 8 { 100 } else { 108 }).collect();
    assert!(!canny(&faint, side).contains(&true));
}

#[test]
fn a_weak_edge_goes_on_from_a_strong_one() {
    let side = 32;
    // A step that fades from the top to the bottom, and the same without its strong part.
    let fading = |first: i32| -> Vec<u8> {
        let height = |y: usize| if (y as i32) < first { 0 } else { 100 - 3 * y as i32 };
        places(side).map(|(x, y)| if x < 16 { 60 } else { (60 + height(y)) as u8 }).collect()
    };
    let count = |image: &[u8]| canny(image, side).iter().filter(|&&on| on).count();
    let (whole, weak) = (count(&fading(0)), count(&fading(26)));
    assert!(whole >= 25, "{whole}");
    assert_eq!(weak, 0);
}

#[test]
fn distances_by_hand() {
    let side = 8;
    let column = |at: usize| drawing(side, move |x, _| x == at);
    assert_eq!(distance(&column(2), &column(2), side), 0.0);
    assert_eq!(distance(&column(2), &column(5), side), 3.0);
    let point = |px: usize, py: usize| drawing(side, move |x, y| (x, y) == (px, py));
    assert_eq!(distance(&point(1, 1), &point(4, 5), side), 5.0);
    // One pixel of a column is 0 away; the pixels of the column are 0 to 7 away.
    assert_eq!(distance(&point(0, 0), &column(0), side), 3.5 / 2.0);
    let none = vec![false; 64];
    assert_eq!(distance(&none, &none, side), 0.0);
    assert_eq!(distance(&none, &column(1), side), 8.0);
}

#[test]
fn a_blur_keeps_the_mean_and_spreads_a_point() {
    let side = 15;
    let mut plane = vec![0.0; side * side];
    plane[7 * side + 7] = 1.0;
    let blur = blurred(&plane, side, 1.5);
    assert!((blur.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    // The normal density at the center, 1 / (2 pi sigma^2).
    assert!((blur[7 * side + 7] - 0.0707).abs() < 2e-3, "{}", blur[7 * side + 7]);
    assert!((blur[7 * side + 9] - blur[9 * side + 7]).abs() < 1e-6);
}
