//! Loop unrolling in the source of kernels: WGSL has no templates, and arrays may end up in memory
//! instead of registers.
//!
//! The lines from `//: for j in WIDE` to its `//: end` are repeated `WIDE` times, and an expression
//! of numbers and loop variables in braces becomes its value: `{j}`, `{4k+j}`, `{u+1/2}`. Operators
//! apply from left to right.

use std::string::{String, ToString};
use std::vec::Vec;

/// Expands a source text with named `constants`.
///
/// # Panics
/// If the text is malformed; it is part of this program.
pub fn expand(text: &str, constants: &[(&str, usize)]) -> String {
    let mut lines = text.lines();
    let mut out = String::with_capacity(2 * text.len());
    block(&mut lines, &mut constants.to_vec(), &mut out);
    out
}

/// Lines up to the end of a block, or of the text.
fn block<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    values: &mut Vec<(&'a str, usize)>,
    out: &mut String,
) {
    while let Some(line) = lines.next() {
        let Some(directive) = line.trim_start().strip_prefix("//: ") else {
            substitute(line, values, out);
            continue;
        };
        if directive == "end" {
            return;
        }
        let head = directive.strip_prefix("for ").and_then(|d| d.split_once(" in "));
        let Some((variable, count)) = head else {
            panic!("a directive of a kernel: {directive}");
        };
        let count = value(count, values);
        let body = body(lines);
        for i in 0..count {
            values.push((variable, i));
            block(&mut body.iter().copied(), values, out);
            values.pop();
        }
    }
}

/// The lines of a loop, without its end.
fn body<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut depth = 1;
    let mut body = Vec::new();
    for line in lines {
        match line.trim_start().strip_prefix("//: ") {
            Some("end") => depth -= 1,
            Some(_) => depth += 1,
            None => {}
        }
        if depth == 0 {
            return body;
        }
        body.push(line);
    }
    panic!("a loop of a kernel has no end");
}

/// A line with its expressions as numbers. Braces that hold anything else are WGSL's own.
fn substitute(line: &str, values: &[(&str, usize)], out: &mut String) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after.split_once('}') {
            Some((inner, after)) if is_expression(inner) => {
                out.push_str(&value(inner, values).to_string());
                rest = after;
            }
            _ => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.push('\n');
}

fn is_expression(text: &str) -> bool {
    let all = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '+' || c == '/';
    !text.is_empty() && text.chars().all(all)
}

/// A sum or quotient, from left to right, of terms such as `4`, `k`, `4k`.
fn value(text: &str, values: &[(&str, usize)]) -> usize {
    let mut result = 0;
    let mut rest = text;
    let mut operator = '+';
    loop {
        let at = rest.find(['+', '/']).unwrap_or(rest.len());
        let term = term(&rest[..at], values);
        match operator {
            '+' => result += term,
            _ => result /= term,
        }
        match rest[at..].chars().next() {
            Some(next) => (operator, rest) = (next, &rest[at + 1..]),
            None => return result,
        }
    }
}

fn term(text: &str, values: &[(&str, usize)]) -> usize {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (factor, name) = text.split_at(at);
    let factor = match factor {
        "" => 1,
        digits => digits.parse().unwrap_or(0),
    };
    if name.is_empty() {
        return factor;
    }
    match values.iter().rev().find(|(n, _)| *n == name) {
        Some((_, value)) => factor * value,
        None => panic!("{name} in a kernel has no value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_in_loops() {
        let text = "a\n//: for k in 2\n{\n  //: for j in N\n  x{4k+j}{k}[{j}] = f({j+1/2});\n  //: end\n}\n//: end\nfn z() { return; }";
        let want = "a\n{\n  x00[0] = f(0);\n  x10[1] = f(1);\n}\n{\n  x41[0] = f(0);\n  x51[1] = f(1);\n}\nfn z() { return; }\n";
        assert_eq!(expand(text, &[("N", 2)]), want);
    }
}
