//! Archives of `torch.save` that the `zip` crate takes for something else.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use rawzip::{CompressionMethod, ZipArchive, ZipArchiveWriter};
use tempfile::NamedTempFile;

/// Longest entry of the directory: name, extra fields and comment have 16-bit lengths.
const ENTRY: usize = 3 * 65_536 + 46;

/// A copy with the same files and without the optional 64-bit records at its end: `zip` 9.8 finds
/// them in the middle of a directory whose length happens to be theirs.
///
/// # Errors
/// If it is no archive of files that are stored as they are, or no copy can be written.
pub(super) fn copied(path: &Path) -> io::Result<NamedTempFile> {
    let failed = |e: rawzip::Error| io::Error::other(e);
    let mut buffer = vec![0; ENTRY];
    let archive = ZipArchive::from_file(File::open(path)?, &mut buffer).map_err(failed)?;
    let mut copy = NamedTempFile::new()?;
    let mut out = ZipArchiveWriter::new(BufWriter::new(copy.as_file_mut()));
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry().map_err(failed)? {
        if entry.compression_method() != CompressionMethod::STORE {
            return Err(io::Error::other("a compressed file in an archive of torch.save"));
        }
        let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        let found = archive.get_entry(entry.wayfinder()).map_err(failed)?;
        let (mut to, config) = out.new_file(name.as_str()).start().map_err(failed)?;
        let mut data = config.wrap(&mut to);
        io::copy(&mut found.reader(), &mut data)?;
        let (_, sums) = data.finish().map_err(failed)?;
        to.finish(sums).map_err(failed)?;
    }
    out.finish().map_err(failed)?.flush()?;
    Ok(copy)
}
