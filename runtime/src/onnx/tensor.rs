//! Constant tensors of an ONNX file, with their values in `raw_data` or in a typed list.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::path::Path;

use onnx_protobuf::TensorProto;
use onnx_protobuf::tensor_proto::{DataLocation, DataType};

use super::budget::Budget;
use super::error::OnnxError;
use super::external;
use super::fill;
use super::source::Part;
use crate::op::LARGEST;

/// A constant.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    /// Dimensions; none for a scalar.
    pub dims: Vec<usize>,
    pub values: Values,
    /// Whether the first dimension is the class: what is computed from a label.
    pub by_class: bool,
}

/// Numbers of the two kinds that generators use.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Values::Floats(values) => values.len(),
            Values::Ints(values) => values.len(),
        }
    }
}

impl Constant {
    /// A list.
    pub fn list(values: Values) -> Constant {
        Constant::of([values.len()].to_vec(), values)
    }

    /// Values with dimensions.
    pub fn of(dims: Vec<usize>, values: Values) -> Constant {
        Constant { dims, values, by_class: false }
    }

    /// The constant of a tensor, whose values may lie in a file of `folder`.
    pub fn read(
        tensor: &TensorProto,
        folder: Option<&Path>,
        budget: &Budget,
    ) -> Result<Constant, OnnxError> {
        Constant::read_from(tensor, &Part::of(&tensor.raw_data), folder, budget)
    }

    /// [`Constant::read`] of a tensor whose raw data are `raw`.
    pub fn read_from(
        tensor: &TensorProto,
        raw: &Part<'_>,
        folder: Option<&Path>,
        budget: &Budget,
    ) -> Result<Constant, OnnxError> {
        let fail = |what: String| Err(OnnxError::Tensor(tensor.name.clone(), what));
        let mut dims = Vec::new();
        let mut count = 1usize;
        for dim in &tensor.dims {
            let n = usize::try_from(*dim).ok();
            match n.and_then(|n| Some((n, count.checked_mul(n)?))) {
                Some((n, total)) if total <= LARGEST => {
                    dims.push(n);
                    count = total;
                }
                _ => return fail(format!("its dimensions {:?} are not supported", tensor.dims)),
            }
        }
        let outside = tensor.data_location.enum_value_or_default() == DataLocation::EXTERNAL;
        let values = match outside {
            true => self::values(tensor, &external::part(tensor, folder, budget)?),
            false => self::values(tensor, raw),
        };
        let values = match values {
            Ok(values) => values,
            Err(what) => return fail(what),
        };
        match values.len() == count {
            true => Ok(Constant::of(dims, values)),
            false => fail(format!("it has {} values for dimensions {dims:?}", values.len())),
        }
    }

    /// Size in bytes. Dimensions count: there can be more of them than values.
    pub fn size(&self) -> usize {
        let values = match &self.values {
            Values::Floats(values) => size_of_val(&values[..]),
            Values::Ints(values) => size_of_val(&values[..]),
        };
        values + size_of_val(&self.dims[..])
    }

    /// As floats.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Floats(values) => Some(values),
            Values::Ints(_) => None,
        }
    }

    /// As integers.
    pub fn as_ints(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Ints(values) => Some(values),
            Values::Floats(_) => None,
        }
    }
}

