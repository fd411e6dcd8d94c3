use drawn::{face, sketch, winter};
use image::RgbImage;
use image::imageops::{FilterType, resize};

/// Means of red, green and blue.
fn means(face: &RgbImage) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for pixel in face.pixels() {
        (0..3).for_each(|c| sums[c] += f64::from(pixel[c]));
    }
    sums.map(|sum| sum / f64::from(face.width() * face.height()))
}

#[test]
fn a_seed_is_a_face() {
    // Within one step, since other processors may round differently. If these change, change
    // VERSION.
    let want = [
        (0, [200.3, 175.2, 151.3]),
        (1, [154.4, 151.8, 154.7]),
        (2, [179.8, 157.8, 164.5]),
        (3, [151.2, 150.8, 115.6]),
        (1000, [200.8, 124.7, 106.5]),
    ];
    for (seed, want) in want {
        let got = means(&face(seed, 32));
        assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1.0), "{seed}: {got:.1?}");
    }
    assert_eq!(face(9, 48), face(9, 48));
}

#[test]
fn every_seed_is_another_face() {
    let mut faces: Vec<Vec<u8>> = (0..300).map(|seed| face(seed, 16).into_raw()).collect();
    faces.sort_unstable();
    faces.dedup();
    assert_eq!(faces.len(), 300);
}

#[test]
fn the_same_face_at_every_size() {
    for seed in 0..12 {
        let small = face(seed, 16);
        for size in [32, 64, 100, 256] {
            let large = resize(&face(seed, size), 16, 16, FilterType::Triangle);
            let off: u32 =
                small.iter().zip(large.iter()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            let off = f64::from(off) / f64::from(16 * 16 * 3);
            assert!(off < 7.0, "seed {seed} at {size}: {off:.1} off");
        }
    }
}

#[test]
fn eyes_are_where_eyes_are() {
    // On average over many faces the eyes are darker than the cheeks below them, and that
    // within a pixel or two.
    let size = 64;
    let mut sum = vec![0.0f64; size * size];
    for seed in 0..200 {
        for (sum, pixel) in sum.iter_mut().zip(face(seed, size as u32).pixels()) {
            *sum += f64::from(pixel[0]) + f64::from(pixel[1]) + f64::from(pixel[2]);
        }
    }
    let row = |y: usize, from: usize, to: usize| (from..to).map(|x| sum[y * size + x]).sum::<f64>();
    for (from, to) in [(22, 28), (36, 42)] {
        let darkest = (24..44).min_by(|&a, &b| row(a, from, to).total_cmp(&row(b, from, to)));
        assert!(matches!(darkest, Some(30..=34)), "{darkest:?}");
    }
}

#[test]
fn a_sketch_has_the_lines_of_its_face() {
    use quality::edges;
    let (size, side) = (64, 64);
    let of = |seed| {
        let face = image::DynamicImage::ImageRgb8(face(seed, size)).into_luma8();
        let lines: Vec<bool> = sketch(seed, size).iter().map(|&v| v < 128).collect();
        (edges::canny(&face, side), lines)
    };
    let all: Vec<_> = (0..20).map(of).collect();
    let (mut own, mut other) = (0.0, 0.0);
    for (i, (edges, lines)) in all.iter().enumerate() {
        let black = lines.iter().filter(|&&line| line).count();
        assert!((100..1_500).contains(&black), "{black} pixels of lines in the face {i}");
        own += edges::distance(lines, edges, side);
        other += edges::distance(lines, &all[(i + 1) % all.len()].0, side);
    }
    assert!(1.5 * own < other, "{own} to the own face, {other} to others");
}

#[test]
fn in_winter_it_is_the_same_person_in_the_snow() {
    let white = |picture: &RgbImage, rows: std::ops::Range<u32>| {
        let all = picture.enumerate_pixels().filter(|(_, y, _)| rows.contains(y));
        all.filter(|(_, _, pixel)| pixel.0.iter().all(|&v| v > 235)).count()
    };
    // The square from eyes to mouth, where nose and cheeks are redder.
    let features = |picture: &RgbImage| -> Vec<i32> {
        let square = image::imageops::crop_imm(picture, 20, 28, 24, 24).to_image();
        square.pixels().map(|p| i32::from(p[0]) + i32::from(p[1]) + i32::from(p[2])).collect()
    };
    let off = |a: &[i32], b: &[i32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<i32>();
    let (mut snow, mut cold, mut like) = ([0, 0], [0.0, 0.0], 0);
    let faces: Vec<_> = (0..40).map(|seed| [face(seed, 64), winter(seed, 64)]).collect();
    for (i, pair) in faces.iter().enumerate() {
        for (which, picture) in pair.iter().enumerate() {
            snow[which] += white(picture, 0..64);
            let [red, _, blue] = means(picture);
            cold[which] += blue - red;
        }
        let [own, other] = [i, (i + 1) % faces.len()].map(|i| features(&faces[i][1]));
        let plain = features(&pair[0]);
        like += usize::from(off(&plain, &own) < off(&plain, &other));
    }
    assert!(snow[1] > 4 * snow[0], "{snow:?} white pixels");
    assert!(cold[1] > cold[0] + 40.0 * 20.0, "{cold:?} bluer than red");
    assert!(like >= 34, "{like} of 40 are nearer to their own face than to the next");
    assert_eq!(winter(7, 32), winter(7, 32));
}

#[test]
fn sizes_at_the_edge() {
    for size in [0, 1, 2, 7, 1000] {
        assert_eq!(face(3, size).dimensions(), (size, size));
        assert_eq!(sketch(3, size).dimensions(), (size, size));
        assert_eq!(winter(3, size).dimensions(), (size, size));
    }
}
