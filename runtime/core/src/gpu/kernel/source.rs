//! The source text of a kernel.

use std::string::String;

use super::kind::Kind;
use crate::gpu::template::expand;

/// What a pipeline is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub kind: Kind,
    /// Vectors of lanes per block of weights.
    pub block: usize,
    /// Reads and writes 16-bit floats; sums are of 32 bits.
    pub half: bool,
    /// Writes the bytes of pixels rather than a feature map.
    pub bytes: bool,
    /// Reads the input reflected at its edges rather than zeros beyond them.
    pub reflect: bool,
}

impl Kernel {
    pub fn source(self) -> String {
        use std::fmt::Write;
        let (text, mut constants) = self.kind.text();
        constants.push(("BLOCK", self.block));
        // Extensions must come first.
        let stored = if self.half { "f16" } else { "f32" };
        let mut source = String::new();
        if self.half {
            source.push_str("enable f16;\n");
        }
        if let Kind::Coop(_) = self.kind {
            source.push_str("enable wgpu_cooperative_matrix;\n");
        }
        let to = if self.bytes { "u32" } else { "Stored" };
        // Writing to a String does not fail.
        let _ = write!(source, "alias Stored = vec4<{stored}>;\nalias To = {to};\n");
        let _ = writeln!(source, "const REFLECT = {};", self.reflect);
        for (name, value) in &constants {
            let _ = writeln!(source, "const {name} = {value}u;");
        }
        source.push_str(include_str!("../kernels.wgsl"));
        let output = match (self.bytes, self.kind) {
            (true, Kind::Image(..) | Kind::ImageFew(_)) => include_str!("../bytes.wgsl"),
            (true, _) => "",
            (false, _) => include_str!("../map.wgsl"),
        };
        source.push_str(&expand(output, &constants));
        source.push_str(&expand(text, &constants));
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::device::Limits;
    use crate::gpu::kernel::product::Product;

    const CARD: Limits = Limits { threads: 1024, memory: 48 << 10, matrices: true };

    fn valid(kernel: Kernel) {
        let source = kernel.source();
        let module = wgpu::naga::front::wgsl::parse_str(&source);
        let module = module.unwrap_or_else(|e| panic!("{kernel:?}: {}", e.emit_to_string(&source)));
        let mut validator = wgpu::naga::valid::Validator::new(
            wgpu::naga::valid::ValidationFlags::all(),
            wgpu::naga::valid::Capabilities::all(),
        );
        let info = validator.validate(&module);
        let info = info.unwrap_or_else(|e| panic!("{kernel:?}: {}", e.emit_to_string(&source)));
        let options = wgpu::naga::back::spv::Options {
            lang_version: (1, 4),
            ..wgpu::naga::back::spv::Options::default()
        };
        let words = wgpu::naga::back::spv::write_vec(&module, &info, &options, None);
        assert!(words.is_ok_and(|w| w.len() > 100), "{kernel:?}");
    }

    #[test]
    fn every_text_is_valid() {
        let product =
            Product { groups: 4, columns: 1024, lanes: 64, block: 16, quads: 512, divisor: 512 };
        let narrow = Product { lanes: 1, block: 1, ..product };
        let products = [product, narrow].map(|p| Kind::candidates(&p, &CARD));
        assert!(products[0].iter().any(|k| matches!(k, Kind::Coop(_))));
        let moves = [Kind::Eight, Kind::Move, Kind::Join, Kind::Norm];
        for kind in products.concat().into_iter().chain(moves) {
            for half in [false, true] {
                if half || !matches!(kind, Kind::Coop(_)) {
                    for reflect in [false, true] {
                        valid(Kernel { kind, block: 8, half, bytes: false, reflect });
                    }
                }
            }
        }
        for channels in 1..=4 {
            let images = Kind::image_candidates(channels, &CARD);
            for kind in images.into_iter().chain([Kind::Pixels]) {
                for (half, bytes) in [(false, true), (true, true), (true, false)] {
                    if bytes || kind != Kind::Pixels {
                        valid(Kernel { kind, block: 1, half, bytes, reflect: false });
                    }
                }
            }
        }
    }

    #[test]
    fn small_adapters_have_kernels() {
        let small = Limits { threads: 256, memory: 16 << 10, matrices: false };
        let product =
            Product { groups: 4, columns: 1 << 16, lanes: 32, block: 16, quads: 512, divisor: 512 };
        assert!(matches!(Kind::of(&product, false, &small), Kind::Tile(_)));
        for kind in Kind::candidates(&product, &small) {
            let memory = match kind {
                Kind::Tile(tile) => tile.memory(),
                _ => 0,
            };
            assert!(memory <= small.memory, "{kind}");
        }
        for channels in 1..=4 {
            let kind = Kind::of_image(channels, [32, 32], 64, &small);
            assert!(matches!(kind, Kind::Image(..)), "{channels}: {kind}");
        }
    }
}
