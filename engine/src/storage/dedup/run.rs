//! A sorted run of accepted ids on disk.
//!
//! ```text
//! page 0      magic · format · lineage · first and last sequence covered · ids · pages · CRC-32C
//! page 1 …    up to 127 × (key 16 B · seq 8 B · fingerprint 8 B), by key · count · page number · CRC-32C
//! ```

use std::sync::Arc;

use super::DedupError;
use crate::storage::disk::{Disk, DiskFile};

pub(crate) const PAGE_BYTES: usize = 4096;
const RECORD_BYTES: usize = 32;
/// Records of a full page.
pub(crate) const PAGE_RECORDS: usize = 127;
const COUNT_AT: usize = PAGE_RECORDS * RECORD_BYTES;
const NUMBER_AT: usize = COUNT_AT + 4;
const CRC_AT: usize = PAGE_BYTES - 4;
const MAGIC: [u8; 4] = *b"TWI1";
const FORMAT: u16 = 1;
const SUFFIX: &str = ".ids";
/// Pages read at once when a whole run is read.
const READ_PAGES: usize = 64;

pub(crate) type Page = [u8; PAGE_BYTES];

/// An id with its entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub(crate) key: u128,
    pub(crate) seq: u64,
    pub(crate) fingerprint: u64,
}

/// Which entries' ids a run holds: those from the first sequence to the last, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RunSpan {
    pub(crate) from_seq: u64,
    pub(crate) to_seq: u64,
}

impl RunSpan {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (from, to) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let span = Self { from_seq: from.parse().ok()?, to_seq: to.parse().ok()? };
        (span.file_name() == name).then_some(span)
    }

    pub(crate) fn file_name(self) -> String {
        format!("{:020}-{:020}{SUFFIX}", self.from_seq, self.to_seq)
    }

    /// Whether it goes on where others end and the log has all of it.
    pub(crate) fn fits(self, covered_seq: u64, log_seq: u64, is_trusted: bool) -> Result<Self, String> {
        if self.to_seq <= covered_seq {
            return Err("a wider run replaced it".into());
        }
        if self.from_seq != covered_seq + 1 {
            return Err(format!(
                "it starts at sequence {} where {} should be",
                self.from_seq,
                covered_seq + 1
            ));
        }
        if self.to_seq > log_seq && !is_trusted {
            return Err(format!("it covers sequences to {}, the log ends at {log_seq}", self.to_seq));
        }
        Ok(self)
    }
}

/// A run that is open for look-ups.
pub(crate) struct Run {
    pub(crate) path: String,
    pub(crate) span: RunSpan,
    pub(crate) count: u64,
    file: Arc<dyn DiskFile>,
    /// The first half of each page's first key.
    fences: Vec<u64>,
}

pub(crate) fn header_page(span: RunSpan, lineage: u128, count: u64, pages: u64) -> Page {
    let mut page = [0; PAGE_BYTES];
    page[..4].copy_from_slice(&MAGIC);
    page[4..6].copy_from_slice(&FORMAT.to_le_bytes());
    page[16..32].copy_from_slice(&lineage.to_le_bytes());
    for (at, field) in [(32, span.from_seq), (40, span.to_seq), (48, count), (56, pages)] {
        page[at..at + 8].copy_from_slice(&field.to_le_bytes());
    }
    seal(&mut page);
    page
}

/// A page of records; `number` counts from 1.
pub(crate) fn record_page(records: &[Record], number: u64) -> Page {
    let mut page = [0; PAGE_BYTES];
    for (into, record) in page.chunks_exact_mut(RECORD_BYTES).zip(records) {
        into[..16].copy_from_slice(&record.key.to_le_bytes());
        into[16..24].copy_from_slice(&record.seq.to_le_bytes());
        into[24..].copy_from_slice(&record.fingerprint.to_le_bytes());
    }
    page[COUNT_AT..COUNT_AT + 4].copy_from_slice(&(records.len() as u32).to_le_bytes());
    page[NUMBER_AT..NUMBER_AT + 8].copy_from_slice(&number.to_le_bytes());
    seal(&mut page);
    page
}

fn seal(page: &mut Page) {
    let crc = crc32c::crc32c(&page[..CRC_AT]);
    page[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

fn u64_at(page: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(page[at..at + 8].try_into().expect("eight bytes"))
}

fn is_sound(page: &[u8]) -> bool {
    page[CRC_AT..] == crc32c::crc32c(&page[..CRC_AT]).to_le_bytes()
}

/// The stored records of a page, or what is wrong with it.
fn stored(page: &[u8], number: u64) -> Result<&[[u8; RECORD_BYTES]], &'static str> {
    if !is_sound(page) {
        return Err("the page fails its checksum");
    }
    let count = u32::from_le_bytes(page[COUNT_AT..COUNT_AT + 4].try_into().expect("four bytes")) as usize;
    if u64_at(page, NUMBER_AT) != number || count > PAGE_RECORDS {
        return Err("the page is another one");
    }
    Ok(page[..count * RECORD_BYTES].as_chunks().0)
}

fn key_of(record: &[u8; RECORD_BYTES]) -> u128 {
    u128::from_le_bytes(record[..16].try_into().expect("sixteen bytes"))
}

/// The records of a page, or what is wrong with it.
pub(crate) fn records(
    page: &[u8],
    number: u64,
) -> Result<impl ExactSizeIterator<Item = Record>, &'static str> {
    Ok(stored(page, number)?.iter().map(|record| Record {
        key: key_of(record),
        seq: u64_at(record, 16),
        fingerprint: u64_at(record, 24),
    }))
}

