//! Reads of one account through the index of accounts, held against whole frames.

use std::sync::Arc;

use tidewatch_engine::fold::history::History;
use tidewatch_engine::storage::account_index::{AccountIndex, AccountIndexOptions};
use tidewatch_engine::storage::disk::Disk;
use tidewatch_engine::storage::disk::simulated::{ALWAYS, Faults, SimulatedDisk};
use tidewatch_engine::storage::log::{Entry, LogError};
use tidewatch_projections::event::Event;
use tidewatch_projections::names::Names;

use super::Simulation;
use crate::audit::{Violation, violated};
use crate::draw::Draw;
use crate::machine::frames;

const DIR: &str = "accounts";
/// Accounts read at each opening.
const ACCOUNTS: usize = 3;

impl Simulation {
    /// What the index says is what all frames say, whatever became of its files and of the log since they were written. It lies
    /// on a disk of its own, beside a copy of the log and with draws of its own, so that a seed lives as it does without it.
    pub(super) fn check_account_index(&mut self, last_seq: u64) -> Result<(), Violation> {
        let mut draw = Draw::new(last_seq ^ (self.counts.lives << 32));
        let disk = SimulatedDisk::new(draw.any(), Faults::default());
        for name in self.disk.list("log").unwrap_or_default() {
            let path = format!("log/{name}");
            disk.put(&path, &self.disk.content(&path).unwrap_or_default());
        }
        self.account_index.iter().for_each(|(path, content)| disk.put(path, content));
        disk.set_faults(Faults { sync_failed: ALWAYS / 8, short_write: ALWAYS / 8, ..Faults::default() });
        let options = AccountIndexOptions {
            dir: DIR.into(),
            log_dir: "log".into(),
            part_bytes: 1 + draw.below(8 << 10) as u64,
            is_read_only: draw.often(150),
            // Threads would read in an order that no seed decides.
            readers: 1,
        };
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let index = Arc::new(AccountIndex::new(Arc::clone(&shared), options, Arc::default()));
        let names = Arc::new(Names::new());
        let history = History::new(shared, Arc::clone(&names), last_seq).indexed_by(&index);
        let all = frames(&history).or_else(|error| unreadable(&error))?;
        let accounts = self.fleet.accounts();
        for _ in 0..ACCOUNTS {
            let account: &String = draw.pick(&accounts);
            let account = names.intern(account);
            let mut found = Vec::new();
            let read = history.events_of(&[account], |excerpt| {
                found.extend(excerpt.events);
                Ok::<(), LogError>(())
            });
            read.or_else(|error| unreadable(&error))?;
            let entries = all.iter().flat_map(|frame| &frame.entries);
            let wanted: Vec<(u64, Event)> = entries
                .filter_map(|(seq, entry)| match entry {
                    Entry::Event(event) if event.account() == Some(account) => Some((*seq, event.clone())),
                    _ => None,
                })
                .collect();
            if found != wanted {
                let account = names.text(account);
                let what = format!("{account} up to {last_seq}: {found:?}, the frames say {wanted:?}");
                return violated("the index of accounts finds what all frames hold", what);
            }
        }
        if draw.often(500) {
            disk.crash()
        } else {
            disk.kill()
        }
        let files = disk.list(DIR).unwrap_or_default();
        let files = files.into_iter().map(|name| format!("{DIR}/{name}"));
        self.account_index =
            files.map(|path| (path.clone(), disk.content(&path).unwrap_or_default())).collect();
        Ok(())
    }
}

fn unreadable<T>(error: &LogError) -> Result<T, Violation> {
    violated("an opened log can be read", error.to_string())
}
