use quality::Pictures;
use quality::ssim::{diversity, ms_ssim, similarity};

#[test]
fn an_image_is_like_itself_and_unlike_its_negative() {
    let a: Vec<u8> = (0..64 * 64).map(|i| ((i * 7919) % 251) as u8).collect();
    let b: Vec<u8> = a.iter().map(|v| 255 - v).collect();
    assert!((ms_ssim(&a, &a, 64) - 1.0).abs() < 1e-6);
    assert!(ms_ssim(&a, &b, 64) < 0.1);
    assert!((similarity(&a, &a, 64) - 1.0).abs() < 1e-6);
    assert!(similarity(&a, &b, 64) < -0.5);
    assert!(similarity(&a[..64], &b[..64], 8).is_nan());
}

#[test]
fn scales_by_size() {
    for (side, want) in [(16, 1), (28, 2), (32, 2), (64, 3), (128, 4), (256, 5)] {
        let mut set = Pictures::new(side, 1);
        (0..2).for_each(|v| set.push(&vec![v; (side * side) as usize]));
        assert_eq!(diversity(&set, 1, 0).unwrap().scales, want, "{side}");
    }
}

#[test]
fn a_set_of_copies_has_no_diversity() {
    let mut set = Pictures::new(16, 1);
    for _ in 0..5 {
        set.push(&(0..=255).collect::<Vec<u8>>());
    }
    let got = diversity(&set, 8, 0).unwrap();
    assert!((got.mean - 1.0).abs() < 1e-6);
    assert_eq!((got.pairs, got.scales), (8, 1));
    assert!(diversity(&Pictures::new(16, 1), 8, 0).is_err());
}
