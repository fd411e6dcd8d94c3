//! The kernels, compiled: which there are, and which one suits a layer.

use std::fmt;
use std::string::String;
use std::vec::Vec;

use super::device::{Device, Limits};
use super::template::expand;
use super::trusted;

/// Workgroups in a row of a dispatch, which has rows because none may be longer than 65,535.
const ROW: usize = 32_768;

/// Lanes of a block of weights on a software adapter.
const EIGHT: usize = 32;

/// What a pipeline is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub kind: Kind,
    /// Vectors of lanes of a block of weights.
    pub block: usize,
    /// Reads and writes 16-bit floats; sums are of 32 bits.
    pub half: bool,
    /// Writes the bytes of pixels, not a map.
    pub bytes: bool,
}

/// One of the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Many columns.
    Tile(Tile),
    /// Many columns, by matrix units.
    Coop(Coop),
    /// Few columns or few lanes.
    Slim(Slim),
    /// Software adapters.
    Eight,
    /// What multiplies nothing.
    Move,
    /// The image layer of the family, of so many channels.
    Image(Image, usize),
    /// The same for few faces.
    ImageFew(usize),
    /// A map as bytes.
    Pixels,
}

/// How `tile.wgsl` is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Vectors of lanes, and columns, of a workgroup.
    pub lanes: usize,
    pub columns: usize,
    /// The same of a thread.
    tall: usize,
    wide: usize,
    /// Vectors of rows at a time.
    deep: usize,
    /// Parts of the workgroup's memory in turn.
    stages: usize,
}

/// How `coop.wgsl` is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coop {
    /// Vectors of lanes, and columns, of a workgroup.
    lanes: usize,
    columns: usize,
    /// Matrices of a subgroup.
    tall: usize,
    wide: usize,
    /// Vectors of rows at a time.
    deep: usize,
    /// Parts of the workgroup's memory in turn.
    stages: usize,
}

/// How `slim.wgsl` is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slim {
    /// Vectors of lanes of a workgroup.
    pub lanes: usize,
    /// Threads that have columns of their own.
    spread: usize,
    /// Columns of a thread.
    wide: usize,
}

/// How `image.wgsl` is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pairs of positions in a row, and rows, of a workgroup.
    pairs: usize,
    lines: usize,
    /// Vectors of channels at a time.
    deep: usize,
}

const fn tile(size: [usize; 2], own: [usize; 2], deep: usize, stages: usize) -> Tile {
    Tile { lanes: size[0] / 4, columns: size[1], tall: own[0] / 4, wide: own[1], deep, stages }
}

const fn image(pairs: usize, lines: usize, deep: usize) -> Image {
    Image { pairs, lines, deep }
}

/// Tiles that can be chosen, the first that suits with at least so many workgroups; none: only measured by `candidates`. By the times
/// of an H200.
const TILES: [(Tile, Option<usize>); 14] = [
    (tile([128, 128], [8, 8], 4, 1), Some(256)),
    (tile([128, 64], [8, 4], 4, 1), Some(128)),
    (tile([64, 128], [8, 4], 4, 1), Some(128)),
    (tile([64, 64], [8, 4], 4, 1), Some(32)),
    (tile([32, 64], [4, 4], 4, 1), Some(32)),
    (tile([128, 128], [8, 8], 2, 2), None),
    (tile([128, 128], [16, 8], 2, 2), None),
    (tile([64, 256], [8, 8], 4, 1), None),
    (tile([64, 128], [8, 8], 2, 2), None),
    (tile([64, 128], [8, 8], 4, 1), None),
    (tile([128, 64], [8, 8], 2, 2), None),
    (tile([64, 64], [8, 8], 2, 2), None),
    (tile([64, 64], [8, 4], 4, 2), None),
    (tile([32, 128], [8, 8], 4, 1), None),
];

const fn coop(size: [usize; 2], own: [usize; 2], deep: usize, stages: usize) -> Coop {
    Coop {
        lanes: size[0] / 4,
        columns: size[1],
        tall: own[0] / 16,
        wide: own[1] / 16,
        deep: deep / 4,
        stages,
    }
}

