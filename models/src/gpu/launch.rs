//! Launching WGSL programs on the client that burn's tensors live on.

use std::cell::RefCell;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::TensorMetadata;
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
use burn::cubecl::zspace::metadata::Metadata;
use burn::tensor::DType;

/// Workgroups in a row of a dispatch, which has rows because none may be longer than 65,535.
pub const ROW: usize = 1 << 15;

/// A WGSL program whose entry point is `main`. Its value is the key of the compiled pipeline.
pub trait Program: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// What profiles call it.
    fn name(&self) -> &'static str;

    /// The text. Bindings are numbered: what is read, what is written, then a uniform of the numbers.
    fn text(&self) -> String;
}

/// Whether launches are reported to an observer.
static NOTING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static NOTE: RefCell<Option<Note>> = const { RefCell::new(None) };
}

/// Description of a launch, for observers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// Which operation, on what.
    pub what: String,
    /// Its multiply-adds.
    pub multiply_adds: f64,
}

/// Has launches leave a note, or not.
pub fn set_noting(on: bool) {
    NOTING.store(on, Ordering::Relaxed);
}

/// The note of the launch that is under way on this thread.
pub fn take_note() -> Option<Note> {
    NOTE.with_borrow_mut(Option::take)
}

/// Leaves a note of the next launch.
pub(crate) fn note(of: impl FnOnce() -> Note) {
    if NOTING.load(Ordering::Relaxed) {
        NOTE.set(Some(of()));
    }
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

/// Runs `groups` workgroups of a program.
pub fn launch<P: Program>(
    program: P,
    groups: [u32; 3],
    reads: &[&CubeTensor],
    writes: &[&CubeTensor],
    numbers: &[u32],
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
    if !numbers.is_empty() {
        let words = numbers
            .chunks(2)
            .map(|pair| u64::from(pair[0]) | u64::from(*pair.get(1).unwrap_or(&0)) << 32);
        arguments = arguments.with_info(MetadataBindingInfo::custom(words.collect()));
    }
    let [x, y, z] = groups;
    let count = CubeCount::Static(x, y, z);
    client.launch(Box::new(Kernel(program)), count, arguments);
}

/// `count` workgroups as a dispatch of rows.
pub fn grid(count: usize, layers: usize) -> [u32; 3] {
    let rows = count.div_ceil(ROW).max(1);
    [count.div_ceil(rows) as u32, rows as u32, layers as u32]
}

/// Uninitialized memory beside `like`, of f32 in the order of `shape`.
pub fn empty<const D: usize>(like: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    let count: usize = shape.iter().product();
    let handle = like.client.empty(count.max(1) * size_of::<f32>());
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape.into(),
        handle,
        DType::F32,
    )
}

/// Uninitialized memory beside `like` for a `[n, c, h, w]` tensor that lies channels last.
pub fn empty_last(like: &CubeTensor, [n, c, h, w]: [usize; 4]) -> CubeTensor {
    let mut tensor = empty(like, [n, h, w, c]);
    *tensor.meta = last_of([n, c, h, w]);
    tensor
}

fn last_of([n, c, h, w]: [usize; 4]) -> Metadata {
    Metadata::new([n, c, h, w], [h * w * c, 1, w * c, c])
}

/// A tensor's four sides.
pub fn dims(tensor: &CubeTensor) -> [usize; 4] {
    tensor.shape().dims()
}

/// Whether the numbers lie in the order of `strides`, which sides of length 1 do not influence.
fn lies(tensor: &CubeTensor, strides: &[usize]) -> bool {
    let shape = tensor.meta.shape();
    let own = tensor.meta.strides();
    (0..strides.len()).all(|i| shape[i] == 1 || own[i] == strides[i])
}

/// Whether a `[n, c, h, w]` tensor lies channels last without gaps.
pub fn is_last(tensor: &CubeTensor) -> bool {
    let [_, c, h, w] = dims(tensor);
    lies(tensor, &[h * w * c, 1, w * c, c])
}

/// A `[n, c, h, w]` tensor channels last: as it lies, or moved.
pub fn last(tensor: CubeTensor) -> CubeTensor {
    if is_last(&tensor) {
        return tensor;
    }
    let shape @ [n, c, h, w] = dims(&tensor);
    let to = empty_last(&tensor, shape);
    let strides = tensor.meta.strides();
    let strides = [strides[0], strides[2], strides[3], strides[1]];
    relayout(&tensor, &to, [n, h, w, c], strides);
    to
}

/// A tensor in the order of its shape: as it lies, or moved.
pub fn contiguous(tensor: CubeTensor) -> CubeTensor {
    if tensor.is_contiguous() {
        return tensor;
    }
    let rank = tensor.meta.num_dims();
    let (mut shape, mut strides) = ([1; 4], [0; 4]);
    assert!(rank <= 4, "the layers' tensors have at most four sides");
    for i in 0..rank {
        shape[4 - rank + i] = tensor.meta.shape()[i];
        strides[4 - rank + i] = tensor.meta.strides()[i];
    }
    let handle = empty(&tensor, shape).handle;
    let to = CubeTensor::new_contiguous(
        tensor.client.clone(),
        tensor.device.clone(),
        tensor.shape(),
        handle,
        DType::F32,
    );
    relayout(&tensor, &to, shape, strides);
    to
}

/// Whether two tensors of one shape lie in the same order without gaps, so that one index means the same in both.
pub fn alike(a: &CubeTensor, b: &CubeTensor) -> bool {
    let rank = a.meta.num_dims();
    let shape = a.meta.shape();
    let (x, y) = (a.meta.strides(), b.meta.strides());
    let same = (0..rank).all(|i| shape[i] == 1 || x[i] == y[i]);
    let dense = a.is_contiguous() || (rank == 4 && is_last(a));
    same && dense
}

/// A tensor that lies channels last or in the order of its shape, without gaps: as it lies, or moved.
pub fn last_or_contiguous(tensor: CubeTensor) -> CubeTensor {
    match tensor.meta.num_dims() == 4 && is_last(&tensor) {
        true => tensor,
        false => contiguous(tensor),
    }
}

/// Uninitialized memory in the order in which `like` lies, which has no gaps.
pub fn empty_like(like: &CubeTensor) -> CubeTensor {
    let mut tensor = empty(like, [like.shape().num_elements()]);
    tensor.meta = like.meta.clone();
    tensor
}

/// `from` in the order in which `like` of the same shape lies.
pub fn as_lies(from: CubeTensor, like: &CubeTensor) -> CubeTensor {
    match from.meta.num_dims() == 4 && is_last(like) && !like.is_contiguous() {
        true => last(from),
        false => contiguous(from),
    }
}

fn relayout(from: &CubeTensor, to: &CubeTensor, shape: [usize; 4], strides: [usize; 4]) {
    let count: usize = shape.iter().product();
    let numbers =
        [count].into_iter().chain(shape[1..].iter().copied()).chain(strides).map(|v| v as u32);
    let numbers: Vec<u32> = numbers.collect();
    launch(Relayout, grid(count.div_ceil(256), 1), &[from], &[to], &numbers);
}

/// Copies a tensor of any strides into one without gaps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Relayout;

impl Program for Relayout {
    fn name(&self) -> &'static str {
        "relayout"
    }

    fn text(&self) -> String {
        include_str!("relayout.wgsl").into()
    }
}