/// The values in `raw`, or, if that is empty, in a list.
fn values(tensor: &TensorProto, raw: &Part<'_>) -> Result<Values, String> {
    use protobuf::Enum;
    let kind = DataType::from_i32(tensor.data_type);
    let listed = raw.len == 0;
    Ok(match kind {
        Some(DataType::FLOAT) if listed => Values::Floats(tensor.float_data.clone()),
        Some(DataType::FLOAT) => {
            whole(raw, 4)?;
            Values::Floats(fill::floats(raw).map_err(unread)?)
        }
        Some(DataType::DOUBLE) => Values::Floats(match listed {
            true => tensor.double_data.iter().map(|v| *v as f32).collect(),
            false => each(raw, |b| f64::from_le_bytes(b) as f32)?,
        }),
        Some(DataType::FLOAT16) => Values::Floats(match listed {
            true => tensor.int32_data.iter().map(|v| half(*v as u16)).collect(),
            false => each(raw, |b| half(u16::from_le_bytes(b)))?,
        }),
        Some(DataType::INT64) => Values::Ints(match listed {
            true => tensor.int64_data.clone(),
            false => each(raw, i64::from_le_bytes)?,
        }),
        Some(DataType::INT32) => Values::Ints(match listed {
            true => tensor.int32_data.iter().map(|v| *v as i64).collect(),
            false => each(raw, |b| i32::from_le_bytes(b) as i64)?,
        }),
        Some(DataType::BOOL) => Values::Ints(match listed {
            true => tensor.int32_data.iter().map(|v| *v as i64).collect(),
            false => each(raw, |[b]| i64::from(b))?,
        }),
        Some(DataType::BFLOAT16) => Values::Floats(match listed {
            true => tensor.int32_data.iter().map(|v| f32::from_bits((*v as u32) << 16)).collect(),
            false => each(raw, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))?,
        }),
        kind => {
            let name = kind.map_or_else(|| tensor.data_type.to_string(), |k| format!("{k:?}"));
            return Err(format!(
                "values of type {name} are not supported; export the model in float32"
            ));
        }
    })
}

fn each<const N: usize, T: Clone + Default + Send>(
    raw: &Part<'_>,
    from: impl Fn([u8; N]) -> T + Sync,
) -> Result<Vec<T>, String> {
    whole(raw, N)?;
    fill::values(raw, from).map_err(unread)
}

fn whole(raw: &Part<'_>, size: usize) -> Result<(), String> {
    match raw.len.is_multiple_of(size) {
        true => Ok(()),
        false => Err("its raw data ends within a value".to_owned()),
    }
}

fn unread(error: std::io::Error) -> String {
    format!("its values cannot be read: {error}")
}

/// IEEE 754 binary16 to binary32.
fn half(bits: u16) -> f32 {
    let sign = ((bits as u32) & 0x8000) << 16;
    let (exponent, fraction) = ((bits >> 10) & 31, (bits & 0x3ff) as u32);
    match exponent {
        // Subnormal: the fraction in units of 2^-24.
        0 => f32::from_bits(sign | (fraction as f32 / 16_777_216.0).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        e => f32::from_bits(sign | (e as u32 + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn halves() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x8400, -6.103_515_6e-5),
            (0x7c00, f32::INFINITY),
        ];
        for (bits, want) in cases {
            assert_eq!(half(bits), want, "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn values_where_the_writer_put_them() {
        let mut tensor = TensorProto {
            dims: [2].to_vec(),
            data_type: DataType::FLOAT as i32,
            float_data: [1.0, 2.0].to_vec(),
            ..TensorProto::default()
        };
        let budget = Budget::new(0, &Limits::DEFAULT);
        let floats = |t: &TensorProto| {
            Constant::read(t, None, &budget).map(|c| c.floats().unwrap().to_vec())
        };
        assert_eq!(floats(&tensor).unwrap(), [1.0, 2.0]);
        tensor.raw_data = [3.0f32.to_le_bytes(), 4.0f32.to_le_bytes()].concat();
        assert_eq!(floats(&tensor).unwrap(), [3.0, 4.0]);
        tensor.raw_data.pop();
        assert!(floats(&tensor).is_err());
        tensor.raw_data.truncate(4);
        assert!(floats(&tensor).is_err(), "one value for two");
        tensor.dims = [1 << 40, 1 << 40].to_vec();
        assert!(floats(&tensor).is_err(), "too many to count");
        tensor.dims = [-1].to_vec();
        assert!(floats(&tensor).is_err());
    }
}
