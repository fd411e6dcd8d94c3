// Values of three lists, one per thread: the upper half of a code is the list, the lower half the
// index.

struct Numbers {
    count: u32,
    code_0: u32,
    code_1: u32,
    code_2: u32,
    code_3: u32,
    code_4: u32,
    code_5: u32,
    code_6: u32,
    code_7: u32,
    none: u32,
}

@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<uniform> p: Numbers;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) thread: u32) {
    if (thread >= p.count) {
        return;
    }
    var codes = array<u32, 8>(
        p.code_0, p.code_1, p.code_2, p.code_3, p.code_4, p.code_5, p.code_6, p.code_7,
    );
    let code = codes[thread];
    let at = code & 0xffffu;
    switch code >> 16u {
        case 0u: {
            result[thread] = a[at];
        }
        case 1u: {
            result[thread] = b[at];
        }
        default: {
            result[thread] = c[at];
        }
    }
}
