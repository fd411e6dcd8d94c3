//! `--limit`: how much a model may ask for.

use std::fmt;

use runtime::limits::Exceeded;
use runtime::{Limit, Limits};

/// The option, for all verbs.
#[derive(clap::Args)]
pub struct Args {
    /// Allow a model to ask for more, or for less, such as arena=2G; may be repeated
    ///
    /// file: bytes of a file [512M].
    /// layers: layers of a model [64].
    /// arena: bytes of memory for activations, all threads together [512M].
    /// multiply-adds: those of one picture; each value that a layer writes counts as 32 [64G].
    /// pixels: pixels of a picture, enlarged or in a grid [128M].
    /// constants: bytes of weights made from an ONNX file [1G].
    /// expansion: such bytes for each byte of the file, in addition to 1M [16].
    /// K, M and G are powers of 1024.
    #[arg(long = "limit", global = true, value_name = "NAME=N", value_parser = parse)]
    #[arg(verbatim_doc_comment)]
    all: Vec<(Limit, u64)>,
}

impl Args {
    /// The defaults with the changes asked for.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::DEFAULT;
        for (limit, most) in &self.all {
            limits.set(*limit, *most);
        }
        limits
    }
}

/// `NAME=N` with an optional K, M or G.
fn parse(text: &str) -> Result<(Limit, u64), String> {
    let expected = || {
        let names: Vec<&str> = Limit::ALL.iter().map(|l| l.name()).collect();
        format!("expected NAME=N, such as arena=2G, with one of the names {}", names.join(", "))
    };
    let (name, number) = text.split_once('=').ok_or_else(expected)?;
    let limit = Limit::ALL.into_iter().find(|l| l.name() == name).ok_or_else(expected)?;
    let (digits, shift) = match number.as_bytes().last() {
        Some(b'K' | b'k') => (&number[..number.len() - 1], 10),
        Some(b'M' | b'm') => (&number[..number.len() - 1], 20),
        Some(b'G' | b'g') => (&number[..number.len() - 1], 30),
        _ => (number, 0),
    };
    let most = digits.parse().ok().and_then(|n: u64| n.checked_mul(1 << shift));
    Ok((limit, most.ok_or_else(expected)?))
}

/// An exceeded limit with the option that raises it, as the end of an error message.
pub struct Hint<'a>(pub &'a Exceeded);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.limit.name();
        match self.0.limit {
            // The number of layers is fixed.
            Limit::Layers if self.0.most == Limits::DEFAULT.layers => write!(f, "{}", self.0),
            _ => write!(f, "{}; raise it with --limit {name}=N", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_and_units() {
        let cases = [
            ("arena=4G", (Limit::Arena, 4 << 30)),
            ("pixels=100", (Limit::Pixels, 100)),
            ("multiply-adds=3k", (Limit::MultiplyAdds, 3072)),
            ("file=1M", (Limit::File, 1 << 20)),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
        for text in ["arena", "arena=", "arena=G", "arena=-1", "sofa=3", "arena=99999999999G"] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("expected NAME=N"), "{text}: {error}");
            assert!(error.contains("multiply-adds"), "{text}: {error}");
        }
        let args = Args { all: vec![(Limit::Arena, 1), (Limit::Arena, 2)] };
        assert_eq!(args.limits(), Limits { arena: 2, ..Limits::DEFAULT }, "the last one counts");
    }

    #[test]
    fn the_help_names_each_limit_with_its_default() {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            _limits: Args,
        }
        let help = <Cli as clap::CommandFactory>::command().render_long_help().to_string();
        for limit in Limit::ALL {
            let line =
                help.lines().find(|l| l.trim_start().starts_with(&format!("{}:", limit.name())));
            let line = line.unwrap_or_else(|| panic!("{limit:?}: {help}"));
            let most =
                line.rsplit_once('[').and_then(|(_, most)| most.trim_end().strip_suffix("]."));
            let text = format!("{}={}", limit.name(), most.unwrap_or_else(|| panic!("{line}")));
            assert_eq!(parse(&text), Ok((limit, Limits::DEFAULT.of(limit))));
        }
    }
}
