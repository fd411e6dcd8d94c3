//! Parsing of option values. Errors name what is allowed.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A number in a range.
fn number<T>(text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let number = text.parse().ok().filter(|n| range.contains(n));
    number.ok_or_else(|| {
        let kind = match "0.5".parse::<T>() {
            Ok(_) => "number",
            Err(_) => "whole number",
        };
        format!("expected a {kind} from {} to {}", range.start(), range.end())
    })
}

/// Parsers of numbers, each with its range.
macro_rules! numbers {
    ($($name:ident: $type:ty = $range:expr;)+) => {
        $(
            pub fn $name(text: &str) -> Result<$type, String> {
                number(text, $range)
            }
        )+
    };
}

numbers! {
    batch: usize = 1..=1_000_000;
    count: usize = 1..=100_000_000;
    faces: u64 = 1..=1_000_000;
    scale: u32 = 1..=64;
    seconds: f64 = 0.01..=600.0;
    seed: u64 = 0..=u64::MAX;
    threads: usize = 1..=1024;
    truncation: f32 = 0.0..=10.0;
}

/// Rows and columns, such as `4x8`.
pub fn grid(text: &str) -> Result<(usize, usize), String> {
    let parse = |(rows, columns): (&str, &str)| {
        Some((rows.trim().parse().ok()?, columns.trim().parse().ok()?))
    };
    match text.split_once(['x', 'X']).and_then(parse) {
        Some((rows @ 1..=1000, columns @ 1..=1000)) => Ok((rows, columns)),
        Some(_) => Err("expected rows and columns from 1 to 1000".into()),
        None => Err("expected ROWSxCOLUMNS, such as 4x8".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_range() {
        assert_eq!(scale("64"), Ok(64));
        for text in ["0", "65", "-1", "x", ""] {
            assert_eq!(scale(text), Err("expected a whole number from 1 to 64".into()), "{text}");
        }
        assert_eq!(truncation("NaN"), Err("expected a number from 0 to 10".into()));
        assert_eq!(grid("4 X 8"), Ok((4, 8)));
        assert_eq!(grid("4"), Err("expected ROWSxCOLUMNS, such as 4x8".into()));
        assert!(grid("0x8").is_err());
    }
}
