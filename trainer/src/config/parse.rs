//! Settings as text: recipes, and single keys with TOML values.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::error::ConfigError;
use super::recipes::RECIPES;
use super::settings::Config;

/// The settings of a recipe: one of [`RECIPES`] by name, or a TOML file.
pub(super) fn recipe(name: &str) -> Result<Table, ConfigError> {
    if let Some((_, text)) = RECIPES.iter().find(|(known, _)| *known == name) {
        let table = parse(name, text)?;
        check_keys(name, &table)?;
        return Ok(table);
    }
    let path = Path::new(name);
    if !name.ends_with(".toml") && !path.is_file() {
        return Err(ConfigError::UnknownRecipe {
            name: name.into(),
            nearest: nearest(name, RECIPES.iter().map(|(known, _)| *known)),
        });
    }
    let text = fs::read_to_string(path).map_err(|e| ConfigError::Read(path.into(), e))?;
    let table = parse(name, &text)?;
    check_keys(name, &table)?;
    Ok(table)
}

fn parse(source: &str, text: &str) -> Result<Table, ConfigError> {
    text.parse::<Table>().map_err(|e: toml::de::Error| {
        let before = e.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        ConfigError::Syntax(source.into(), "TOML", format!("line {line}: {}", e.message()))
    })
}

/// `key=value` as an entry of a settings table. `source` is the option as it was typed, for errors.
///
/// # Errors
/// [`ConfigError`] if there is no `=`, no such key, or the value is of another kind than the key's.
pub fn set(source: &str, pair: &str) -> Result<(String, Value), ConfigError> {
    let wrong = |what: String| ConfigError::Value(source.into(), what);
    let (key, text) =
        pair.split_once('=').ok_or_else(|| wrong("not of the form key=value".into()))?;
    let (key, text) = (key.trim().replace('-', "_"), text.trim());
    check_keys(source, &Table::from_iter([(key.clone(), Value::Boolean(true))]))?;
    let toml = format!("x = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("x"));
    let value = match (kind(&key), toml) {
        (Kind::Text, Some(Value::String(quoted))) => Value::String(quoted),
        (Kind::Text, _) => Value::String(text.into()),
        (Kind::Whole, Some(Value::Integer(n))) if n >= 0 => Value::Integer(n),
        (Kind::Number, Some(n @ (Value::Integer(_) | Value::Float(_)))) => n,
        (Kind::Switch, Some(on @ Value::Boolean(_))) => on,
        (Kind::List, Some(list @ Value::Array(_))) => list,
        (kind, _) => return Err(wrong(format!("{key} must be {}", kind.words()))),
    };
    Ok((key, value))
}

/// What kind of value a key takes.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Whole,
    Number,
    Switch,
    List,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Whole => "a whole number, 0 or more",
            Kind::Number => "a number",
            Kind::Switch => "true or false",
            Kind::List => "a list such as [128,64]",
        }
    }
}

/// The kind of an existing key, by its default.
fn kind(key: &str) -> Kind {
    match Config::default().to_table().get(key) {
        Some(Value::Integer(_)) => Kind::Whole,
        Some(Value::Float(_)) => Kind::Number,
        Some(Value::Boolean(_)) => Kind::Switch,
        Some(Value::Array(_)) => Kind::List,
        Some(Value::String(_) | Value::Datetime(_) | Value::Table(_)) => Kind::Text,
        // Absent by default.
        None => match key {
            "data" | "data_a" | "data_b" => Kind::Text,
            "labels" => Kind::List,
            _ => Kind::Number,
        },
    }
}

/// Refuses a key that no setting has.
pub(super) fn check_keys(source: &str, table: &Table) -> Result<(), ConfigError> {
    let mut known: Vec<String> = Config::default().to_table().keys().cloned().collect();
    known.extend(ABSENT.map(String::from));
    match table.keys().find(|key| !known.contains(key)) {
        None => Ok(()),
        Some(key) => Err(ConfigError::UnknownKey {
            source: source.into(),
            key: key.clone(),
            nearest: nearest(key, known.iter().map(String::as_str)).map(String::from),
        }),
    }
}

/// Keys that have no value by default.
const ABSENT: [&str; 9] = [
    "data",
    "data_a",
    "data_b",
    "epochs",
    "labels",
    "lr_end",
    "beta2_end",
    "gamma_end",
    "augment_p_end",
];

/// The name nearest to `name`: at most one edit (an insertion, a deletion, a substitution or a swap
/// of neighbors) per three letters, rounded, and at least one. Farther names have nothing to do with
/// what was typed.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = ((name.chars().count() + 1) / 3).max(1);
    known
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(edits, _)| *edits <= most)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        let cases = [
            ("bach", Some("batch")),
            ("btach", Some("batch")),
            ("bacht", Some("batch")),
            ("log_evry", Some("log_every")),
            ("gama", Some("gamma")),
            ("mqtt", None),
            ("colour", None),
            ("x", None),
            ("learning_rate", None),
        ];
        let table = Config::default().to_table();
        for (name, want) in cases {
            let known = table.keys().map(String::as_str);
            assert_eq!(nearest(name, known), want, "{name}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_an_error_that_says_what_would_work() {
        let cases = [
            ("batch=many", "batch must be a whole number, 0 or more"),
            ("batch=-5", "batch must be a whole number, 0 or more"),
            ("lr=fast", "lr must be a number"),
            ("mirror=1", "mirror must be true or false"),
            ("hidden=12", "hidden must be a list such as [128,64]"),
            ("epochs=x", "epochs must be a number"),
            ("seed=99999999999999999999", "seed must be a whole number, 0 or more"),
        ];
        for (pair, want) in cases {
            let error = set(&format!("--set {pair}"), pair).unwrap_err();
            assert_eq!(error.to_string(), format!("--set {pair}: {want}"));
        }
        let values = [
            ("data=123", Value::String("123".into())),
            ("crop=108", Value::String("108".into())),
            ("gamma=-1", Value::Integer(-1)),
            ("log-every=5", Value::Integer(5)),
        ];
        for (pair, want) in values {
            assert_eq!(set("", pair).unwrap().1, want, "{pair}");
        }
    }
}
