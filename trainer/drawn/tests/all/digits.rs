use drawn::digits::digit;

#[test]
fn they_are_where_they_should_be_and_each_is_its_own() {
    let mut all = std::collections::HashSet::new();
    for seed in 0..500 {
        let (image, which) = digit(seed, 28);
        assert_eq!(u64::from(which), seed % 10);
        let ink: u32 = image.pixels().map(|p| u32::from(p[0])).sum::<u32>() / 255;
        assert!((25..300).contains(&ink), "seed {seed}: {ink} pixels of ink");
        let border = (0..28).flat_map(|i| [(i, 0), (i, 27), (0, i), (27, i)]);
        let lost = border.filter(|&(x, y)| image.get_pixel(x, y)[0] > 128).count();
        assert_eq!(lost, 0, "seed {seed} touches the border");
        all.insert(image.into_raw());
    }
    assert_eq!(all.len(), 500);
}

#[test]
fn a_digit_looks_more_like_its_own_kind() {
    // Nearest mean of twenty digits of each kind: far better than chance without any learning.
    let vector = |seed| -> Vec<f32> {
        let (image, _) = digit(seed, 16);
        image.pixels().map(|p| f32::from(p[0]) / 255.0).collect()
    };
    let means: Vec<Vec<f32>> = (0..10)
        .map(|which| {
            let mut mean = vec![0.0; 256];
            for i in 0..20 {
                for (m, v) in mean.iter_mut().zip(vector(1000 + 10 * i + which)) {
                    *m += v / 20.0;
                }
            }
            mean
        })
        .collect();
    let right = (0..400)
        .filter(|&seed| {
            let own = vector(seed);
            let far = |mean: &Vec<f32>| -> f32 {
                mean.iter().zip(&own).map(|(m, v)| (m - v).powi(2)).sum()
            };
            let nearest = (0..10).min_by(|&a, &b| far(&means[a]).total_cmp(&far(&means[b])));
            nearest == Some((seed % 10) as usize)
        })
        .count();
    assert!(right > 320, "{right} of 400");
}
