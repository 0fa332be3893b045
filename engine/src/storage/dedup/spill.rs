//! Writes full tables of ids to disk and refills the filter, a bounded slice at a time.

use std::sync::Arc;

use super::DedupError;
use super::filter::Filter;
use super::run::{PAGE_BYTES, PAGE_RECORDS, Record, Run, RunSpan, header_page, record_page, records};
use super::table::{PARTS, Table};
use crate::failpoint::{Place, pass};
use crate::storage::disk::{Disk, DiskFile};

/// Pages of a run read at once.
const READ_PAGES: u64 = 16;
const TEMPORARY: &str = "next.tmp";

/// A new run in the making. Until it is finished, look-ups go to the table and the runs it is made of.
pub(crate) struct Spill {
    /// The place of the first run it replaces.
    pub(crate) from_run: usize,
    span: RunSpan,
    lineage: u128,
    temporary: String,
    file: Arc<dyn DiskFile>,
    sources: Vec<RunSource>,
    next_part: usize,
    /// The rest of the current part, greatest first.
    part: Vec<Record>,
    page: Vec<Record>,
    fences: Vec<u64>,
    count: u64,
}

/// A run that is read from its first id to its last.
struct RunSource {
    path: String,
    file: Arc<dyn DiskFile>,
    pages: u64,
    next_page: u64,
    /// What was read and not taken, greatest first.
    ahead: Vec<Record>,
}

impl RunSource {
    fn peek(&mut self) -> Result<Option<Record>, DedupError> {
        if self.ahead.is_empty() && self.next_page <= self.pages {
            let count = (self.pages + 1 - self.next_page).min(READ_PAGES);
            let mut bytes = vec![0; count as usize * PAGE_BYTES];
            self.file
                .read_exact_at(&mut bytes, self.next_page * PAGE_BYTES as u64)
                .map_err(DedupError::io("read", &self.path))?;
            for (page, number) in bytes.chunks_exact(PAGE_BYTES).zip(self.next_page..) {
                let found = records(page, number).map_err(|what| DedupError::Corrupt {
                    file: self.path.clone(),
                    page: number,
                    what,
                })?;
                self.ahead.extend(found);
            }
            self.ahead.reverse();
            self.next_page += count;
        }
        Ok(self.ahead.last().copied())
    }
}

impl Spill {
    pub(crate) fn start(
        disk: &dyn Disk,
        dir: &str,
        span: RunSpan,
        lineage: u128,
        merged: &[Run],
        from_run: usize,
    ) -> Result<Self, DedupError> {
        let temporary = format!("{dir}/{TEMPORARY}");
        if disk.file_len(&temporary).map_err(DedupError::io("measure", &temporary))?.is_some() {
            disk.remove(&temporary).map_err(DedupError::io("remove", &temporary))?;
        }
        let file = disk.create(&temporary, PAGE_BYTES as u64).map_err(DedupError::io("make", &temporary))?;
        let source = |run: &Run| RunSource {
            path: run.path.clone(),
            file: run.file(),
            pages: run.pages(),
            next_page: 1,
            ahead: Vec::new(),
        };
        Ok(Self {
            from_run,
            span,
            lineage,
            temporary,
            file,
            sources: merged.iter().map(source).collect(),
            next_part: 0,
            part: Vec::new(),
            page: Vec::with_capacity(PAGE_RECORDS),
            fences: Vec::new(),
            count: 0,
        })
    }

    /// Writes about so many bytes; says how many, and whether all is written.
    pub(crate) fn step(&mut self, table: &Table, budget_bytes: u64) -> Result<(u64, bool), DedupError> {
        let mut bytes = 0;
        while bytes < budget_bytes {
            while self.part.is_empty() && self.next_part < PARTS {
                self.part = table.part_descending(self.next_part);
                self.next_part += 1;
            }
            let mut least = self.part.last().copied();
            let mut from = None;
            for (place, source) in self.sources.iter_mut().enumerate() {
                if let Some(record) = source.peek()?
                    && least.is_none_or(|least| record.key < least.key)
                {
                    (least, from) = (Some(record), Some(place));
                }
            }
            let Some(record) = least else {
                bytes += self.flush()?;
                return Ok((bytes, true));
            };
            match from {
                Some(place) => self.sources[place].ahead.pop(),
                None => self.part.pop(),
            };
            self.page.push(record);
            if self.page.len() == PAGE_RECORDS {
                bytes += self.flush()?;
            }
        }
        Ok((bytes, false))
    }

    fn flush(&mut self) -> Result<u64, DedupError> {
        let Some(first) = self.page.first() else { return Ok(0) };
        self.fences.push((first.key >> 64) as u64);
        let number = self.fences.len() as u64;
        let page = record_page(&self.page, number);
        self.file
            .write_all_at(&page, number * PAGE_BYTES as u64)
            .map_err(DedupError::io("write", &self.temporary))?;
        pass(Place::RunPage);
        self.count += self.page.len() as u64;
        self.page.clear();
        Ok(PAGE_BYTES as u64)
    }

    /// Makes the run durable under its name.
    pub(crate) fn finish(self, disk: &dyn Disk, dir: &str) -> Result<Run, DedupError> {
        let header = header_page(self.span, self.lineage, self.count, self.fences.len() as u64);
        self.file.write_all_at(&header, 0).map_err(DedupError::io("write", &self.temporary))?;
        self.file.sync().map_err(DedupError::io("sync", &self.temporary))?;
        pass(Place::RunWritten);
        let path = format!("{dir}/{}", self.span.file_name());
        disk.rename(&self.temporary, &path).map_err(DedupError::io("rename", &self.temporary))?;
        disk.sync_dir(dir).map_err(DedupError::io("sync", dir))?;
        pass(Place::RunNamed);
        Ok(Run::written(path, self.span, self.count, self.file, self.fences))
    }
}

/// A larger filter in the making: it takes new ids beside the one in use, and old ones from the runs.
pub(crate) struct Regrowth {
    pub(crate) filter: Filter,
    run: usize,
    next_page: u64,
}

impl Regrowth {
    pub(crate) fn new(filter: Filter) -> Self {
        Self { filter, run: 0, next_page: 1 }
    }

    /// Reads about so many bytes of runs; says how many, and whether the filter is whole.
    pub(crate) fn step(&mut self, runs: &[Run], budget_bytes: u64) -> Result<(u64, bool), DedupError> {
        let mut bytes = 0;
        while bytes < budget_bytes {
            let Some(run) = runs.get(self.run) else { return Ok((bytes, true)) };
            if self.next_page > run.pages() {
                self.run += 1;
                self.next_page = 1;
                continue;
            }
            let count = (run.pages() + 1 - self.next_page).min(READ_PAGES);
            let filter = &mut self.filter;
            run.read_pages(self.next_page, count, &mut |records| {
                records.for_each(|record| filter.insert(record.key))
            })?;
            self.next_page += count;
            bytes += count * PAGE_BYTES as u64;
        }
        Ok((bytes, false))
    }
}
