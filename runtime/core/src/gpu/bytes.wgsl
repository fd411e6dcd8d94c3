// Four neighboring pixels as bytes: one word per channel.
fn emit(face: u32, y: u32, x: u32, pixels: array<vec4<f32>, 4>) {
    var four_pixels = pixels;
    var packed: array<u32, CHANNELS>;
    //: for k in 4
    //: for c in CHANNELS
    packed[({k}u * CHANNELS + {c}u) / 4u] |= byte(four_pixels[{k}][{c}]) << (({k}u * CHANNELS + {c}u) % 4u * 8u);
    //: end
    //: end
    let at = face * layer.words + (y * layer.out_columns / 4u + x) * CHANNELS;
    //: for c in CHANNELS
    to[at + {c}u] = packed[{c}];
    //: end
}
