
fn window_of(pixel: u32) -> vec3<i32> {
    let image = pixel >> p.shift_plane;
    let y = (pixel & ((1u << p.shift_plane) - 1u)) >> p.shift_x;
    let x = pixel & ((1u << p.shift_x) - 1u);
    return vec3<i32>(
        i32(image * p.height * p.width),
        i32(y * p.stride) - i32(p.padding),
        i32(x * p.stride) - i32(p.padding),
    );
}
