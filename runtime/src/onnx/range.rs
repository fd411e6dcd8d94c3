//! Which output values are black and white.
//!
//! The last activation bounds the values, and what follows it moves the bounds: a scale and shift
//! to 0 to 1 or to bytes only changes units. It is removed, so that the last layer makes the image.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::data::Rounded;
use crate::graph::{Graph, Layer};
use crate::op::{Activation, Op};

/// Limits beyond this are those of a clip on one side only.
const OPEN: f64 = 1e6;

/// What is known about the output besides its layers.
pub(super) struct Known {
    /// Black and white, given by the user.
    pub given: Option<(f32, f32)>,
    /// Black and white in the file's own metadata.
    pub stated: Option<(f32, f32)>,
    /// How values became integers, and whether those are bytes.
    pub rounded: Option<Rounded>,
    pub bytes: bool,
}

/// The usual ranges of images.
const USUAL: [(f64, f64); 4] = [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0), (-0.5, 0.5)];

/// Sets the range of a graph of `channels` output channels, and removes a change of units at its
/// end. Returns what was assumed.
///
/// # Errors
/// If the range is not known and there is no usual one.
pub(super) fn settle(
    graph: &mut Graph,
    channels: usize,
    known: &Known,
) -> Result<Option<String>, String> {
    if let (Some(stated), None, false) = (known.stated, known.given, known.bytes) {
        graph.facts.range = stated;
        return Ok(None);
    }
    let end = Bounds::of(graph, channels);
    let (mut range, note) = match (known.given, known.bytes) {
        (Some(given), _) => ((f64::from(given.0), f64::from(given.1)), None),
        (None, true) => ((0.0, 255.0), None),
        (None, false) => end.range()?,
    };
    // Rounding down takes half a step off.
    if known.rounded == Some(Rounded::Down) {
        range = (range.0 + 0.5, range.1 + 0.5);
    }
    let range = strip(graph, range);
    let range = usual(range, 1e-4).unwrap_or(range);
    graph.facts.range = (range.0 as f32, range.1 as f32);
    if let (Some(stated), true) = (known.stated, known.bytes)
        && near(range, (f64::from(stated.0), f64::from(stated.1)), 1e-4)
    {
        graph.facts.range = stated;
    }
    Ok(note)
}

fn near(a: (f64, f64), b: (f64, f64), part: f64) -> bool {
    let most = part * (b.1 - b.0).abs();
    (a.0 - b.0).abs() <= most && (a.1 - b.1).abs() <= most
}

/// The usual range that differs from this one by at most that part of itself.
fn usual(range: (f64, f64), part: f64) -> Option<(f64, f64)> {
    USUAL.into_iter().find(|usual| near(range, *usual, part))
}

/// What is known about the values at the end of a graph.
struct Bounds {
    /// Least and largest value of each channel; empty if there are none.
    channels: Vec<(f64, f64)>,
    /// The limits of the last clip, in the units of the end.
    clip: Option<(f64, f64)>,
}

fn bounds(activation: Activation) -> Option<(f64, f64)> {
    match activation {
        Activation::Tanh => Some((-1.0, 1.0)),
        Activation::Sigmoid => Some((0.0, 1.0)),
        Activation::Clip(least, most) => Some((f64::from(least), f64::from(most))),
        Activation::Relu => Some((0.0, f64::from(f32::MAX))),
        Activation::None
        | Activation::LeakyRelu(_)
        | Activation::Elu(_)
        | Activation::Selu
        | Activation::Gelu
        | Activation::GeluTanh
        | Activation::Silu
        | Activation::Mish
        | Activation::Softplus => None,
    }
}

impl Bounds {
    fn of(graph: &Graph, channels: usize) -> Bounds {
        let keeps = |l: &Layer| {
            let moved = matches!(l.op, Op::Affine | Op::Resize { .. } | Op::Reshape { .. });
            let bounded = bounds(l.activation).is_some() || l.activation == Activation::None;
            (moved || l.op == Op::Activate) && bounded
        };
        // The bounds of a layer that reads an earlier one are not known.
        let first = graph.layers.iter().rposition(|l| !keeps(l) || l.from.is_some());
        let first = first.map_or(0, |i| if keeps(&graph.layers[i]) { i } else { i + 1 });
        let mut found = Bounds { channels: vec![], clip: None };
        for layer in &graph.layers[first..] {
            match layer.op {
                Op::Affine => found.scale(&layer.weight, &layer.bias),
                Op::Reshape { to } => found.reshape(to.c),
                _ => {}
            }
            if let Some((least, most)) = bounds(layer.activation) {
                match layer.activation {
                    Activation::Clip(..) | Activation::Relu => found.cut(least, most),
                    _ => found = Bounds { channels: vec![(least, most)], clip: None },
                }
            }
        }
        if found.channels.len() > 1 && found.channels.len() != channels {
            found.channels.clear();
        }
        found
    }

