//! Launches of WGSL programs on the client of burn's tensors.

use std::fmt::Debug;
use std::hash::Hash;

use burn::backend::wgpu::CubeTensor;
use burn::cubecl::PrecompiledSource;
use burn::cubecl::ir::attributes::BufferIOAttr;
use burn::cubecl::ir::metadata::Info;
use burn::cubecl::ir::{AddressType, ElemType, Scope, UIntKind};
use burn::cubecl::prelude::{
    CubeCount, CubeDim, CubeKernel, ExecutionMode, KernelDefinition, KernelId, KernelMetadata,
    KernelSettings,
};
use burn::cubecl::server::{KernelArguments, MetadataBindingInfo};

/// Most workgroups in a row of a dispatch: no side of a dispatch may exceed 65,535.
const ROW: usize = 1 << 15;

/// A WGSL program with the entry point `main`. Equal values share a compiled pipeline.
pub trait Program: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// Its name in profiles.
    fn name(&self) -> &'static str;

    /// Its text. Buffers are bound in this order: those it reads, those it writes, and a uniform of
    /// its params (see [`wgsl::bindings`](super::wgsl::bindings)).
    fn text(&self) -> String;
}

struct Kernel<P>(P);

impl<P: Program> KernelMetadata for Kernel<P> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(self.0.clone()).mode(ExecutionMode::Unchecked)
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

impl<P: Program> CubeKernel for Kernel<P> {
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(
            CubeDim::new_single().0,
            ExecutionMode::Unchecked,
            AddressType::U32,
        );
        KernelDefinition { body: Scope::root(settings.clone()), settings, info: Info::default() }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource {
            source: self.0.text(),
            entrypoint_name: "main".into(),
            lang: "wgsl",
        })
    }
}

/// Runs `groups` workgroups of a program. Integers go into `params` as they are, floats as their
/// bits.
pub fn launch<P: Program>(
    program: P,
    groups: [u32; 3],
    reads: &[&CubeTensor],
    writes: &[&CubeTensor],
    params: &[u32],
) {
    let client = &writes[0].client;
    let mut arguments = KernelArguments::new();
    for tensor in reads {
        let binding = tensor.handle.clone().binding();
        arguments = arguments.with_buffer_io(binding, BufferIOAttr::ReadOnly);
    }
    for tensor in writes {
        let binding = tensor.handle.clone().binding();
        arguments = arguments.with_buffer_io(binding, BufferIOAttr::WriteOnly);
    }
    if !params.is_empty() {
        let words = params
            .chunks(2)
            .map(|pair| u64::from(pair[0]) | u64::from(*pair.get(1).unwrap_or(&0)) << 32);
        arguments = arguments.with_info(MetadataBindingInfo::custom(words.collect()));
    }
    let [x, y, z] = groups;
    let count = CubeCount::Static(x, y, z);
    client.launch(Box::new(Kernel(program)), count, arguments);
}

/// A dispatch of at least `count` workgroups in rows, times `layers`.
pub fn grid(count: usize, layers: usize) -> [u32; 3] {
    let rows = count.div_ceil(ROW).max(1);
    [count.div_ceil(rows) as u32, rows as u32, layers as u32]
}
