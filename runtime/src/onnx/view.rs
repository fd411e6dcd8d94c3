//! How a tensor sees the output of the last layer.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

use crate::op::Shape;

/// The axes of a tensor without the batch, as steps through the output of the last layer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub dims: Vec<usize>,
    pub steps: Vec<usize>,
    /// What the steps lead through, if it is not the output itself: places in it.
    places: Option<Rc<[usize]>>,
}

impl View {
    /// Row by row.
    pub fn of(dims: &[usize]) -> View {
        let mut steps = vec![1; dims.len()];
        for i in (1..dims.len()).rev() {
            steps[i - 1] = steps[i] * dims[i];
        }
        View::new(dims.to_vec(), steps)
    }

    pub fn new(dims: Vec<usize>, steps: Vec<usize>) -> View {
        View { dims, steps, places: None }
    }

    /// Row by row through a list of places.
    pub fn listed(dims: &[usize], places: Vec<usize>) -> View {
        View { places: Some(places.into()), ..View::of(dims) }
    }

    /// Row by row through `order`, by steps if they are even.
    pub fn ordered(dims: &[usize], order: Vec<usize>) -> View {
        let plain = View::of(dims);
        let step = |(dim, at): (&usize, &usize)| match dim {
            1 => Some(1),
            _ => order.get(*at)?.checked_sub(order[0]),
        };
        let steps: Option<Vec<usize>> = dims.iter().zip(&plain.steps).map(step).collect();
        let view = steps.map(|steps| View::new(dims.to_vec(), steps));
        match view {
            Some(view) if view.order() == order => view,
            _ => View::listed(dims, order),
        }
    }

    /// Whether the channels of an output of `shape` are an axis.
    pub fn is_channel(&self, axis: usize, shape: Shape) -> bool {
        let same = self.dims[axis] == shape.c && self.steps[axis] == shape.plane();
        self.places.is_none() && same
    }

    /// Whether the first axis is the channels of an output of `shape`.
    pub fn has_channels_first(&self, shape: Shape) -> bool {
        !self.dims.is_empty() && self.is_channel(0, shape)
    }

    /// Axis `i` becomes the former axis `axes[i]`.
    pub fn transposed(&self, axes: &[usize]) -> View {
        View {
            dims: axes.iter().map(|a| self.dims[*a]).collect(),
            steps: axes.iter().map(|a| self.steps[*a]).collect(),
            places: self.places.clone(),
        }
    }

    /// Whether the values lie row by row.
    pub fn is_plain(&self) -> bool {
        let plain = View::of(&self.dims);
        // An axis that repeats has a step of 0.
        let same = |i: usize| self.dims[i] == 1 || self.steps[i] == plain.steps[i];
        self.places.is_none() && (0..self.dims.len()).all(same)
    }

    /// Number of values: more than the last layer has, if it repeats them.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// For each value of the tensor, row by row, its place in the output of the last layer.
    pub fn order(&self) -> Vec<usize> {
        let mut order = vec![0];
        for (dim, step) in self.dims.iter().zip(&self.steps) {
            order = order.iter().flat_map(|at| (0..*dim).map(move |i| at + i * step)).collect();
        }
        if let Some(places) = &self.places {
            order.iter_mut().for_each(|at| *at = places[*at]);
        }
        order
    }

    /// The axes that are longer than 1.
    fn long(&self) -> Vec<(usize, usize)> {
        let both = self.dims.iter().copied().zip(self.steps.iter().copied());
        both.filter(|(dim, _)| *dim != 1).collect()
    }

    /// The same tensor with other dimensions, if they differ only in axes of length 1.
    pub fn with_ones(&self, dims: &[usize]) -> Option<View> {
        let long = self.long();
        let same = dims.iter().filter(|d| **d != 1).eq(long.iter().map(|(dim, _)| dim));
        let mut steps = long.iter().map(|(_, step)| *step);
        let step = |d: &usize| if *d == 1 { 1 } else { steps.next().unwrap_or(1) };
        let steps = dims.iter().map(step).collect();
        same.then(|| View { dims: dims.to_vec(), steps, places: self.places.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        let view = View::of(&[2, 3]);
        assert!(view.is_plain());
        let turned = view.transposed(&[1, 0]);
        assert!(!turned.is_plain());
        assert_eq!(turned.order(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(turned.with_ones(&[3, 1, 2, 1]).unwrap().order(), turned.order());
        assert_eq!(turned.with_ones(&[2, 3]), None);
        assert!(View::of(&[4, 1, 1]).transposed(&[1, 2, 0]).is_plain());
        assert_eq!(View::ordered(&turned.dims, turned.order()), turned);
        let uneven = View::ordered(&[3], vec![0, 2, 1]);
        assert_eq!(uneven, View::listed(&[3], vec![0, 2, 1]));
    }
}
