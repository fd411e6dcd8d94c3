//! Event files for TensorBoard: each record of the log as scalars, each grid as an image.
//!
//! A file is a sequence of records (length, its checksum, a protobuf message, its checksum;
//! TensorFlow's TFRecord), each message an `Event` of a step and a `Summary`
//! (tensorflow/core/util/event.proto, framework/summary.proto).

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use protobuf::CodedOutputStream;

use crate::file::{self, WriteError};

/// Added to a rotated checksum, so that data that contains checksums has a good checksum itself
/// (TensorFlow, lib/hash/crc32c.h).
const MASK: u32 = 0xa282_ead8;
/// Fields of an `Event`.
const WALL_TIME: u32 = 1;
const STEP: u32 = 2;
const FILE_VERSION: u32 = 3;
const SUMMARY: u32 = 5;
const SESSION_LOG: u32 = 7;

/// An event file that grows.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// A new file in the folder `dir`; steps after `images` in older files there count as undone.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn create(dir: &Path, images: u64) -> Result<Events, WriteError> {
        file::create_dir(dir)?;
        let (mut at, mut path);
        let mut now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        loop {
            path = dir.join(format!("events.out.tfevents.{now:010}.pocket-gan"));
            at = OpenOptions::new().create_new(true).append(true).open(&path);
            match &at {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => now += 1,
                _ => break,
            }
        }
        let file = at.map_err(|error| WriteError { path: path.clone(), error })?;
        let mut events = Events { path, file };
        events.write(0, |out| out.write_string(FILE_VERSION, "brain.Event:2"))?;
        // SessionLog { status: START }: TensorBoard drops this step and later ones of older files.
        events.write(images + 1, |out| message(out, SESSION_LOG, |log| log.write_enum(1, 1)))?;
        Ok(events)
    }

    /// Writes values by name at a step.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn scalars<'a>(
        &mut self,
        images: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<(), WriteError> {
        let values: Vec<_> = values.into_iter().filter(|(_, v)| v.is_finite()).collect();
        self.write(images, |out| {
            message(out, SUMMARY, |summary| {
                values.iter().try_for_each(|(tag, value)| {
                    message(summary, 1, |one| {
                        one.write_string(1, tag)?;
                        one.write_float(2, *value as f32)
                    })
                })
            })
        })
    }

    /// Writes a PNG of three channels by name at a step.
    ///
    /// # Errors
    /// [`WriteError`] names the file.
    pub fn picture(
        &mut self,
        images: u64,
        tag: &str,
        [width, height]: [u32; 2],
        png: &[u8],
    ) -> Result<(), WriteError> {
        self.write(images, |out| {
            message(out, SUMMARY, |summary| {
                message(summary, 1, |one| {
                    one.write_string(1, tag)?;
                    message(one, 4, |image| {
                        image.write_int32(1, height as i32)?;
                        image.write_int32(2, width as i32)?;
                        image.write_int32(3, 3)?;
                        image.write_bytes(4, png)
                    })
                })
            })
        })
    }

    fn write(
        &mut self,
        images: u64,
        fill: impl FnOnce(&mut CodedOutputStream<'_>) -> protobuf::Result<()>,
    ) -> Result<(), WriteError> {
        let attempt = || -> io::Result<()> {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let event = bytes(|out| {
                out.write_double(WALL_TIME, now.as_secs_f64())?;
                out.write_int64(STEP, images as i64)?;
                fill(out)
            })?;
            let length = (event.len() as u64).to_le_bytes();
            let mut record = Vec::with_capacity(event.len() + 16);
            record.extend(length);
            record.extend(masked(&length).to_le_bytes());
            record.extend(&event);
            record.extend(masked(&event).to_le_bytes());
            file::append(&mut self.file, &record)
        };
        attempt().map_err(|error| WriteError { path: self.path.clone(), error })
    }
}

fn bytes(
    fill: impl FnOnce(&mut CodedOutputStream<'_>) -> protobuf::Result<()>,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut out = CodedOutputStream::vec(&mut bytes);
    fill(&mut out).and_then(|()| out.flush()).map_err(io::Error::other)?;
    drop(out);
    Ok(bytes)
}

/// A message inside a message.
fn message(
    out: &mut CodedOutputStream<'_>,
    field: u32,
    fill: impl FnOnce(&mut CodedOutputStream<'_>) -> protobuf::Result<()>,
) -> protobuf::Result<()> {
    let inner = bytes(fill)?;
    out.write_bytes(field, &inner)
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protobuf::CodedInputStream;

    /// The records of a file, checksums checked.
    fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut at, mut all) = (0, Vec::new());
        while at < bytes.len() {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            let sum = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            assert_eq!(sum(at + 8), masked(&bytes[at..at + 8]));
            let event = &bytes[at + 12..at + 12 + length];
            assert_eq!(sum(at + 12 + length), masked(event));
            all.push(event.to_vec());
            at += 16 + length;
        }
        all
    }

    #[test]
    fn the_known_checksum() {
        // RFC 3720, appendix B.4: 32 bytes of zeros have the CRC 0x8a9136aa.
        let want = 0x8a91_36aau32.rotate_right(15).wrapping_add(MASK);
        assert_eq!(masked(&[0; 32]), want);
    }

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut events = Events::create(dir.path(), 0).unwrap();
        events.scalars(320, [("d_loss", 0.5), ("g_loss", f64::NAN)]).unwrap();
        events.picture(640, "fakes", [2, 3], b"png").unwrap();
        let all = records(&std::fs::read(&events.path).unwrap());
        assert_eq!(all.len(), 4);
        let mut input = CodedInputStream::from_bytes(&all[2]);
        assert_eq!(input.read_raw_tag_or_eof().unwrap(), Some(WALL_TIME << 3 | 1));
        assert!(input.read_double().unwrap() > 1e9);
        assert_eq!(input.read_raw_tag_or_eof().unwrap(), Some(STEP << 3));
        assert_eq!(input.read_int64().unwrap(), 320);
        assert_eq!(input.read_raw_tag_or_eof().unwrap(), Some(SUMMARY << 3 | 2));
        let summary = input.read_bytes().unwrap();
        // One value, since the other is not finite: its name, then its value.
        assert_eq!(&summary[..4], [1 << 3 | 2, 13, 1 << 3 | 2, 6]);
        assert_eq!(&summary[4..10], b"d_loss");
        assert_eq!(&summary[10..], [&[2 << 3 | 5][..], &0.5f32.to_le_bytes()].concat());
        // Two files created in the same second have different names.
        Events::create(dir.path(), 0).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