    fn scale(&mut self, weight: &[f32], bias: &[f32]) {
        let factor = |c: usize| f64::from(weight[c]);
        let shift = |c: usize| bias.get(c).map_or(0.0, |b| f64::from(*b));
        let moved = |(a, b): (f64, f64), c: usize| {
            let (a, b) = (factor(c) * a + shift(c), factor(c) * b + shift(c));
            (a.min(b), a.max(b))
        };
        match uniform(weight, bias) {
            true if !weight.is_empty() => {
                self.channels.iter_mut().for_each(|b| *b = moved(*b, 0));
                self.clip = self.clip.map(|clip| moved(clip, 0));
            }
            _ => {
                self.clip = None;
                self.channels = match self.channels[..] {
                    [one] => (0..weight.len()).map(|c| moved(one, c)).collect(),
                    ref all if all.len() == weight.len() => {
                        all.iter().enumerate().map(|(c, b)| moved(*b, c)).collect()
                    }
                    _ => vec![],
                };
            }
        }
    }

    /// After a reshape to `c` channels only bounds that all channels share are known.
    fn reshape(&mut self, c: usize) {
        if self.channels.len() != c {
            let same = self.channels.windows(2).all(|w| w[0] == w[1]);
            self.channels.truncate(if same { 1 } else { 0 });
        }
    }

    fn cut(&mut self, least: f64, most: f64) {
        if self.channels.is_empty() {
            self.channels = vec![(least, most)];
        }
        for b in &mut self.channels {
            *b = (b.0.clamp(least, most), b.1.clamp(least, most));
        }
        if least > -OPEN && most < OPEN {
            self.clip = Some((least, most));
        }
    }

    /// Black and white, and what was assumed.
    fn range(&self) -> Result<((f64, f64), Option<String>), String> {
        if let Some(clip) = self.clip.filter(|clip| usual(*clip, 0.01).is_some()) {
            return Ok((usual(clip, 0.01).unwrap_or(clip), None));
        }
        let least = self.channels.iter().map(|b| b.0).fold(f64::MAX, f64::min);
        let most = self.channels.iter().map(|b| b.1).fold(f64::MIN, f64::max);
        let same = self.channels.windows(2).all(|w| near(w[0], w[1], 1e-3));
        if least > -OPEN && most > OPEN && !self.channels.is_empty() {
            let note = "nothing in the file bounds its output above; black is assumed to be 0 and \
                        white 1: --range 0,1 or 0,255 decides";
            return Ok(((0.0, 1.0), Some(note.into())));
        }
        if self.channels.is_empty() || least < -OPEN || most > OPEN {
            let note = "nothing in the file bounds its output; black is assumed to be -1 and white \
                        1: --range -1,1, 0,1 or 0,255 decides";
            return Ok(((-1.0, 1.0), Some(note.into())));
        }
        if let (Some(range), true) = (usual((least, most), 0.01), same) {
            return Ok((range, None));
        }
        // The narrowest usual range that holds all values.
        let order = [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)];
        let holds = |(a, b): &(f64, f64)| {
            let more = 0.01 * (b - a);
            least >= a - more && most <= b + more && most - least > 0.2 * (b - a)
        };
        match order.into_iter().find(holds) {
            Some((a, b)) => {
                let note = format!(
                    "output values lie between {least:.3} and {most:.3}; black is assumed to be {a} \
                     and white {b}: --range decides"
                );
                Ok(((a, b), Some(note)))
            }
            None if same && least < most => {
                let note = format!(
                    "output values lie between {least:.3} and {most:.3}, which are assumed to be \
                     black and white: --range decides"
                );
                Ok(((least, most), Some(note)))
            }
            None => Err(format!(
                "output values lie between {least:.3} and {most:.3}, which is no usual range: say \
                 which values are black and white with --range LOW,HIGH"
            )),
        }
    }
}

fn uniform(weight: &[f32], bias: &[f32]) -> bool {
    let same = |values: &[f32]| values.windows(2).all(|w| w[0] == w[1]);
    same(weight) && same(bias)
}

/// Removes scales that are the same for all values, and clips that the image's own limits imply,
/// from the end; returns the range in the units of what is left.
fn strip(graph: &mut Graph, (mut black, mut white): (f64, f64)) -> (f64, f64) {
    let mut i = graph.layers.len();
    while i > 1 {
        i -= 1;
        let layer = &graph.layers[i];
        if layer.from.is_some() {
            break;
        }
        match (layer.op, layer.activation) {
            (Op::Reshape { .. }, Activation::None) => {}
            (Op::Affine, Activation::None) if uniform(&layer.weight, &layer.bias) => {
                let factor = layer.weight.first().map_or(1.0, |w| f64::from(*w));
                let shift = layer.bias.first().map_or(0.0, |b| f64::from(*b));
                let (a, b) = ((black - shift) / factor, (white - shift) / factor);
                if !(a.is_finite() && b.is_finite()) || a == b {
                    break;
                }
                (black, white) = (a, b);
                graph.layers.remove(i);
            }
            // Half a step for values that were rounded down.
            (Op::Activate, Activation::Relu) if black.min(white) >= 0.0 => {
                graph.layers.remove(i);
            }
            (Op::Activate, Activation::Clip(least, most))
                if f64::from(least) <= black.min(white) + 0.002 * (white - black).abs()
                    && f64::from(most) >= black.max(white) - 0.002 * (white - black).abs() =>
            {
                graph.layers.remove(i);
            }
            _ => break,
        }
    }
    (black, white)
}
