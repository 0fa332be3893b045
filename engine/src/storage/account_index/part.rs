//! A part of the index of accounts: a file that says where the events of each account lie in some frames of a segment.
//!
//! ```text
//! header 128 B │ directory: (first key, offset, CRC-32C)* │ blocks
//! block, of about 4 KB:  (key − the one before · length · places)*        sorted by key, at least one
//! ```
//!
//! All numbers of header and directory are little-endian. The directory is kept in memory, a block is read when one of its
//! keys is sought.

use crate::storage::disk::Disk;
use crate::storage::log::{Bytes, FrameHeader, Malformed, SegmentName, frame_end, put_blob, put_varint};

use super::place::{Place, put_places, take_places};

const MAGIC: [u8; 4] = *b"TWA1";
const FORMAT: u16 = 1;
const HEADER_BYTES: usize = 128;
const HEADER_CRC_AT: usize = HEADER_BYTES - 4;
const DIRECTORY_ROW_BYTES: usize = 12;
/// A block takes no further account past this size.
const BLOCK_BYTES: usize = 4 << 10;
/// How the name of a part ends.
const SUFFIX: &str = ".acc";

/// The frames that are indexed: some of one segment, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) lineage: u128,
    pub(super) segment: SegmentName,
    pub(super) first_seq: u64,
    /// The sequence after the last entry.
    pub(super) next_seq: u64,
    /// Where the last frame ends in the segment.
    pub(super) end_offset: u32,
    /// The CRC of the last frame, which covers that of the one before, and so on.
    pub(super) last_crc: u32,
}

impl Span {
    /// Whether a frame is one of these.
    pub(super) fn holds(&self, header: &FrameHeader) -> bool {
        header.lineage == self.lineage
            && header.first_seq >= self.first_seq
            && header.next_seq() <= self.next_seq
    }
}

/// The name of a part: its first and its last sequence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PartName {
    pub(super) first_seq: u64,
    last_seq: u64,
}

impl PartName {
    pub(super) fn of(span: &Span) -> Self {
        Self { first_seq: span.first_seq, last_seq: span.next_seq - 1 }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (first, last) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let parsed = Self { first_seq: first.parse().ok()?, last_seq: last.parse().ok()? };
        (parsed.file_name() == name && parsed.first_seq <= parsed.last_seq).then_some(parsed)
    }

    pub(super) fn file_name(&self) -> String {
        format!("{:020}-{:020}{SUFFIX}", self.first_seq, self.last_seq)
    }
}

/// A part that fits its log.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: String,
    pub(super) span: Span,
    /// The length of its file.
    pub(super) bytes: u64,
    blocks: Vec<Block>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    first_key: u32,
    /// Where it starts in the file.
    offset: u32,
    crc: u32,
}

