//! Nodes that the data does not pass through: integers with which exporters compute shapes, and
//! whatever is computed from a label, which is evaluated for all classes at once.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use onnx_protobuf::tensor_proto::DataType;
use protobuf::Enum;

use super::arithmetic::{AXES, broadcast, spread};
use super::chain::Chain;
use super::error::OnnxError;
use super::node::Node;
use super::tensor::{Constant, Values};
use super::view::View;
use crate::op::LARGEST;

impl Chain<'_> {
    /// Evaluates a node of constants.
    pub fn constant(&mut self, node: &Node<'_>) -> Result<(), OnnxError> {
        let mut value = self.evaluate(node)?;
        let inputs = node.0.input.iter().filter_map(|n| self.constants.get(n));
        value.by_class |= inputs.into_iter().any(|c| c.by_class) && node.0.op_type != "Shape";
        if let Some(output) = node.0.output.first() {
            self.constants.insert(output.clone(), value);
        }
        Ok(())
    }

    fn evaluate(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let op = node.0.op_type.as_str();
        match op {
            "Constant" => {
                let value = self.value(node)?;
                self.budget.take(value.size(), 1)?;
                Ok(value)
            }
            "Identity" | "Dropout" => Ok(self.copied(node)?.clone()),
            "Cast" => self.cast(node),
            "Shape" => {
                let from = self.input(node, 0)?;
                let mut dims: Vec<i64> = from.dims.iter().map(|d| *d as i64).collect();
                if from.by_class
                    && let Some(batch) = dims.first_mut()
                {
                    *batch = 1;
                }
                self.budget.take(dims.len(), size_of::<i64>())?;
                Ok(Constant::list(Values::Ints(dims)))
            }
            "Gather" => self.gather(node),
            "Slice" => self.slice_of_constant(node),
            "Concat" => self.concat(node),
            "Unsqueeze" | "Squeeze" | "Reshape" | "Flatten" => self.redimensioned(node),
            "Transpose" => self.transposed(node),
            "Tile" | "Expand" => self.repeated(node),
            "ConstantOfShape" => {
                let dims = self.sizes(node, 0)?;
                let n = self.room(node, &dims)?;
                let value = match node.attribute("value").filter(|a| a.t.is_some()) {
                    Some(a) => self.tensor(&a.t)?.values,
                    None => Values::Floats(vec![0.0]),
                };
                Ok(match value {
                    Values::Floats(v) => Constant::of(dims, Values::Floats(vec![first(&v); n])),
                    Values::Ints(v) => Constant::of(dims, Values::Ints(vec![first(&v); n])),
                })
            }
            "Range" => self.range_of(node),
            "OneHot" => self.one_hot(node),
            "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Equal" | "Less"
            | "Greater" | "And" | "Or" | "Where" => self.arithmetic(node),
            "Neg" | "Not" | "Abs" | "Floor" | "Ceil" | "Sqrt" | "Relu" | "LeakyRelu" | "Tanh"
            | "Sigmoid" | "Elu" | "Softplus" => self.mapped(node),
            "Gemm" | "MatMul" => self.product(node),
            "ConvTranspose" => self.pixel_product(node),
            "BatchNormalization" => self.normalized(node),
            _ => Err(node.fail(
                "is not on the chain from the latent to the image, and is no constant; only such \
                 chains are supported",
            )),
        }
    }

    /// The first input, before a copy of it is made: takes the bytes of one.
    pub fn copied(&self, node: &Node<'_>) -> Result<&Constant, OnnxError> {
        let from = self.input(node, 0)?;
        self.budget.take(from.size(), 1)?;
        Ok(from)
    }

    /// The number of values of `dims`, within the budget.
    pub fn room(&self, node: &Node<'_>, dims: &[usize]) -> Result<usize, OnnxError> {
        // Places are computed axis by axis: a last axis of length 0 does not undo the others.
        let most = dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d.max(&1)));
        let most = most.filter(|n| *n <= LARGEST && dims.len() <= AXES);
        let most =
            most.ok_or_else(|| node.fail(format!("dimensions {dims:?} are not supported")))?;
        // With the places that are computed on the way.
        self.budget.take(most, 2 * size_of::<usize>() + size_of::<i64>())?;
        Ok(dims.iter().product())
    }

    /// Integers as sizes.
    fn sizes(&self, node: &Node<'_>, i: usize) -> Result<Vec<usize>, OnnxError> {
        let sizes = self.integers(node, i)?;
        let size = |n: &i64| usize::try_from(*n).ok();
        sizes
            .iter()
            .map(size)
            .collect::<Option<_>>()
            .ok_or_else(|| node.fail(format!("sizes {sizes:?} are not supported")))
    }

    /// Axis `a` of `rank`.
    fn axis(&self, node: &Node<'_>, a: i64, rank: usize) -> Result<usize, OnnxError> {
        let place = if a < 0 { a.saturating_add(rank as i64) } else { a };
        let place = usize::try_from(place).ok().filter(|p| *p < rank);
        place.ok_or_else(|| node.fail(format!("axis {a} does not fit {rank} axes")))
    }

    /// The values of a constant at `places`, with dimensions `dims`.
    fn picked(&self, from: &Constant, dims: Vec<usize>, places: &[usize]) -> Constant {
        let values = match &from.values {
            Values::Floats(v) => Values::Floats(places.iter().map(|p| v[*p]).collect()),
            Values::Ints(v) => Values::Ints(places.iter().map(|p| v[*p]).collect()),
        };
        Constant::of(dims, values)
    }

    fn gather(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.input(node, 0)?;
        let indices = self.input(node, 1)?;
        let axis = self.axis(node, node.int("axis", 0), from.dims.len())?;
        let n = from.dims[axis] as i64;
        let index = |i: &i64| {
            let i = if *i < 0 { i.saturating_add(n) } else { *i };
            usize::try_from(i).ok().filter(|i| *i < n as usize)
        };
        let chosen: Option<Vec<usize>> = self.integers(node, 1)?.iter().map(index).collect();
        let chosen = chosen.ok_or_else(|| node.fail("an index is out of range"))?;
        let inner: usize = from.dims[axis + 1..].iter().product();
        let outer: usize = from.dims[..axis].iter().product();
        let dims = [&from.dims[..axis], &indices.dims, &from.dims[axis + 1..]].concat();
        let total = self.room(node, &dims)?;
        let mut places = Vec::with_capacity(total);
        for o in 0..outer {
            for i in &chosen {
                let start = (o * n as usize + i) * inner;
                places.extend(start..start + inner);
            }
        }
        Ok(self.picked(from, dims, &places))
    }

    fn slice_of_constant(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let list = |i: usize, name: &str| -> Result<Option<Vec<i64>>, OnnxError> {
            match (node.ints(name), node.input(i)) {
                (Some(values), _) => Ok(Some(values.to_vec())),
                (None, Some(_)) => Ok(Some(self.integers(node, i)?.to_vec())),
                (None, None) => Ok(None),
            }
        };
        let from = self.input(node, 0)?;
        let starts = list(1, "starts")?.unwrap_or_default();
        let ends = list(2, "ends")?.unwrap_or_default();
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
        let same = [ends.len(), axes.len(), steps.len()].iter().all(|n| *n == starts.len());
        if !same || steps.contains(&0) {
            return Err(node.fail("this slice is not supported"));
        }
        // Start, end and step of each axis; backwards, the end may be one before the first.
        let mut chosen: Vec<[i64; 3]> = from.dims.iter().map(|d| [0, *d as i64, 1]).collect();
        for i in 0..starts.len() {
            let axis = self.axis(node, axes[i], from.dims.len())?;
            let n = from.dims[axis] as i64;
            let place = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
            chosen[axis] = match steps[i] > 0 {
                true => [place(starts[i]).clamp(0, n), place(ends[i]).clamp(0, n), steps[i]],
                false => {
                    [place(starts[i]).clamp(0, n - 1), place(ends[i]).clamp(-1, n - 1), steps[i]]
                }
            };
        }
        let count = |[a, b, s]: &[i64; 3]| {
            let far = if *s > 0 { b - a } else { a - b };
            (far.max(0) as u64).div_ceil(s.unsigned_abs()) as usize
        };
        let dims: Vec<usize> = chosen.iter().map(count).collect();
        self.room(node, &dims)?;
        let mut places = vec![0i64];
        for (([a, _, s], dim), step) in chosen.iter().zip(&dims).zip(&View::of(&from.dims).steps) {
            let along = |i: usize| (a + s * i as i64) * *step as i64;
            places = places.iter().flat_map(|p| (0..*dim).map(move |i| p + along(i))).collect();
        }
        let places: Vec<usize> = places.into_iter().map(|p| p as usize).collect();
        Ok(self.picked(from, dims, &places))
    }

    fn concat(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let inputs = (0..node.0.input.len()).map(|i| self.input(node, i));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        for input in &inputs {
            self.budget.take(input.size(), 1)?;
        }
        let first = inputs.first().ok_or_else(|| node.fail("has no inputs"))?;
        let axis = self.axis(node, node.int("axis", 0), first.dims.len().max(1))?;
        let others = |c: &Constant| {
            let mut dims = c.dims.clone();
            (axis < dims.len()).then(|| dims.remove(axis));
            dims
        };
        if inputs.iter().any(|c| others(c) != others(first) || c.dims.len() != first.dims.len()) {
            return Err(node.fail("the dimensions of its inputs do not fit each other"));
        }
        let outer: usize = first.dims.iter().take(axis).product();
        let mut dims = first.dims.clone();
        if let Some(dim) = dims.get_mut(axis) {
            *dim = inputs.iter().map(|c| c.dims[axis]).sum();
        }
        let floats: Option<Vec<&[f32]>> = inputs.iter().map(|c| c.floats()).collect();
        let ints: Option<Vec<&[i64]>> = inputs.iter().map(|c| c.as_ints()).collect();
        let values = match (floats, ints) {
            (Some(floats), _) => Values::Floats(joined(&floats, outer)),
            (None, Some(ints)) => Values::Ints(joined(&ints, outer)),
            (None, None) => return Err(node.fail("mixes floats and integers")),
        };
        Ok(Constant::of(dims, values))
    }

    /// The same values with other dimensions.
    fn redimensioned(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.copied(node)?;
        // Older operation sets have both as attributes, newer ones as an input.
        let given = match (node.ints("axes").or(node.ints("shape")), node.input(1)) {
            (Some(given), _) => given.to_vec(),
            (None, Some(_)) => self.integers(node, 1)?.to_vec(),
            (None, None) => vec![],
        };
        let rank = from.dims.len();
        let dims = match node.0.op_type.as_str() {
            "Unsqueeze" => self.unsqueezed(node, &from.dims, &given)?,
            "Squeeze" => self.squeezed(node, &from.dims, &given)?,
            "Flatten" => {
                let axis = usize::try_from(node.int("axis", 1)).unwrap_or(0).min(rank);
                vec![from.dims[..axis].iter().product(), from.dims[axis..].iter().product()]
            }
            _ => reshaped(from, &given)
                .ok_or_else(|| node.fail(format!("a reshape to {given:?} is not supported")))?,
        };
        if dims.len() > AXES {
            return Err(node.fail("more than 8 axes"));
        }
        Ok(Constant::of(dims, from.values.clone()))
    }

    /// `dims` with a 1 inserted at each of `axes`, which count in the result.
    fn unsqueezed(
        &self,
        node: &Node<'_>,
        dims: &[usize],
        axes: &[i64],
    ) -> Result<Vec<usize>, OnnxError> {
        let rank = dims.len() + axes.len();
        let places: Result<Vec<usize>, _> =
            axes.iter().map(|a| self.axis(node, *a, rank)).collect();
        let mut places = places?;
        places.sort_unstable();
        let mut dims = dims.to_vec();
        for place in places {
            if place > dims.len() {
                return Err(node.fail("axes out of order"));
            }
            dims.insert(place, 1);
        }
        Ok(dims)
    }

    /// `dims` without `axes`, or without all of length 1 if none are given.
    fn squeezed(
        &self,
        node: &Node<'_>,
        dims: &[usize],
        axes: &[i64],
    ) -> Result<Vec<usize>, OnnxError> {
        let rank = dims.len();
        let places: Result<Vec<usize>, _> =
            axes.iter().map(|a| self.axis(node, *a, rank)).collect();
        let places = places?;
        let removed = |i: usize| if axes.is_empty() { dims[i] == 1 } else { places.contains(&i) };
        if (0..rank).any(|i| removed(i) && dims[i] != 1) {
            return Err(node.fail(format!("axes {axes:?} do not have a length of 1")));
        }
        Ok((0..rank).filter(|i| !removed(*i)).map(|i| dims[i]).collect())
    }

    fn transposed(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.input(node, 0)?;
        let rank = from.dims.len();
        let axes: Vec<i64> = match node.ints("perm") {
            Some(axes) => axes.to_vec(),
            None => (0..rank as i64).rev().collect(),
        };
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..rank as i64) {
            return Err(node.fail(format!("perm {axes:?} does not fit {rank} axes")));
        }
        let axes: Vec<usize> = axes.iter().map(|a| *a as usize).collect();
        let view = View::of(&from.dims).transposed(&axes);
        self.room(node, &view.dims)?;
        let places = view.order();
        Ok(self.picked(from, view.dims, &places))
    }

    fn repeated(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.input(node, 0)?;
        let to = self.integers(node, 1)?;
        if node.0.op_type == "Expand" {
            // A batch that is not known leaves the axis as it is.
            let keep = |n: &i64| usize::try_from(*n).unwrap_or(1);
            let to: Vec<usize> = to.iter().map(keep).collect();
            let dims = broadcast(&from.dims, &to);
            let dims = dims.ok_or_else(|| node.fail("the dimensions do not fit each other"))?;
            self.room(node, &dims)?;
            let places = spread(&from.dims, &dims);
            return Ok(self.picked(from, dims, &places));
        }
        let keep = |n: &i64| usize::try_from(*n).unwrap_or(1);
        let times: Vec<usize> = to.iter().map(keep).collect();
        if times.len() != from.dims.len() {
            return Err(node.fail("the number of repeats differs from that of the axes"));
        }
        let dims: Vec<usize> =
            from.dims.iter().zip(&times).map(|(d, t)| d.saturating_mul(*t)).collect();
        self.room(node, &dims)?;
        let view = View::of(&from.dims);
        let mut places = vec![0];
        for ((dim, step), times) in from.dims.iter().zip(&view.steps).zip(&times) {
            let along = || (0..*times).flat_map(move |_| (0..*dim).map(move |i| i * step));
            places = places.iter().flat_map(|at| along().map(move |i| at + i)).collect();
        }
        Ok(self.picked(from, dims, &places))
    }

    fn range_of(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let one = |i: usize| -> Result<i64, OnnxError> {
            let values = self.integers(node, i)?;
            values.first().copied().ok_or_else(|| node.fail("has an empty input"))
        };
        let (start, end, step) = (one(0)?, one(1)?, one(2)?);
        if step <= 0 {
            return Err(node.fail(format!("a step of {step} is not supported")));
        }
        let n = (end.saturating_sub(start).max(0) as u64).div_ceil(step as u64);
        let n = self.room(node, &[usize::try_from(n).unwrap_or(usize::MAX)])?;
        let values = (0..n as i64).map(|i| start + i * step).collect();
        Ok(Constant::list(Values::Ints(values)))
    }

    fn one_hot(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let indices = self.input(node, 0)?;
        let depth = match &self.input(node, 1)?.values {
            Values::Ints(v) => first(v),
            Values::Floats(v) => first(v) as i64,
        };
        let depth = usize::try_from(depth).ok().filter(|d| *d > 0);
        let depth = depth.ok_or_else(|| node.fail("a depth of 0 is not supported"))?;
        if ![-1, indices.dims.len() as i64].contains(&node.int("axis", -1)) {
            return Err(node.fail("only the last axis is supported"));
        }
        let dims = [&indices.dims[..], &[depth]].concat();
        self.room(node, &dims)?;
        let index = |i: i64| if i < 0 { i.saturating_add(depth as i64) } else { i };
        let hot: Vec<i64> = match &indices.values {
            Values::Ints(v) => v.iter().map(|i| index(*i)).collect(),
            Values::Floats(v) => v.iter().map(|i| index(*i as i64)).collect(),
        };
        let hot = hot.iter().flat_map(|i| (0..depth as i64).map(move |d| d == *i));
        let values = match &self.input(node, 2)?.values {
            Values::Ints(v) => match v[..] {
                [off, on] => Values::Ints(hot.map(|h| if h { on } else { off }).collect()),
                _ => return Err(node.fail("needs two values")),
            },
            Values::Floats(v) => match v[..] {
                [off, on] => Values::Floats(hot.map(|h| if h { on } else { off }).collect()),
                _ => return Err(node.fail("needs two values")),
            },
        };
        Ok(Constant::of(dims, values))
    }

    fn cast(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        let from = self.copied(node)?;
        let to = DataType::from_i32(node.int("to", 0) as i32);
        let values = match (&from.values, to) {
            (Values::Floats(v), Some(DataType::FLOAT | DataType::DOUBLE | DataType::FLOAT16)) => {
                Values::Floats(v.clone())
            }
            (Values::Ints(v), Some(DataType::FLOAT | DataType::DOUBLE | DataType::FLOAT16)) => {
                Values::Floats(v.iter().map(|v| *v as f32).collect())
            }
            (Values::Ints(v), Some(DataType::INT64 | DataType::INT32)) => Values::Ints(v.clone()),
            (Values::Floats(v), Some(DataType::INT64 | DataType::INT32)) => {
                Values::Ints(v.iter().map(|v| *v as i64).collect())
            }
            (Values::Ints(v), Some(DataType::BOOL)) => {
                Values::Ints(v.iter().map(|v| i64::from(*v != 0)).collect())
            }
            (Values::Floats(_) | Values::Ints(_), to) => {
                return Err(node.fail(format!("a cast to {to:?} is not supported")));
            }
        };
        Ok(Constant::of(from.dims.clone(), values))
    }

    /// The value of a `Constant` node.
    fn value(&self, node: &Node<'_>) -> Result<Constant, OnnxError> {
        Ok(match node.0.attribute.first() {
            Some(a) if a.name == "value" && a.t.is_some() => self.tensor(&a.t)?,
            Some(a) if a.name == "value_int" => Constant::of(vec![], Values::Ints(vec![a.i])),
            Some(a) if a.name == "value_ints" => Constant::list(Values::Ints(a.ints.clone())),
            Some(a) if a.name == "value_float" => Constant::of(vec![], Values::Floats(vec![a.f])),
            Some(a) if a.name == "value_floats" => Constant::list(Values::Floats(a.floats.clone())),
            _ => return Err(node.fail("constants of this kind are not supported")),
        })
    }
}

