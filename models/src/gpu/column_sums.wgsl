// The sums of the columns of a matrix with few columns: 16 columns per workgroup, rows by halves.

struct Params {
    columns: u32,
    rows: u32,
}

var<workgroup> rows: array<f32, 256>;

fn run(id: vec3<u32>, thread: u32) {
    let column = id.x * 16u + thread % 16u;
    var sum = 0.0;
    if (column < p.columns) {
        for (var row = thread / 16u; row < p.rows; row += 16u) {
            sum += values[row * p.columns + column];
        }
    }
    rows[thread] = sum;
    workgroupBarrier();
    for (var half = 8u; half > 0u; half /= 2u) {
        if (thread / 16u < half) {
            rows[thread] += rows[thread + half * 16u];
        }
        workgroupBarrier();
    }
    if (thread < 16u && column < p.columns) {
        sums[column] = rows[thread];
    }
}
