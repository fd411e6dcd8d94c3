//! The numbers of the burnpack format, for reading and for writing.

/// `BURN` as a little-endian number.
pub(crate) const MAGIC: u32 = 0x4255_524e;
pub(crate) const VERSION: u16 = 1;
/// Bytes before the metadata: magic number, version, length of the metadata.
pub(crate) const HEADER: usize = 10;
/// Alignment of the data section and of every tensor, in bytes.
pub const ALIGNMENT: usize = 256;
/// Most dimensions of a tensor.
pub const RANK: usize = 4;

/// Major types of CBOR (RFC 8949, section 3.1).
pub(crate) mod major {
    pub const UINT: u8 = 0;
    pub const BYTES: u8 = 2;
    pub const TEXT: u8 = 3;
    pub const ARRAY: u8 = 4;
    pub const MAP: u8 = 5;
    pub const TAG: u8 = 6;
}
