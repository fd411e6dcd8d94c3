//! For the build scripts of firmware: a record, and constants to size memory by.

use std::boxed::Box;
use std::env;
use std::error::Error;
use std::fmt;
use std::format;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::string::String;

use crate::model::Model;
use crate::record::Buffer;

/// Why a record cannot be embedded.
#[derive(Debug)]
pub enum EmbedError {
    /// There is no `OUT_DIR`: this is not a build script.
    NoOutDir,
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// The file is not a model: what is wrong.
    Model(PathBuf, String),
}

impl fmt::Display for EmbedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmbedError::NoOutDir => write!(f, "OUT_DIR is not set: call this from a build script"),
            EmbedError::File(path, error) => write!(f, "{}: {error}", path.display()),
            EmbedError::Model(path, what) => write!(f, "{}: {what}", path.display()),
        }
    }
}

impl Error for EmbedError {}

/// Embeds a record from a build script (with `runtime` and its feature `std` as a build
/// dependency).
///
/// Writes `model.bpk`, a copy, and `model.rs` with three constants to the folder `OUT_DIR`, and
/// tells cargo to run the script again when the record changes:
///
/// ```no_run
/// # use runtime_core as runtime;
/// // build.rs
/// fn main() -> Result<(), runtime::embed::EmbedError> {
///     runtime::embed::record("faces.bpk")
/// }
/// ```
///
/// The program then includes `model.rs` from `OUT_DIR`, passes the path of `model.bpk` to
/// [`crate::include_record`], and declares a static arena of `ARENA` floats.
///
/// # Errors
/// [`EmbedError`] names the file.
pub fn record(path: impl AsRef<Path>) -> Result<(), EmbedError> {
    let out = env::var_os("OUT_DIR").ok_or(EmbedError::NoOutDir)?;
    std::println!("cargo:rerun-if-changed={}", path.as_ref().display());
    record_to(path.as_ref(), Path::new(&out))
}

fn record_to(path: &Path, out: &Path) -> Result<(), EmbedError> {
    let failed = |path: &Path| {
        let path = Box::from(path);
        move |error| EmbedError::File(PathBuf::from(path), error)
    };
    let record = Buffer::from(fs::read(path).map_err(failed(path))?);
    let model = Model::parse(record.bytes());
    let model = model.map_err(|e| EmbedError::Model(path.into(), format!("{e}")))?;
    let constants = format!(
        "/// Length of the arena in values (`f32`).\npub const ARENA: usize = {};\n\
         /// Multiply-adds for one image.\npub const MULTIPLY_ADDS: u64 = {};\n\
         /// Bytes of the record.\npub const RECORD: usize = {};\n",
        model.arena_len(),
        model.multiply_adds(),
        record.bytes().len()
    );
    let write = |name: &str, bytes: &[u8]| {
        let to = out.join(name);
        fs::write(&to, bytes).map_err(failed(&to))
    };
    write("model.bpk", record.bytes())?;
    write("model.rs", constants.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_record_and_its_constants() {
        let out = env::temp_dir().join(format!("runtime-embed-{}", std::process::id()));
        fs::create_dir_all(&out).unwrap();
        let faces =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/pretrained/faces-tiny-int8.bpk");
        record_to(Path::new(faces), &out).unwrap();
        let bytes = fs::read(out.join("model.bpk")).unwrap();
        assert_eq!(bytes, fs::read(faces).unwrap());
        let constants = fs::read_to_string(out.join("model.rs")).unwrap();
        let record = Buffer::from(&bytes);
        let arena = Model::parse(record.bytes()).unwrap().arena_len();
        assert!(constants.contains(&format!("pub const ARENA: usize = {arena};")), "{constants}");
        let error = record_to(Path::new(file!()), &out).unwrap_err();
        assert!(matches!(error, EmbedError::File(..) | EmbedError::Model(..)), "{error}");
        fs::remove_dir_all(&out).unwrap();
    }
}