/// The same for matrix units.
const COOPS: [(Coop, Option<usize>); 10] = [
    (coop([128, 128], [64, 32], 32, 2), Some(256)),
    (coop([64, 128], [32, 64], 32, 1), Some(512)),
    (coop([64, 128], [32, 32], 64, 1), Some(64)),
    (coop([64, 64], [32, 32], 32, 2), Some(32)),
    (coop([128, 128], [64, 32], 32, 1), None),
    (coop([128, 128], [64, 64], 32, 2), None),
    (coop([128, 128], [32, 64], 16, 2), None),
    (coop([64, 256], [32, 64], 32, 1), None),
    (coop([64, 128], [32, 32], 32, 2), None),
    (coop([64, 128], [32, 64], 32, 2), None),
];

/// The same of the image layer.
const IMAGES: [Image; 5] =
    [image(8, 16, 2), image(8, 16, 1), image(16, 8, 2), image(8, 8, 2), image(16, 16, 1)];

/// A layer's product, for choosing a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Groups, and the columns of the largest.
    pub groups: usize,
    pub columns: usize,
    /// Vectors of lanes, with those of the padding of the last block, and of a block.
    pub lanes: usize,
    pub block: usize,
    /// Vectors of rows of the largest group.
    pub quads: usize,
    /// A divisor of the vectors of rows of all groups.
    pub divisor: usize,
}

/// Lanes of a block of weights of a layer of `lanes`; `eight`: on a software adapter.
pub fn block(lanes: usize, eight: bool) -> usize {
    match lanes {
        0..=4 => 4,
        _ if eight => EIGHT,
        5..=16 => 16,
        17..=32 => 32,
        _ => 64,
    }
}

impl Tile {
    fn down(self) -> usize {
        self.lanes / self.tall
    }

    fn threads(self) -> usize {
        self.down() * self.columns / self.wide
    }

    /// Bytes of a workgroup's memory.
    fn memory(self) -> usize {
        let pitch = self.columns + 8 / self.deep;
        16 * self.stages * self.deep * (pitch + 4 * self.lanes)
    }

    fn suits(self, product: &Product, limits: &Limits) -> bool {
        product.lanes.is_multiple_of(self.lanes)
            && self.threads() <= limits.threads
            && self.memory() <= limits.memory
    }

    fn workgroups(self, product: &Product) -> usize {
        product.groups * product.columns.div_ceil(self.columns) * (product.lanes / self.lanes)
    }

    fn constants(self) -> Vec<(&'static str, usize)> {
        let threads = self.threads();
        [
            ("LANES", self.lanes),
            ("COLUMNS", self.columns),
            ("TALL", self.tall),
            ("WIDE", self.wide),
            ("DEEP", self.deep),
            ("STAGES", self.stages),
            ("THREADS", threads),
            ("DOWN", self.down()),
            ("ACROSS", self.columns / self.wide),
            ("SIDE", self.down().min(8)),
            ("X_LOADS", self.deep * self.columns / threads),
            ("W_LOADS", 4 * self.deep * self.lanes / threads),
        ]
        .into()
    }
}

impl Coop {
    fn down(self) -> usize {
        self.lanes / (4 * self.tall)
    }

    fn threads(self) -> usize {
        32 * self.down() * self.columns / (16 * self.wide)
    }

    /// Bytes of a workgroup's memory.
    fn memory(self) -> usize {
        let x = self.columns * (self.deep + 1);
        let w = 4 * self.deep * (self.lanes + 1);
        8 * self.stages * (x + w) + 32 * self.threads()
    }

    fn suits(self, product: &Product, limits: &Limits) -> bool {
        limits.matrices
            && product.lanes.is_multiple_of(self.lanes)
            && product.divisor.is_multiple_of(self.deep)
            && self.threads() <= limits.threads
            && self.memory() <= limits.memory
    }

    fn workgroups(self, product: &Product) -> usize {
        product.groups * product.columns.div_ceil(self.columns) * (product.lanes / self.lanes)
    }

