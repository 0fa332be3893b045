//! Folds the events of one part of the accounts into their states.

use std::hint::black_box;
use std::sync::Arc;

use tidewatch_projections::account::Account;
use tidewatch_projections::alert::watch::Watch;
use tidewatch_projections::event::Event;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::Plan;

use crate::control::state::ControlState;
use crate::fold::view::{CHUNK_ACCOUNTS, Chunk, Directory, Part, View};
use crate::storage::log::Entry;

/// Events whose accounts are fetched from memory together, before any is folded in. The next ones would push the first out
/// of the nearest cache again.
const AHEAD: usize = 16;

/// Under what a fold reads the log. State does not depend on how many workers share it.
#[derive(Clone)]
pub struct FoldContext {
    /// The table of names.
    pub names: Arc<Names>,
    pub plan: Arc<Plan>,
    /// The rules whose figures the plan keeps; `None`: none are watched.
    pub watch: Option<Arc<Watch>>,
    pub control_state: Arc<ControlState>,
    /// Fold only these accounts, sorted; `None` is all.
    pub only: Option<Arc<[Symbol]>>,
}

/// One of `workers` folds: the accounts whose symbol falls to it.
pub struct Worker {
    index: usize,
    workers: usize,
    context: FoldContext,
    chunks: Vec<Arc<Chunk>>,
    /// By symbol index: the slot and one, 0 for none. A table costs less than a hash at every event.
    slots: Vec<u32>,
    accounts_count: u32,
    directory: Arc<Directory>,
}

impl Worker {
    /// Worker `index` of `workers`, with no account yet.
    pub fn new(index: usize, workers: usize, context: FoldContext) -> Self {
        Self {
            index,
            workers,
            context,
            chunks: Vec::new(),
            slots: Vec::new(),
            accounts_count: 0,
            directory: Arc::default(),
        }
    }

    /// Folds in what falls to this worker.
    pub fn apply(&mut self, entries: &[(u64, Entry)]) {
        let mut ahead = Vec::with_capacity(AHEAD);
        for (_, entry) in entries {
            if let Entry::Event(event) = entry
                && let Some(account) = event.account()
                && self.folds(account, event)
            {
                ahead.push((self.slot(account), event));
                if ahead.len() == AHEAD {
                    self.apply_events(&mut ahead);
                }
            }
        }
        self.apply_events(&mut ahead);
    }

    fn folds(&self, account: Symbol, event: &Event) -> bool {
        View::worker_of(account, self.workers) == self.index
            && self.context.control_state.counts(event)
            && self.context.only.as_ref().is_none_or(|only| only.binary_search(&account).is_ok())
    }

    fn apply_events(&mut self, ahead: &mut Vec<(usize, &Event)>) {
        for stage in 0..Account::TOUCH_STAGES {
            let state = |slot: &usize| self.chunks[slot / CHUNK_ACCOUNTS].get(slot % CHUNK_ACCOUNTS);
            let touched = ahead.iter().filter_map(|(slot, _)| Some(state(slot)?.touch(stage)));
            black_box(touched.fold(0, |all, one| all ^ one));
        }
        for (slot, event) in ahead.drain(..) {
            let chunk = Arc::make_mut(&mut self.chunks[slot / CHUNK_ACCOUNTS]);
            let state = chunk.get_mut(slot % CHUNK_ACCOUNTS).expect("a slot is given with an account in it");
            state.apply(&self.context.plan, &self.context.names, event);
        }
    }

    fn slot(&mut self, account: Symbol) -> usize {
        let index = account.index();
        match self.slots.get(index) {
            Some(found) if *found > 0 => *found as usize - 1,
            _ => self.add(account),
        }
    }

    fn add(&mut self, account: Symbol) -> usize {
        let index = account.index();
        if index >= self.slots.len() {
            self.slots.resize((index + 1).next_power_of_two(), 0);
        }
        let slot = self.accounts_count as usize;
        self.accounts_count += 1;
        self.slots[index] = self.accounts_count;
        if slot.is_multiple_of(CHUNK_ACCOUNTS) {
            self.chunks.push(Arc::default());
        }
        let chunk = Arc::make_mut(self.chunks.last_mut().expect("a chunk was just made or has room"));
        chunk.put(slot % CHUNK_ACCOUNTS, Account::new(account));
        self.directory.insert(account, u32::try_from(slot).expect("fewer than 2^32 accounts"));
        slot
    }

    /// Another control_state that leaves what was folded right.
    pub fn take_control_state(&mut self, control_state: Arc<ControlState>) {
        self.context.control_state = control_state;
    }

    /// The accounts as they are now; shared until they change.
    pub fn part(&self) -> Part {
        Part { chunks: self.chunks.as_slice().into(), directory: Arc::clone(&self.directory) }
    }
}
