
fn window_of(pixel: u32) -> vec3<i32> {
    let plane = p.rows * p.columns;
    let image = pixel / plane;
    let y = pixel % plane / p.columns;
    let x = pixel % p.columns;
    return vec3<i32>(
        i32(image * p.height * p.width),
        i32(y * p.stride) - i32(p.padding),
        i32(x * p.stride) - i32(p.padding),
    );
}