impl Run {
    /// A run that was just written.
    pub(crate) fn written(
        path: String,
        span: RunSpan,
        count: u64,
        file: Arc<dyn DiskFile>,
        fences: Vec<u64>,
    ) -> Self {
        Self { path, span, count, file, fences }
    }

    /// Opens a run, checking every page; says why it cannot be used.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &str,
        span: RunSpan,
        lineage: u128,
    ) -> Result<Result<Self, String>, DedupError> {
        let file = disk.open_read(path).map_err(DedupError::io("open", path))?;
        let len = file.len().map_err(DedupError::io("measure", path))?;
        let mut header = [0; PAGE_BYTES];
        let read = file.read_full_at(&mut header, 0).map_err(DedupError::io("read", path))?;
        let (count, pages) = (u64_at(&header, 48), u64_at(&header, 56));
        if read < PAGE_BYTES || header != header_page(span, lineage, count, pages) {
            return Ok(Err("its header fails its checksum, or it is of another lineage or format".into()));
        }
        if pages.checked_add(1).and_then(|pages| pages.checked_mul(PAGE_BYTES as u64)) != Some(len) {
            return Ok(Err(format!("it has {len} bytes and should have {pages} pages")));
        }
        let mut run =
            Self { path: path.into(), span, count, file, fences: Vec::with_capacity(pages as usize) };
        match run.check_pages(pages) {
            Ok(()) => Ok(Ok(run)),
            Err(error @ DedupError::Corrupt { .. }) => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }

    fn check_pages(&mut self, pages: u64) -> Result<(), DedupError> {
        let (mut fences, mut count, mut last) = (Vec::with_capacity(pages as usize), 0, None);
        let mut is_rising = true;
        self.each_page(pages, &mut |records| {
            let mut is_first = true;
            for record in records {
                if std::mem::take(&mut is_first) {
                    fences.push((record.key >> 64) as u64);
                }
                is_rising &= last.is_none_or(|last| last < record.key);
                last = Some(record.key);
                count += 1;
            }
        })?;
        if !is_rising || count != self.count || fences.len() as u64 != pages {
            return Err(self.corrupt(0, "its ids are not those its header states"));
        }
        self.fences = fences;
        Ok(())
    }

    fn corrupt(&self, page: u64, what: &'static str) -> DedupError {
        DedupError::Corrupt { file: self.path.clone(), page, what }
    }

    fn each_page(
        &self,
        pages: u64,
        each: &mut dyn FnMut(&mut dyn Iterator<Item = Record>),
    ) -> Result<(), DedupError> {
        let mut number = 1;
        while number <= pages {
            let step = (pages + 1 - number).min(READ_PAGES as u64);
            self.read_pages(number, step, each)?;
            number += step;
        }
        Ok(())
    }

    /// Reads pages from a number on, counted from 1.
    pub(crate) fn read_pages(
        &self,
        number: u64,
        count: u64,
        each: &mut dyn FnMut(&mut dyn Iterator<Item = Record>),
    ) -> Result<(), DedupError> {
        let mut bytes = vec![0; count as usize * PAGE_BYTES];
        self.file
            .read_exact_at(&mut bytes, number * PAGE_BYTES as u64)
            .map_err(DedupError::io("read", &self.path))?;
        for (page, number) in bytes.chunks_exact(PAGE_BYTES).zip(number..) {
            each(&mut records(page, number).map_err(|what| self.corrupt(number, what))?);
        }
        Ok(())
    }

    pub(crate) fn pages(&self) -> u64 {
        self.fences.len() as u64
    }

    /// Every key, by key.
    pub(crate) fn each_key(&self, each: &mut dyn FnMut(u128)) -> Result<(), DedupError> {
        self.each_page(self.pages(), &mut |records| records.for_each(|record| each(record.key)))
    }

    /// The entry of a key: sequence and fingerprint.
    pub(crate) fn get(&self, key: u128) -> Result<Option<(u64, u64)>, DedupError> {
        let half = (key >> 64) as u64;
        // Pages that start with the same half of a key are rare, yet all of them are looked at.
        let mut page = self.fences.partition_point(|fence| *fence <= half);
        let mut bytes = [0; PAGE_BYTES];
        while page > 0 {
            let number = page as u64;
            self.file
                .read_exact_at(&mut bytes, number * PAGE_BYTES as u64)
                .map_err(DedupError::io("read", &self.path))?;
            let records = stored(&bytes, number).map_err(|what| self.corrupt(number, what))?;
            if let Ok(at) = records.binary_search_by_key(&key, key_of) {
                return Ok(Some((u64_at(&records[at], 16), u64_at(&records[at], 24))));
            }
            if self.fences[page - 1] < half {
                break;
            }
            page -= 1;
        }
        Ok(None)
    }

    pub(crate) fn file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.file)
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.fences.capacity() * size_of::<u64>()) as u64
    }
}