fn first<T: Copy + Default>(values: &[T]) -> T {
    values.first().copied().unwrap_or_default()
}

/// The dimensions of a constant after `Reshape` to `target`, in which 0 keeps a side and -1 takes what
/// is left. `None` if the number of values would change.
fn reshaped(from: &Constant, target: &[i64]) -> Option<Vec<usize>> {
    let count = from.values.len();
    let mut sides = target.to_vec();
    for (i, side) in sides.iter_mut().enumerate() {
        if *side == 0 {
            *side = from.dims.get(i).map_or(0, |d| *d as i64);
        }
    }
    // The classes take the place of the batch.
    if from.by_class
        && let (Some(batch), Some(classes)) = (sides.first_mut(), from.dims.first())
        && (*batch == 1 || sides_open(target) > 1)
    {
        *batch = *classes as i64;
    }
    let known = sides.iter().filter(|n| **n != -1).try_fold(1i64, |p, n| p.checked_mul(*n))?;
    if known <= 0 {
        return None;
    }
    match sides_open(&sides) {
        0 if known == count as i64 => {}
        1 if count as i64 % known == 0 => {
            for side in sides.iter_mut().filter(|n| **n == -1) {
                *side = count as i64 / known;
            }
        }
        _ => return None,
    }
    let dims: Vec<usize> = sides.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect();
    (dims.iter().product::<usize>() == count).then_some(dims)
}

fn sides_open(sides: &[i64]) -> usize {
    sides.iter().filter(|n| **n == -1).count()
}

/// Lists of `outer` rows side by side.
fn joined<T: Copy>(lists: &[&[T]], outer: usize) -> Vec<T> {
    let mut all = Vec::new();
    for row in 0..outer {
        for list in lists {
            let wide = list.len() / outer;
            all.extend_from_slice(&list[row * wide..][..wide]);
        }
    }
    all
}