    fn constants(self) -> Vec<(&'static str, usize)> {
        let threads = self.threads();
        [
            ("LANES", self.lanes),
            ("COLUMNS", self.columns),
            ("TALL", self.tall),
            ("WIDE", self.wide),
            ("DEEP", self.deep),
            ("STAGES", self.stages),
            ("THREADS", threads),
            ("DOWN", self.down()),
            ("ROUNDS", self.deep / 4),
            ("X_LOADS", self.deep * self.columns / threads),
            ("W_LOADS", 4 * self.deep * self.lanes / threads),
        ]
        .into()
    }
}

impl Slim {
    fn slices(self) -> usize {
        256 / (self.lanes * self.spread)
    }

    /// For a product of few columns: parts of about eight vectors of rows, and as many lanes as are left of the threads.
    fn of(product: &Product) -> Slim {
        let slices = (product.quads / 8).next_power_of_two().clamp(16, 64);
        let lanes = product.block.min(256 / slices);
        Slim { lanes, spread: 256 / (lanes * slices), wide: 4 }
    }

    fn all(product: &Product) -> impl Iterator<Item = Slim> {
        let lanes = [1, 4, 8, 16];
        let block = product.block;
        let lanes = lanes.into_iter().filter(move |lanes| block.is_multiple_of(*lanes));
        lanes.flat_map(|lanes| {
            let slices = [4, 8, 16, 32, 64].into_iter().filter(move |s| s * lanes <= 256);
            slices.flat_map(move |slices| {
                [4, 8].map(|wide| Slim { lanes, spread: 256 / (lanes * slices), wide })
            })
        })
    }

    fn constants(self) -> Vec<(&'static str, usize)> {
        [
            ("LANES", self.lanes),
            ("SPREAD", self.spread),
            ("WIDE", self.wide),
            ("ROUNDS", self.wide / 4),
        ]
        .into()
    }
}

impl Image {
    fn threads(self) -> usize {
        self.pairs * self.lines
    }

    fn plane(self) -> usize {
        (self.lines + 2) * 2 * (self.pairs + 1)
    }

    fn suits(self, channels: usize, limits: &Limits) -> bool {
        let vectors = self.deep * (self.plane() + 16 * channels) + 1;
        self.threads() <= limits.threads && 16 * vectors <= limits.memory
    }

    fn constants(self, channels: usize) -> Vec<(&'static str, usize)> {
        let threads = self.threads();
        [
            ("PAIRS", self.pairs),
            ("LINES", self.lines),
            ("DEEP", self.deep),
            ("CHANNELS", channels),
            ("THREADS", threads),
            ("LOADS", self.plane().div_ceil(threads / self.deep)),
        ]
        .into()
    }
}

/// Pairs of positions of a workgroup of `image_few.wgsl`.
const FEW: usize = 8;

/// Its threads: 16 KiB of memory are enough.
fn few_threads(channels: usize) -> usize {
    if channels < 4 { 128 } else { 64 }
}

impl Kind {
    /// For a layer that multiplies; `eight`: on a software adapter.
    pub fn of(product: &Product, eight: bool, limits: &Limits) -> Kind {
        if eight && product.block == EIGHT / 4 {
            return Kind::Eight;
        }
        if eight {
            // Few reads for each product.
            return Kind::Slim(Slim { lanes: 1, spread: 64, wide: 8 });
        }
        // As many workgroups as keep a GPU busy, and columns that fill most of them; with fewer, each thread has to do less.
        let full = |columns: usize| 2 * product.columns > columns;
        let coop = COOPS.iter().find(|(coop, least)| {
            let busy = least.is_some_and(|least| coop.workgroups(product) >= least);
            busy && full(coop.columns) && coop.suits(product, limits)
        });
        let tile = TILES.iter().find(|(tile, least)| {
            let busy = least.is_some_and(|least| tile.workgroups(product) >= least);
            busy && full(tile.columns) && tile.suits(product, limits)
        });
        match (coop, tile) {
            (Some((coop, _)), _) => Kind::Coop(*coop),
            (None, Some((tile, _))) => Kind::Tile(*tile),
            (None, None) => Kind::Slim(Slim::of(product)),
        }
    }

