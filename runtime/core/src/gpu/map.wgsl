// Output as a feature map.

// Where a column of a group belongs: its face, the first pixel, and whether the face exists.
struct Place {
    face: u32,
    pixel: u32,
    inside: bool,
}

fn place(group: Group, at: u32) -> Place {
    let positions = group.rows * group.columns;
    let face = at / positions;
    let y = at % positions / group.columns * layer.by + group.out_y;
    let x = at % group.columns * layer.by + group.out_x;
    return Place(face, y * layer.out_columns + x, face < call.x);
}

fn put(face: u32, pixel: u32, depth: u32, value: vec4<f32>) {
    to[(face * layer.out_plane + pixel) * layer.out_depth + depth] = Stored(value);
}

// Bias, activation and output of a vector of lanes of a column.
fn finish(p: Place, lane: u32, sum: vec4<f32>) {
    if (p.inside && lane < layer.lanes) {
        // Lanes beyond a pixel belong to the pixels after it.
        let pixel = p.pixel + lane / layer.out_depth;
        put(p.face, pixel, lane % layer.out_depth, activation(sum + bias[lane]));
    }
}

// Four neighboring pixels of one vector each.
fn emit(face: u32, y: u32, x: u32, pixels: array<vec4<f32>, 4>) {
    //: for k in 4
    put(face, y * layer.out_columns + 4u * x + {k}u, 0u, pixels[{k}]);
    //: end
}
