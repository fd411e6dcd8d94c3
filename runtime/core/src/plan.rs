//! Where each layer reads and writes, in one arena.
//!
//! Outputs lie at one of the two ends of the arena and scratch between them. The output of a layer
//! goes to the first gap at the end where the arena is shorter for it, otherwise to the end that the
//! layer does not read from. So a chain of layers goes back and forth between the ends, and an
//! output that a later layer reads again stays below or above whatever is made in the meantime. The
//! arena is as long as the most demanding layer needs.

use core::ops::Range;

use crate::layer::{Input, Layer, Place, Source, Weights};
use crate::limits::{Exceeded, Limit, Limits};
use crate::op::Op;
use crate::simd;

/// Length of a layer's scratch in values (`f32`), or in bytes for an int8 layer. The kernels call
/// the same function.
pub fn scratch_len(layer: &Layer<'_>) -> usize {
    simd::scratch_len(layer, 1)
}

/// Plans where the outputs of all layers lie, at most 65,536 of them. Every layer reads earlier ones.
pub(crate) fn place(layers: &mut [Layer<'_>]) {
    let mut input = Tensor::of(&Place::FRONT, 0);
    for i in 0..layers.len() {
        layers[i].place = Place { until: i as u16, ..Place::FRONT };
        for source in [Some(layers[i].from), layers[i].other].into_iter().flatten() {
            match source {
                Source::Input => {
                    let [len, other, _] = layers[i].ends();
                    input.len = if layers[i].from == source { len } else { other };
                    input.until = i;
                }
                Source::Layer(of) => layers[usize::from(of)].place.until = i as u16,
            }
        }
    }
    for i in 0..layers.len() {
        let (done, rest) = layers.split_at_mut(i);
        let layer = &mut rest[0];
        let [_, _, len] = layer.ends();
        let from = match layer.from {
            Source::Input => false,
            Source::Layer(of) => done[usize::from(of)].place.back,
        };
        let outputs = done.iter().map(|l| Tensor::of(&l.place, l.ends()[2]));
        let live = outputs.chain([input]).filter(|t| t.until >= i);
        let until = usize::from(layer.place.until);
        let at = |back: bool| {
            let mut own = Tensor { back, offset: 0, len, until };
            while let Some(other) = live.clone().find(|t| t.overlaps(&own)) {
                own.offset = other.end();
            }
            let end = |back: bool| {
                let all = live.clone().chain([own]).filter(|t| t.back == back);
                all.map(|t| t.end()).max().unwrap_or(0)
            };
            Place {
                back,
                offset: own.offset,
                until: layer.place.until,
                used: [end(false), end(true)],
            }
        };
        let [across, along] = [at(!from), at(from)];
        let sum = |place: &Place| place.used[0].saturating_add(place.used[1]);
        layer.place = if sum(&along) < sum(&across) { along } else { across };
    }
}

/// A tensor in the arena, as [`Place`] describes it.
#[derive(Clone, Copy)]
struct Tensor {
    back: bool,
    offset: usize,
    len: usize,
    until: usize,
}

impl Tensor {
    fn of(place: &Place, len: usize) -> Tensor {
        Tensor { back: place.back, offset: place.offset, len, until: usize::from(place.until) }
    }

    fn end(&self) -> usize {
        self.offset.saturating_add(self.len)
    }

    fn overlaps(&self, other: &Tensor) -> bool {
        self.back == other.back && self.offset < other.end() && other.offset < self.end()
    }
}

/// Values (`f32`) in use while `threads` threads run a layer, each with its own scratch.
pub fn layer_len(layer: &Layer<'_>, threads: usize) -> usize {
    let [front, back] = layer.place.used;
    let scratch = threads.saturating_mul(scratch_len(layer));
    let len = front.saturating_add(back).saturating_add(scratch);
    match layer.weights {
        Weights::Int8(_) => len.div_ceil(size_of::<f32>()),
        Weights::Float { .. } | Weights::Packed { .. } | Weights::Half { .. } => len,
    }
}

/// Length of the arena in values (`f32`) for layers that `threads` threads run together. At first a
/// latent is stored as values even if the layers are int8.
pub fn arena_len(layers: &[Layer<'_>], input: Input, threads: usize) -> usize {
    let layers = layers.iter().map(|layer| layer_len(layer, threads));
    let latent = match input {
        Input::Latent(n) => n,
        Input::Picture(_) => 0,
    };
    layers.max().unwrap_or(0).max(latent)
}

/// Layers from the first one on that are computed for several images at a time: those in blocks that read much more
/// weights than values, and what lies between them. Layers that follow read nothing from before but the output of
/// the last one, unless there are none.
pub(crate) fn shared(layers: &[Layer<'_>]) -> usize {
    let heavy = |layer: &Layer<'_>| {
        let [input, _, output] = layer.ends();
        let in_blocks = !matches!(layer.weights, Weights::Float { .. });
        in_blocks && layer.weights.bytes() >= HEAVY * (input + output) * layer.weights.value()
    };
    let mut shared = layers.iter().rposition(heavy).map_or(0, |last| last + 1);
    let from_before = |shared: usize, source: Source| match source {
        Source::Input => true,
        Source::Layer(of) => usize::from(of) + 1 < shared,
    };
    while shared > 0 {
        let last = layers[shared..].iter().rposition(|layer| {
            let sources = [Some(layer.from), layer.other];
            sources.into_iter().flatten().any(|source| from_before(shared, source))
        });
        match last {
            Some(last) => shared += last + 1,
            None => break,
        }
    }
    shared
}

/// Length of an arena in values (`f32`) for the first `shared` layers and some images at a time; nothing is shared by
/// one.
pub(crate) fn shared_len(layers: &[Layer<'_>], shared: usize, images: usize) -> usize {
    if images <= 1 {
        return 0;
    }
    let len = |layer: &Layer<'_>| {
        let [front, back] = layer.place.used;
        let tensors = front.saturating_add(back).saturating_mul(images);
        let len = tensors.saturating_add(simd::scratch_len(layer, images));
        (len.saturating_mul(layer.weights.value())).div_ceil(size_of::<f32>())
    };
    layers[..shared].iter().map(len).max().unwrap_or(0)
}

/// Where the input lies in an arena, for some images at a time.
pub(crate) fn input(images: usize, layers: &[Layer<'_>]) -> Range<usize> {
    let read = |layer: &Layer<'_>| match (layer.from, layer.other) {
        (Source::Input, _) => Some(layer.ends()[0]),
        (_, Some(Source::Input)) => Some(layer.ends()[1]),
        _ => None,
    };
    0..images * layers.iter().find_map(read).unwrap_or(0)
}

/// How many times as many bytes of weights as of input and output a layer has that is computed for several images at a
/// time: so reading weights once is worth that the output is no longer in the cache when it is read.
const HEAVY: usize = 4;

/// Multiply-adds that writing one value counts as: about as long as an activation takes.
const WRITE: u64 = 32;
/// Convolutions compute that many channels at a time: fewer take as long.
const LANES: u64 = 8;

/// Checks the memory and time that layers take to make an image with one thread.
///
/// # Errors
/// [`Exceeded`].
pub fn check(layers: &[Layer<'_>], input: Input, limits: &Limits) -> Result<(), Exceeded> {
    let arena = (size_of::<f32>() as u64).saturating_mul(arena_len(layers, input, 1) as u64);
    limits.check(Limit::Arena, arena)?;
    limits.check(Limit::Pixels, layers.last().map_or(0, |l| l.output.plane() as u64))?;
    let work = layers.iter().fold(0u64, |sum, layer| {
        let own = layer.op.multiply_adds(layer.input, layer.output);
        let own = match layer.op {
            Op::Conv { .. } | Op::ReflectConv { .. } | Op::ConvTranspose { .. } => {
                let channels = (layer.output.c as u64).max(1);
                (own / channels).saturating_mul(channels.next_multiple_of(LANES))
            }
            _ => own,
        };
        sum.saturating_add(own).saturating_add(WRITE * layer.output.values() as u64)
    });
    limits.check(Limit::MultiplyAdds, work)
}

/// Where a layer reads and writes in an arena: offsets in values, or in bytes for int8 layers.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub x: Range<usize>,
    /// The second input; that of a layer that has none is the first.
    pub other: Range<usize>,
    /// All that lies between the tensors.
    pub scratch: Range<usize>,
    pub y: Range<usize>,
}

/// Where layer `i` reads and writes in an arena of `len` values or bytes.
pub(crate) fn places(len: usize, layers: &[Layer<'_>], i: usize) -> Places {
    places_of(1, len, layers, i)
}

/// Where layer `i` reads and writes for some images at a time, in an arena of `len` values or bytes: a tensor
/// has those of the images one after another.
pub(crate) fn places_of(images: usize, len: usize, layers: &[Layer<'_>], i: usize) -> Places {
    let layer = &layers[i];
    let [input, other, output] = layer.ends();
    let at = |place: &Place, n: usize| {
        let (offset, n) = (images * place.offset, images * n);
        match place.back {
            false => offset..offset + n,
            true => len - offset - n..len - offset,
        }
    };
    let read = |source: Source, n: usize| match source {
        Source::Input => at(&Place::FRONT, n),
        Source::Layer(of) => at(&layers[usize::from(of)].place, n),
    };
    let x = read(layer.from, input);
    let [front, back] = layer.place.used;
    Places {
        other: layer.other.map_or(x.clone(), |source| read(source, other)),
        x,
        scratch: images * front..len - images * back,
        y: at(&layer.place, output),
    }
}

/// An arena split for a layer.
pub(crate) struct Split<'m, T> {
    pub x: &'m [T],
    /// See [`Places::other`].
    pub other: &'m [T],
    pub scratch: &'m mut [T],
    pub y: &'m mut [T],
}

/// Splits the arena for layer `i` and some images at a time.
pub(crate) fn split<'m, T>(
    images: usize,
    arena: &'m mut [T],
    layers: &[Layer<'_>],
    i: usize,
) -> Split<'m, T> {
    let Places { x, other, scratch, y } = places_of(images, arena.len(), layers, i);
    // Output and scratch in the order in which they lie, and what surrounds them.
    let front = y.start < scratch.start;
    let (first, second) = if front { (y, scratch) } else { (scratch, y) };
    let (before, rest) = arena.split_at_mut(first.start);
    let (one, rest) = rest.split_at_mut(first.len());
    let (between, rest) = rest.split_at_mut(second.start - first.end);
    let (two, after) = rest.split_at_mut(second.len());
    let (before, between, after) = (&*before, &*between, &*after);
    let read = |at: Range<usize>| match at.start {
        start if start < first.start => &before[at],
        start if start < second.start => &between[start - first.end..at.end - first.end],
        start => &after[start - second.end..at.end - second.end],
    };
    let (x, other) = (read(x), read(other));
    match front {
        true => Split { x, other, scratch: two, y: one },
        false => Split { x, other, scratch: one, y: two },
    }
}

/// The output of layer `i`.
pub(crate) fn output<'m, T>(arena: &'m [T], layers: &[Layer<'_>], i: usize) -> &'m [T] {
    &arena[places(arena.len(), layers, i).y]
}
