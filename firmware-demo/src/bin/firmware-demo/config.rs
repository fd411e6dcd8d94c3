//! The configuration file: a flag a line. What is wrong in it is said line by line, all of it at once.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use toml::de::{DeTable, DeValue};

use crate::options::Options;

/// Why a configuration file is not used.
#[derive(Debug)]
pub enum ConfigError {
    /// It cannot be read.
    Read(PathBuf, std::io::Error),
    /// What is wrong in it: the line, counted from 1, and what.
    Wrong(PathBuf, Vec<(usize, String)>),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            ConfigError::Wrong(path, mistakes) => {
                for (i, (line, what)) in mistakes.iter().enumerate() {
                    let lead = if i == 0 { "" } else { "\nerror: " };
                    write!(f, "{lead}{}, line {line}: {what}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// The flags that a file's keys stand for.
///
/// # Errors
/// [`ConfigError`], with every mistake that the file has.
pub fn flags(path: &Path) -> Result<Vec<String>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|e| ConfigError::Read(path.into(), e))?;
    translate(&text).map_err(|mistakes| ConfigError::Wrong(path.into(), mistakes))
}

fn translate(text: &str) -> Result<Vec<String>, Vec<(usize, String)>> {
    let line = |at: usize| text.bytes().take(at).filter(|b| *b == b'\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message().trim_end().replace('\n', ", ");
        vec![(line(at), message)]
    })?;
    let (mut flags, mut mistakes) = (Vec::new(), Vec::new());
    for (key, value) in table.get_ref() {
        match flag(key.get_ref(), value.get_ref()) {
            Ok(flag) => flags.push(flag),
            Err(what) => mistakes.push((line(key.span().start), what)),
        }
    }
    mistakes.sort();
    if mistakes.is_empty() { Ok(flags) } else { Err(mistakes) }
}

/// The flag of one key.
fn flag(key: &str, value: &DeValue<'_>) -> Result<String, String> {
    let command = Options::command();
    let names = command.get_arguments().filter_map(|a| a.get_long());
    // Neither asks for a show.
    let names = names.filter(|n| !["config", "help", "version", "soak"].contains(n));
    let keys: Vec<String> = names.map(|n| n.replace('-', "_")).collect();
    if !keys.iter().any(|k| k == key) {
        let nearest = keys.iter().max_by(|a, b| {
            let alike = |k: &str| strsim::jaro_winkler(k, key);
            alike(a).total_cmp(&alike(b))
        });
        let nearest = nearest.map_or("", String::as_str);
        return Err(format!("unknown key {key}; the nearest is {nearest}"));
    }
    let value = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        // 08:30:00 without quotes.
        DeValue::Datetime(time) => time.to_string().chars().take(5).collect(),
        DeValue::Array(_) | DeValue::Table(_) => return Err(format!("{key} takes one value")),
    };
    let flag = format!("--{}={value}", key.replace('_', "-"));
    match Options::try_parse_from(["firmware-demo", &flag]) {
        Ok(_) => Ok(flag),
        Err(error) => Err(complaint(key, &value, &error)),
    }
}

/// What is wrong with a value, in a line.
fn complaint(key: &str, value: &str, error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let first = lines.next().unwrap_or_default();
    // `error: invalid value 'x' for '--key <KEY>': why`, then perhaps `[possible values: a, b]`.
    let why = match (first.split_once(">': "), lines.next()) {
        (Some((_, why)), _) => why,
        (None, Some(values)) if values.starts_with('[') => values.trim_matches(['[', ']']),
        (None, _) => first.strip_prefix("error: ").unwrap_or(first),
    };
    format!("{key} cannot be {value}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_flags() {
        let text = "dwell_s = 2\nfps = 7.5\ncaption = false\nsize = \"32x32\"\nwake = 08:30:00\nsleep = \"20:00\"\n";
        let mut flags = translate(text).unwrap();
        flags.sort();
        assert_eq!(
            flags,
            [
                "--caption=false",
                "--dwell-s=2",
                "--fps=7.5",
                "--size=32x32",
                "--sleep=20:00",
                "--wake=08:30"
            ]
        );
        assert!(translate("# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn every_mistake_with_its_line() {
        let text = "\
seed = 5
dwel_s = 2
fps = 0
scaling = \"cubic\"

caption = \"perhaps\"
size = [1, 2]
soak = 5
rotate = 45
seed2 = \"x\"
";
        let mistakes = translate(text).unwrap_err();
        let lines: Vec<String> = mistakes.iter().map(|(n, what)| format!("{n}: {what}")).collect();
        assert_eq!(
            lines,
            [
                "2: unknown key dwel_s; the nearest is dwell_s",
                "3: fps cannot be 0: it is a number from 0.01 to 1000",
                "4: scaling cannot be cubic: possible values: nearest, bilinear",
                "6: caption cannot be perhaps: possible values: true, false",
                "7: size takes one value",
                "8: unknown key soak; the nearest is wake",
                "9: rotate cannot be 45: possible values: 0, 90, 180, 270",
                "10: unknown key seed2; the nearest is seed",
            ]
        );
    }

    #[test]
    fn what_is_no_toml() {
        for (text, want) in [("fps 5\n", 1), ("seed = 1\nseed = 2\n", 2), ("\n\n[kiosk\n", 3)] {
            let mistakes = translate(text).unwrap_err();
            assert_eq!(mistakes.len(), 1);
            assert_eq!(mistakes[0].0, want, "{text}: {mistakes:?}");
        }
    }
}
