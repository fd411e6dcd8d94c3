// What all products share. The convolution is as models::conv::Window has it: x, height x width x channels, is what it
// reads; y, rows x columns x features, what it makes.

struct Numbers {
    images: u32,
    height: u32,
    width: u32,
    channels: u32,
    rows: u32,
    columns: u32,
    features: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
    // Rows and columns of the product, terms of its sum.
    m: u32,
    n: u32,
    k: u32,
    // In how many parts it is summed, of how many terms each, and numbers from one part of the result to the next.
    parts: u32,
    part: u32,
    length: u32,
    // Rows and columns of positions of a pixel of x, a stride apart.
    positions_y: u32,
    positions_x: u32,
    // Exponents of the rows and columns of y, and of both.
    shift_x: u32,
    shift_plane: u32,
    // The last number of the buffer that is read four at a time across its end.
    taken: u32,
    // Factors that keep 16-bit floats in their range.
    scale_left: f32,
    scale_right: f32,
    scale_result: f32,
}

@group(0) @binding(3) var<uniform> p: Numbers;

const NOWHERE = 0xffffffffu;

// Of a pixel of y: its image's first pixel of x, row and column of x under its first tap. After the last one far outside.
fn window(m: u32) -> vec3<i32> {
    let at = window_of(m);
    return vec3<i32>(at.x, select(-0x40000000, at.y, m < p.m), at.z);
}

// Image, row and column of a position of pixels of x; after the last one far outside.
fn position(m: u32) -> vec3<i32> {
    let plane = p.positions_y * p.positions_x;
    let image = m / plane;
    let y = m % plane / p.positions_x;
    let x = m % p.positions_x;
    let inside = m < p.m;
    return vec3<i32>(i32(select(0u, image, inside)), select(-0x40000000, i32(y), inside), i32(x));
}
