// Between the weights of a doubling convolution of kernel 3 and of the transposed convolution of
// kernel 4 that equals it: a pair of channels per thread.

struct Params {
    inner: u32,
    outer: u32,
    // Strides of [outer, inner, 3, 3].
    stride_outer: u32,
    stride_inner: u32,
    stride_y: u32,
    stride_x: u32,
}

// The four taps of an axis, from the three.
fn resized(v: vec3<f32>) -> vec4<f32> {
    return vec4<f32>(v.z, v.y + v.z, v.x + v.y, v.x);
}

// The gradients by the three taps, from those by the four.
fn resized_backward(v: vec4<f32>) -> vec3<f32> {
    return vec3<f32>(v.z + v.w, v.y + v.z, v.x + v.y);
}
