// The sums of the columns of a matrix of few of them: 16 columns a workgroup, rows by halves.

struct Numbers {
    columns: u32,
    rows: u32,
}

@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> p: Numbers;

var<workgroup> rows: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
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
