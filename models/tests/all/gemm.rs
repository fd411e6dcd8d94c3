use models::flex::conv::gemm::*;

#[test]
fn it_is_the_matrix_product() {
    // rows, inner, columns: whole tiles, edges in each direction, a single value.
    let cases = [(8, 16, 32), (16, 5, 64), (1, 1, 1), (9, 7, 33), (3, 40, 100), (65, 3, 12)];
    for (rows, inner, columns) in cases {
        let a = |r: usize, k: usize| ((r * 7 + k * 3) % 11) as f32 - 5.0;
        let b = |k: usize, c: usize| ((k * 5 + c) % 13) as f32 * 0.5 - 3.0;
        let mut straight = vec![f32::NAN; rows * (inner + 2)];
        let mut panels = vec![f32::NAN; packed_len(rows, inner, PANEL)];
        for r in 0..rows {
            for k in 0..inner {
                straight[r * (inner + 2) + k] = a(r, k);
                panels[r / PANEL * inner * PANEL + k * PANEL + r % PANEL] = a(r, k);
            }
        }
        let mut right = vec![f32::NAN; packed_len(columns, inner, COLUMNS)];
        for k in 0..inner {
            for c in 0..columns {
                right[c / COLUMNS * inner * COLUMNS + k * COLUMNS + c % COLUMNS] = b(k, c);
            }
        }
        let stride = inner + 2;
        // The same rows in pieces of one value, and column after column, with values up to the end
        // of a tile behind the last one.
        let mut columns_of_left = vec![f32::NAN; (rows + 1) * inner + ROWS];
        let mut rows_of_right = vec![f32::NAN; (columns + 1) * inner + COLUMNS];
        for k in 0..inner {
            (0..rows).for_each(|r| columns_of_left[k * (rows + 1) + r] = a(r, k));
            (0..columns).for_each(|c| rows_of_right[k * (columns + 1) + c] = b(k, c));
        }
        let lefts = [
            Left::Rows { values: &straight, stride },
            Left::Bands { values: &straight, stride, band: 1, step: 1 },
            Left::Bands { values: &straight, stride, band: inner, step: 0 },
            Left::Columns { values: &columns_of_left, stride: rows + 1 },
            Left::Panels(&panels),
        ];
        let rights =
            [Right::Panels(&right), Right::Rows { values: &rows_of_right, stride: columns + 1 }];
        for (left, right) in lefts.iter().flat_map(|l| rights.iter().map(move |r| (*l, *r))) {
            for add in [false, true] {
                let mut to = vec![1.0; rows * (columns + 1)];
                Gemm { rows, inner, columns, left, right, to: &mut to, stride: columns + 1, add }
                    .run();
                for r in 0..rows {
                    for c in 0..columns {
                        let sum: f32 = (0..inner).map(|k| a(r, k) * b(k, c)).sum();
                        let want = if add { 1.0 + sum } else { sum };
                        assert_eq!(to[r * (columns + 1) + c], want, "{rows} {inner} {columns}");
                    }
                    assert_eq!(to[r * (columns + 1) + columns], 1.0, "wrote beyond a row");
                }
            }
        }
    }
}