/// The stored form of a part: for each account, by key, where its events lie. Keys and places are sorted, each there once.
pub(super) fn encode(span: &Span, sorted: &[(u32, Place)]) -> Vec<u8> {
    let (mut directory, mut blocks, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let mut block = Vec::new();
    let (mut first_key, mut key_before) = (0, 0);
    let mut close = |block: &mut Vec<u8>, first_key: u32| {
        if !block.is_empty() {
            directory.push((first_key, blocks.len(), crc32c::crc32c(block)));
            blocks.append(block);
        }
    };
    for account in sorted.chunk_by(|one, other| one.0 == other.0) {
        let key = account[0].0;
        if block.len() >= BLOCK_BYTES {
            close(&mut block, first_key);
        }
        if block.is_empty() {
            (first_key, key_before) = (key, key);
        }
        put_varint(&mut block, u64::from(key - key_before));
        key_before = key;
        places.clear();
        let of_account: Vec<Place> = account.iter().map(|(_, place)| *place).collect();
        put_places(&mut places, &of_account);
        put_blob(&mut block, &places);
    }
    close(&mut block, first_key);

    let blocks_at = HEADER_BYTES + directory.len() * DIRECTORY_ROW_BYTES;
    let mut out = vec![0; HEADER_BYTES];
    for (first_key, at, crc) in &directory {
        let offset = u32::try_from(blocks_at + at).expect("a part is far below 4 GiB");
        for field in [*first_key, offset, *crc] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }
    let directory_crc = crc32c::crc32c(&out[HEADER_BYTES..]);
    out.append(&mut blocks);
    let length = out.len() as u64;
    let header = header(span, directory.len() as u32, length, directory_crc);
    out[..HEADER_BYTES].copy_from_slice(&header);
    out
}

fn header(span: &Span, blocks: u32, length: u64, directory_crc: u32) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[..4].copy_from_slice(&MAGIC);
    out[4..6].copy_from_slice(&FORMAT.to_le_bytes());
    out[16..32].copy_from_slice(&span.lineage.to_le_bytes());
    let wide = [span.segment.first_seq, span.segment.first_frame, span.first_seq, span.next_seq, length];
    for (at, field) in (32..).step_by(8).zip(wide) {
        out[at..at + 8].copy_from_slice(&field.to_le_bytes());
    }
    for (at, field) in (72..).step_by(4).zip([span.end_offset, span.last_crc, blocks, directory_crc]) {
        out[at..at + 4].copy_from_slice(&field.to_le_bytes());
    }
    let crc = crc32c::crc32c(&out[..HEADER_CRC_AT]);
    out[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    out
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// What a header says, and the bytes of header and directory together.
struct Header {
    span: Span,
    length: u64,
    blocks: usize,
    directory_crc: u32,
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Self, String> {
        if bytes[..4] != MAGIC || u16::from_le_bytes([bytes[4], bytes[5]]) != FORMAT {
            return Err("it is of another format".into());
        }
        if crc32c::crc32c(&bytes[..HEADER_CRC_AT]) != u32_at(bytes, HEADER_CRC_AT) {
            return Err("its header fails its checksum".into());
        }
        let segment = SegmentName { first_seq: u64_at(bytes, 32), first_frame: u64_at(bytes, 40) };
        let span = Span {
            lineage: u128::from_le_bytes(bytes[16..32].try_into().expect("sixteen bytes")),
            segment,
            first_seq: u64_at(bytes, 48),
            next_seq: u64_at(bytes, 56),
            end_offset: u32_at(bytes, 72),
            last_crc: u32_at(bytes, 76),
        };
        let (length, blocks) = (u64_at(bytes, 64), u32_at(bytes, 80) as usize);
        Ok(Self { span, length, blocks, directory_crc: u32_at(bytes, 84) })
    }

    fn directory(&self, bytes: &[u8]) -> Result<Vec<Block>, String> {
        if crc32c::crc32c(bytes) != self.directory_crc {
            return Err("its directory fails its checksum".into());
        }
        let row =
            |row: &[u8]| Block { first_key: u32_at(row, 0), offset: u32_at(row, 4), crc: u32_at(row, 8) };
        Ok(bytes.chunks_exact(DIRECTORY_ROW_BYTES).map(row).collect())
    }

    fn directory_bytes(&self) -> usize {
        self.blocks * DIRECTORY_ROW_BYTES
    }
}

impl Part {
    /// A part that was just written.
    pub(super) fn of_bytes(path: &str, bytes: &[u8]) -> Result<Self, String> {
        let header = Header::read(bytes.first_chunk().ok_or("it has no header")?)?;
        let directory = bytes.get(HEADER_BYTES..HEADER_BYTES + header.directory_bytes());
        let blocks = header.directory(directory.ok_or("it ends within its directory")?)?;
        Ok(Self { path: path.into(), span: header.span, bytes: header.length, blocks })
    }

    /// Opens a part; says why it cannot be used.
    pub(super) fn open(disk: &dyn Disk, path: &str, name: &PartName, log_dir: &str) -> Result<Self, String> {
        let said = |error: std::io::Error| error.to_string();
        let file = disk.open_read(path).map_err(said)?;
        let length = file.len().map_err(said)?;
        let mut header = [0; HEADER_BYTES];
        if file.read_full_at(&mut header, 0).map_err(said)? < HEADER_BYTES {
            return Err("it has no header".into());
        }
        let header = Header::read(&header)?;
        let is_whole = header.length == length && (HEADER_BYTES + header.directory_bytes()) as u64 <= length;
        if !is_whole || PartName::of(&header.span) != *name {
            return Err("it is not of the length or the name that it was written with".into());
        }
        let mut directory = vec![0; header.directory_bytes()];
        file.read_exact_at(&mut directory, HEADER_BYTES as u64).map_err(said)?;
        let blocks = header.directory(&directory)?;
        header.span.check(disk, log_dir)?;
        Ok(Self { path: path.into(), span: header.span, bytes: length, blocks })
    }

    /// Where the events of the accounts with these keys lie, key by key; says what is wrong with the part otherwise.
    pub(super) fn places(&self, disk: &dyn Disk, keys: &[u32]) -> Result<Vec<Place>, String> {
        let mut places = Vec::new();
        let mut file = None;
        let mut read: Option<(usize, Vec<u8>)> = None;
        for key in keys {
            // The last block that starts at or before the key: a key is in one block only.
            let Some(at) = self.blocks.partition_point(|block| block.first_key <= *key).checked_sub(1) else {
                continue;
            };
            if read.as_ref().is_none_or(|(held, _)| *held != at) {
                let file = match &file {
                    Some(file) => file,
                    None => file.insert(disk.open_read(&self.path).map_err(|error| error.to_string())?),
                };
                let block = self.blocks[at];
                let end = self.blocks.get(at + 1).map_or(self.bytes, |next| u64::from(next.offset));
                let Some(len) = end.checked_sub(u64::from(block.offset)) else {
                    return Err("its blocks overlap".into());
                };
                let mut bytes = vec![0; len as usize];
                file.read_exact_at(&mut bytes, u64::from(block.offset)).map_err(|error| error.to_string())?;
                if crc32c::crc32c(&bytes) != block.crc {
                    return Err("a block fails its checksum".into());
                }
                read = Some((at, bytes));
            }
            let (_, bytes) = read.as_ref().expect("the block was just read");
            places_in(bytes, self.blocks[at].first_key, *key, &mut places)
                .map_err(|error| error.to_string())?;
        }
        Ok(places)
    }
}

fn places_in(block: &[u8], first_key: u32, sought: u32, out: &mut Vec<Place>) -> Result<(), Malformed> {
    let mut bytes = Bytes::new(block);
    let mut key = u64::from(first_key);
    while !bytes.is_empty() {
        key = key.saturating_add(bytes.varint("key of an account")?);
        let places = bytes.blob("places of an account")?;
        if key == u64::from(sought) {
            return take_places(places, out);
        }
        if key > u64::from(sought) {
            break;
        }
    }
    Ok(())
}

impl Span {
    /// Whether these frames are still the ones in the log; says why not.
    fn check(&self, disk: &dyn Disk, log_dir: &str) -> Result<(), String> {
        let path = self.segment.path(log_dir);
        let file = disk.open_read(&path).map_err(|error| format!("its segment cannot be read: {error}"))?;
        let last =
            frame_end(file.as_ref(), &path, u64::from(self.end_offset)).map_err(|error| error.to_string())?;
        let fits = last.is_some_and(|(header, crc)| {
            crc == self.last_crc && header.next_seq() == self.next_seq && header.lineage == self.lineage
        });
        if fits { Ok(()) } else { Err("the log has other frames where it was written from".into()) }
    }
}
