//! The programs of matrix products, compiled as wgpu compiles them: also those for matrix units,
//! which few machines have.

use burn::backend::wgpu::wgpu::naga;
use models::gpu::conv::{GemmShape, candidates, plan};
use models::gpu::gemm::{Access, Gemm, Pass};
use models::gpu::launch::Program;
use models::gpu::machine::Machine;
use naga::valid::{Capabilities, ValidationFlags, Validator};

const PASSES: [Pass; 3] = [Pass::Forward, Pass::Data, Pass::Weight];

fn validate(program: &Gemm) {
    let text = program.text();
    let fail = |what: String| panic!("{program:?}: {what}\n{text}");
    let module = match naga::front::wgsl::parse_str(&text) {
        Ok(module) => module,
        Err(e) => return fail(e.emit_to_string(&text)),
    };
    let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let info = match validator.validate(&module) {
        Ok(info) => info,
        Err(e) => return fail(e.emit_to_string(&text)),
    };
    let options = naga::back::spv::Options::default();
    if let Err(e) = naga::back::spv::write_vec(&module, &info, &options, None) {
        fail(e.to_string());
    }
}

/// Every tile, pass and access is WGSL that naga accepts and translates to SPIR-V.
#[test]
fn products_are_valid() {
    let access = [Access::Whole, Access::Vectors, Access::Scalars];
    for tile in candidates(true) {
        for pass in PASSES {
            for (channels, features) in access.iter().flat_map(|a| access.map(|b| (*a, b))) {
                validate(&Gemm { pass, tile, channels, features, shifts: channels == features });
            }
        }
    }
}

#[test]
fn small_machines_have_a_tile() {
    let machine = Machine { groups: 264, memory: 16 << 10, threads: 256 };
    for pass in PASSES {
        for (m, n) in [(1, 8192), (4096, 3), (64, 48), (100, 512), (4096, 4096)] {
            let shape = GemmShape { m, n, k: 1024, groups: 1 };
            let tile = plan(pass, &shape, &machine).tile;
            assert!(tile.bytes(pass) <= machine.memory, "{tile:?}");
            assert!(tile.group() <= machine.threads, "{tile:?}");
        }
    }
}
