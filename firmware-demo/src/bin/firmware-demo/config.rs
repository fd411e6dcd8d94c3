//! The configuration file: one flag per line. All of its mistakes are reported at once, by line.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use toml::de::{DeTable, DeValue};

use crate::options::Options;

/// Why a configuration file is not used.
#[derive(Debug)]
pub enum ConfigError {
    /// It cannot be read.
    Read(PathBuf, io::Error),
    /// Its mistakes: the line, counted from 1, and a message.
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

/// Longest text file in bytes.
const LONGEST: u64 = 16 << 20;

/// Reads a text file, unless it is longer than any that is meant to be read: a device may have no end.
///
/// # Errors
/// Those of the file system, and of text that is too long or not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LONGEST {
        true => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("the file has more than {LONGEST} bytes"),
        )),
        false => Ok(text),
    }
}

/// Translates the keys of a file to flags.
///
/// # Errors
/// [`ConfigError`], with every mistake in the file.
pub fn flags(path: &Path) -> Result<Vec<String>, ConfigError> {
    let text = read_text(path).map_err(|e| ConfigError::Read(path.into(), e))?;
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

/// Translates one key.
fn flag(key: &str, value: &DeValue<'_>) -> Result<String, String> {
    let command = Options::command();
    let flags = command.get_arguments().filter(|a| !a.is_hide_set());
    let names = flags.filter_map(|a| a.get_long()).map(|n| n.replace('-', "_"));
    // These make no sense in the file that `config` names.
    let (only_flags, keys): (Vec<String>, Vec<String>) =
        names.partition(|n| ["config", "help", "version", "soak"].contains(&n.as_str()));
    if only_flags.iter().any(|k| k == key) {
        return Err(format!("{key} is not a key, only a flag"));
    }
    if !keys.iter().any(|k| k == key) {
        return Err(match nearest(key, &keys) {
            Some(nearest) => format!("unknown key {key}; did you mean {nearest}?"),
            None => format!("unknown key {key}; `firmware-demo --help` lists the keys"),
        });
    }
    let value = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        // A TOML time has seconds: 08:30:00.
        DeValue::Datetime(time) => time.to_string().chars().take(5).collect(),
        DeValue::Array(_) | DeValue::Table(_) => return Err(format!("{key} takes a single value")),
    };
    let flag = format!("--{}={value}", key.replace('_', "-"));
    match Options::try_parse_from(["firmware-demo", &flag]) {
        Ok(_) => Ok(flag),
        Err(error) => Err(complaint(key, &value, &error)),
    }
}

/// The key that `key` probably misspells: at most one edit per three characters away.
fn nearest<'k>(key: &str, keys: &'k [String]) -> Option<&'k str> {
    let edits = keys.iter().map(|k| (strsim::damerau_levenshtein(k, key), k.as_str()));
    let (distance, nearest) = edits.min()?;
    (3 * distance <= key.chars().count()).then_some(nearest)
}

/// One line about a value that clap refused.
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
mqtt = \"localhost\"
man = true
";
        let mistakes = translate(text).unwrap_err();
        let lines: Vec<String> = mistakes.iter().map(|(n, what)| format!("{n}: {what}")).collect();
        assert_eq!(
            lines,
            [
                "2: unknown key dwel_s; did you mean dwell_s?",
                "3: fps cannot be 0: expected a number from 0.01 to 1000",
                "4: scaling cannot be cubic: possible values: nearest, bilinear",
                "6: caption cannot be perhaps: possible values: true, false",
                "7: size takes a single value",
                "8: soak is not a key, only a flag",
                "9: rotate cannot be 45: possible values: 0, 90, 180, 270",
                "10: unknown key seed2; did you mean seed?",
                "11: unknown key mqtt; `firmware-demo --help` lists the keys",
                "12: unknown key man; `firmware-demo --help` lists the keys",
            ]
        );
    }

    #[test]
    fn what_is_not_toml() {
        for (text, want) in [("fps 5\n", 1), ("seed = 1\nseed = 2\n", 2), ("\n\n[kiosk\n", 3)] {
            let mistakes = translate(text).unwrap_err();
            assert_eq!(mistakes.len(), 1);
            assert_eq!(mistakes[0].0, want, "{text}: {mistakes:?}");
        }
    }
}
