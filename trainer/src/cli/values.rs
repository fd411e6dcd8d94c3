//! Values of options, each with an error that says what would work.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use runtime::op::Activation;

/// A whole number in `range`.
pub fn whole<T>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: TryFrom<u64>,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
            format!("expected a whole number from {} to {}", range.start(), range.end())
        })
    }
}

/// A seed: any whole number of 64 bits.
pub fn seed(text: &str) -> Result<u64, String> {
    whole(0..=u64::MAX)(text)
}

/// A finite number, 0 or more.
pub fn amount(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|n: &f32| n.is_finite() && *n >= 0.0);
    number.ok_or_else(|| "expected a number, 0 or more".into())
}

/// Rows and columns of a sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub rows: usize,
    pub columns: usize,
}

impl Grid {
    const MOST: usize = 64;
}

impl FromStr for Grid {
    type Err = String;

    fn from_str(text: &str) -> Result<Grid, String> {
        let side = |text: &str| text.parse().ok().filter(|n| (1..=Grid::MOST).contains(n));
        let both = text.split_once('x').and_then(|(r, c)| Some((side(r)?, side(c)?)));
        let (rows, columns) = both
            .ok_or(format!("expected ROWSxCOLUMNS such as 4x6, each from 1 to {}", Grid::MOST))?;
        Ok(Grid { rows, columns })
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.columns)
    }
}

/// Seeds separated by commas.
#[derive(Clone, Debug, PartialEq)]
pub struct Seeds(pub Vec<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let seeds: Result<_, _> = text.split(',').map(|s| seed(s.trim())).collect();
        seeds
            .map(Seeds)
            .map_err(|_| "expected whole numbers separated by commas, such as 4,9,31".into())
    }
}

/// Two numbers: the values of black and white.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range(pub [f32; 2]);

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Range, String> {
        let both = numbers(text).and_then(|n| <[f32; 2]>::try_from(n).ok());
        let both = both.filter(|[low, high]| low < high);
        both.map(Range)
            .ok_or_else(|| "expected two numbers, black below white, such as -1,1".into())
    }
}

/// A number for each channel, or one for all three.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channels(pub [f32; 3]);

impl FromStr for Channels {
    type Err = String;

    fn from_str(text: &str) -> Result<Channels, String> {
        match numbers(text).as_deref() {
            Some(&[one]) => Ok(Channels([one; 3])),
            Some(&[r, g, b]) => Ok(Channels([r, g, b])),
            _ => Err("expected one number or three, such as 0.485,0.456,0.406".into()),
        }
    }
}

fn numbers(text: &str) -> Option<Vec<f32>> {
    let each = text.split(',').map(|n| n.trim().parse().ok().filter(|n: &f32| n.is_finite()));
    each.collect()
}

/// An activation function by name.
pub fn activation(text: &str) -> Result<Activation, String> {
    trainer::import::activation(text).ok_or_else(|| {
        "expected relu, leaky:SLOPE, tanh, sigmoid, elu:ALPHA, selu, gelu, gelutanh, silu, mish, softplus, \
         relu6 or none"
            .into()
    })
}

/// Channels, height and width of an image.
pub fn image(text: &str) -> Result<[usize; 3], String> {
    let side = |text: &str| text.parse().ok().filter(|n| (1..=4096).contains(n));
    let sides: Option<Vec<usize>> = text.split('x').map(side).collect();
    let sides = sides.and_then(|sides| sides.try_into().ok());
    sides.ok_or_else(|| "expected channels, height and width, such as 1x28x28".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_or_name_what_would_work() {
        assert_eq!(whole::<u32>(1..=9)("9"), Ok(9));
        for text in ["0", "10", "x", "-1", "1.5", ""] {
            assert_eq!(
                whole::<u32>(1..=9)(text).unwrap_err(),
                "expected a whole number from 1 to 9"
            );
        }
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        assert_eq!("4x6".parse(), Ok(Grid { rows: 4, columns: 6 }));
        for text in ["4", "0x3", "65x1", "4x", "axb"] {
            assert!(text.parse::<Grid>().unwrap_err().contains("such as 4x6"), "{text}");
        }
        assert_eq!("4, 9".parse(), Ok(Seeds(vec![4, 9])));
        assert!("4,x".parse::<Seeds>().is_err());
        assert_eq!("-1,1".parse(), Ok(Range([-1.0, 1.0])));
        for text in ["1,-1", "1", "0,nan", "0,1,2"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
        assert_eq!("0.5".parse(), Ok(Channels([0.5; 3])));
        assert!("0,1".parse::<Channels>().is_err());
        assert!(amount("-0.1").is_err());
    }
}