    /// For the image layer of the family, whose input has `rows` by `columns` pixels.
    pub fn of_image(
        channels: usize,
        [rows, columns]: [usize; 2],
        faces: usize,
        limits: &Limits,
    ) -> Kind {
        let image = IMAGES.iter().find(|i| i.suits(channels, limits));
        match image {
            Some(image) if faces * rows * columns >= 1 << 14 => Kind::Image(*image, channels),
            _ => Kind::ImageFew(channels),
        }
    }

    /// All that could be chosen for a layer that multiplies.
    pub fn candidates(product: &Product, limits: &Limits) -> Vec<Kind> {
        let tiles = TILES.iter().map(|(tile, _)| *tile);
        let tiles = tiles.filter(|t| t.suits(product, limits)).map(Kind::Tile);
        let few = product.columns * product.groups <= 4096 || product.block == 1;
        let slims = Slim::all(product).filter(|_| few).map(Kind::Slim);
        let coops = COOPS.iter().map(|(coop, _)| *coop);
        let coops = coops.filter(|c| c.suits(product, limits)).map(Kind::Coop);
        tiles.chain(coops).chain(slims).collect()
    }

    /// The same for the image layer.
    pub fn image_candidates(channels: usize, limits: &Limits) -> Vec<Kind> {
        let suit = IMAGES.iter().filter(|i| i.suits(channels, limits));
        let images = suit.map(|image| Kind::Image(*image, channels));
        images.chain([Kind::ImageFew(channels)]).collect()
    }

    /// Workgroups of a layer that multiplies, of one group.
    pub fn workgroups(self, product: &Product) -> usize {
        let (lanes, columns) = match self {
            Kind::Tile(tile) => (tile.lanes, tile.columns),
            Kind::Coop(coop) => (coop.lanes, coop.columns),
            Kind::Slim(slim) => (slim.lanes, slim.spread * slim.wide),
            Kind::Eight => (EIGHT / 4, 16),
            Kind::Move | Kind::Image(..) | Kind::ImageFew(_) | Kind::Pixels => return 0,
        };
        product.columns.div_ceil(columns) * product.lanes.div_ceil(lanes)
    }

    /// Workgroups of the image layer, whose input has `rows` by `columns` pixels.
    pub fn image_workgroups(self, faces: usize, [rows, columns]: [usize; 2]) -> usize {
        match self {
            Kind::Image(i, _) => faces * rows.div_ceil(i.lines) * columns.div_ceil(2 * i.pairs),
            _ => (faces * rows * columns / 2).div_ceil(FEW),
        }
    }

    fn entry(self) -> &'static str {
        match self {
            Kind::Tile(_) => "tile",
            Kind::Coop(_) => "coop",
            Kind::Slim(_) => "slim",
            Kind::Eight => "eight",
            Kind::Move => "move_values",
            Kind::Image(..) | Kind::ImageFew(_) => "image",
            Kind::Pixels => "pixels",
        }
    }

    fn text(self) -> (&'static str, Vec<(&'static str, usize)>) {
        match self {
            Kind::Tile(tile) => (include_str!("tile.wgsl"), tile.constants()),
            Kind::Coop(coop) => (include_str!("coop.wgsl"), coop.constants()),
            Kind::Slim(slim) => (include_str!("slim.wgsl"), slim.constants()),
            Kind::Eight => (include_str!("eight.wgsl"), Vec::new()),
            Kind::Move => (include_str!("move.wgsl"), Vec::new()),
            Kind::Image(image, channels) => (include_str!("image.wgsl"), image.constants(channels)),
            Kind::ImageFew(channels) => {
                let constants =
                    [("PAIRS", FEW), ("CHANNELS", channels), ("THREADS", few_threads(channels))];
                (include_str!("image_few.wgsl"), constants.into())
            }
            Kind::Pixels => (include_str!("pixels.wgsl"), Vec::new()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Tile(t) => write!(
                f,
                "tile {}x{}, {}x{} per thread, deep {}, stages {}",
                4 * t.lanes,
                t.columns,
                4 * t.tall,
                t.wide,
                4 * t.deep,
                t.stages
            ),
            Kind::Coop(c) => write!(
                f,
                "coop {}x{}, {}x{} per subgroup, deep {}, stages {}",
                4 * c.lanes,
                c.columns,
                16 * c.tall,
                16 * c.wide,
                4 * c.deep,
                c.stages
            ),
            Kind::Slim(s) => write!(
                f,
                "slim {}x{}, {} columns per thread, {} slices",
                4 * s.lanes,
                s.spread * s.wide,
                s.wide,
                s.slices()
            ),
            Kind::Image(i, _) => {
                write!(f, "image {}x{}, deep {}", 2 * i.pairs, i.lines, 4 * i.deep)
            }
            Kind::ImageFew(_) => f.write_str("image, few"),
            Kind::Eight | Kind::Move | Kind::Pixels => f.write_str(self.entry()),
        }
    }
}

