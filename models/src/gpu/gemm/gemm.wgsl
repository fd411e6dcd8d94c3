// What all products share. The convolution is a models::kernels::ConvShape: it maps x, height x
// width x channels, to y, rows x columns x features.

struct Params {
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
    // Parts of the sum, terms of a part, and values from one part of the result to the next.
    parts: u32,
    part: u32,
    length: u32,
    // Rows and columns of the pixels of x that are a stride apart.
    positions_y: u32,
    positions_x: u32,
    // Binary logarithms of the columns of y, and of its pixels.
    shift_x: u32,
    shift_plane: u32,
    // The last index of the factor whose index is clamped.
    last_index: u32,
    // Scales that bring the factors into the range of 16-bit floats, and the result back.
    scale_left: f32,
    scale_right: f32,
    scale_result: f32,
}

const NOWHERE = 0xffffffffu;

// For a pixel of y: the first pixel of its image in x, and the row and column of x at its first
// tap. Far outside behind the last pixel.
fn window(m: u32) -> vec3<i32> {
    let at = window_of(m);
    return vec3<i32>(at.x, select(-0x40000000, at.y, m < p.m), at.z);
}

// Image, row and column of a group of pixels of x. Far outside behind the last one.
fn position(m: u32) -> vec3<i32> {
    let plane = p.positions_y * p.positions_x;
    let image = m / plane;
    let y = m % plane / p.positions_x;
    let x = m % p.positions_x;
    let inside = m < p.m;
    return vec3<i32>(i32(select(0u, image, inside)), select(-0x40000000, i32(y), inside), i32(x));
}