impl Kernel {
    pub fn source(self) -> String {
        use std::fmt::Write;
        let (text, mut constants) = self.kind.text();
        constants.push(("BLOCK", self.block));
        // Extensions stand before everything else.
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
        for (name, value) in &constants {
            let _ = writeln!(source, "const {name} = {value}u;");
        }
        source.push_str(include_str!("kernels.wgsl"));
        let output = match (self.bytes, self.kind) {
            (true, Kind::Image(..) | Kind::ImageFew(_)) => include_str!("bytes.wgsl"),
            (true, _) => "",
            (false, _) => include_str!("map.wgsl"),
        };
        source.push_str(&expand(output, &constants));
        source.push_str(&expand(text, &constants));
        source
    }
}

/// Workgroups of a dispatch as its three sides.
pub fn sides(workgroups: usize, groups: usize) -> [u32; 3] {
    [workgroups.min(ROW) as u32, workgroups.div_ceil(ROW) as u32, groups as u32]
}

/// The pipelines that were wanted so far.
pub struct Pipelines {
    pub layout: wgpu::BindGroupLayout,
    whole: wgpu::PipelineLayout,
    made: Vec<(Kernel, wgpu::ComputePipeline)>,
}

impl Pipelines {
    pub fn new(device: &Device) -> Pipelines {
        use wgpu::BufferBindingType::{Storage, Uniform};
        let reads = Storage { read_only: true };
        let writes = Storage { read_only: false };
        let kinds = [Uniform, reads, reads, reads, reads, writes, Uniform];
        let entries: Vec<_> = (0..)
            .zip(kinds)
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = device.raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &entries,
        });
        let whole = device.raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            bind_group_layouts: &[Some(&layout)],
            ..wgpu::PipelineLayoutDescriptor::default()
        });
        Pipelines { layout, whole, made: Vec::new() }
    }

    /// The pipeline of a kernel, compiled now if it was not before.
    pub fn get(&mut self, device: &Device, kernel: Kernel) -> wgpu::ComputePipeline {
        if let Some((_, pipeline)) = self.made.iter().find(|(k, _)| *k == kernel) {
            return pipeline.clone();
        }
        let source = kernel.source();
        let pipeline = compile(device, &source, kernel.kind.entry(), Some(&self.whole));
        self.made.push((kernel, pipeline.clone()));
        pipeline
    }
}

/// A pipeline of a text of this crate. What is wrong is found by [`Device::check`].
pub fn compile(
    device: &Device,
    source: &str,
    entry: &str,
    layout: Option<&wgpu::PipelineLayout>,
) -> wgpu::ComputePipeline {
    let module = trusted::module(&device.raw, source);
    device.raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry),
        layout,
        module: &module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Everything is written before it is read.
            zero_initialize_workgroup_memory: false,
            ..wgpu::PipelineCompilationOptions::default()
        },
        cache: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let moves = [Kind::Eight, Kind::Move];
        for kind in products.concat().into_iter().chain(moves) {
            for half in [false, true] {
                if half || !matches!(kind, Kind::Coop(_)) {
                    valid(Kernel { kind, block: 8, half, bytes: false });
                }
            }
        }
        for channels in 1..=4 {
            let images = Kind::image_candidates(channels, &CARD);
            for kind in images.into_iter().chain([Kind::Pixels]) {
                for (half, bytes) in [(false, true), (true, true), (true, false)] {
                    if bytes || kind != Kind::Pixels {
                        valid(Kernel { kind, block: 1, half, bytes });
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
