//! The view: an immutable snapshot of all accounts at one position, shared copy-on-write with later ones.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;
use tidewatch_projections::account::Account;
use tidewatch_projections::alert::watch::Watch;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::context::{Accounts, Context};
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::Plan;
use tidewatch_projections::tenant::Tenant;
use tokio::sync::watch;

use crate::control::state::ControlState;
use crate::fold::intake::Intake;
use crate::position::Position;

/// Accounts of one chunk.
pub const CHUNK_ACCOUNTS: usize = 256;
/// Accounts of one group. When an account changes after a publication, its group is copied and the groups of its chunk are
/// counted anew, each copy or count at the cost of a look at memory: the square root of a chunk makes both together fewest.
pub const GROUP_ACCOUNTS: usize = 16;

/// Up to [`GROUP_ACCOUNTS`] accounts in the order in which a worker met them.
type Group = [Option<Arc<Account>>; GROUP_ACCOUNTS];

/// Up to [`CHUNK_ACCOUNTS`] accounts by group; a later group has none until the one before is full.
#[derive(Clone, Default)]
pub struct Chunk {
    groups: [Option<Arc<Group>>; CHUNK_ACCOUNTS / GROUP_ACCOUNTS],
}

impl Chunk {
    /// The account at a place below [`CHUNK_ACCOUNTS`], if one was put there.
    pub fn get(&self, place: usize) -> Option<&Arc<Account>> {
        self.groups[place / GROUP_ACCOUNTS].as_ref()?[place % GROUP_ACCOUNTS].as_ref()
    }

    /// The account at a place, to be changed; what a view shows is copied first.
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Account> {
        let group = Arc::make_mut(self.groups[place / GROUP_ACCOUNTS].as_mut()?);
        group[place % GROUP_ACCOUNTS].as_mut().map(Arc::make_mut)
    }

    /// Puts an account at a place.
    pub(crate) fn put(&mut self, place: usize, account: Account) {
        let group = Arc::make_mut(self.groups[place / GROUP_ACCOUNTS].get_or_insert_default());
        group[place % GROUP_ACCOUNTS] = Some(Arc::new(account));
    }

    /// The accounts in order.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.groups.iter().flatten().flat_map(|group| group.iter().flatten())
    }

    /// How many accounts there are.
    pub fn accounts_count(&self) -> usize {
        let groups = self.groups.iter().flatten().count();
        let last = self.groups[..groups].last().and_then(Option::as_ref);
        last.map_or(0, |group| (groups - 1) * GROUP_ACCOUNTS + group.iter().flatten().count())
    }
}

/// Where each account of one worker stands. Only ever grows, and may run ahead of a view: what a view does not hold yet
/// is not found in it.
#[derive(Default)]
pub struct Directory {
    slots: RwLock<HashMap<Symbol, u32>>,
}

impl Directory {
    pub(crate) fn insert(&self, account: Symbol, slot: u32) {
        self.slots.write().expect("no thread panics while it holds the directory").insert(account, slot);
    }

    fn slot(&self, account: Symbol) -> Option<usize> {
        let slots = self.slots.read().expect("no thread panics while it holds the directory");
        slots.get(&account).map(|slot| *slot as usize)
    }
}

#[derive(Clone, Default)]
pub struct Part {
    pub chunks: Arc<[Arc<Chunk>]>,
    pub directory: Arc<Directory>,
}

/// All accounts at one position. Holding it keeps what it shows; it never changes.
#[derive(Clone)]
pub struct View {
    /// Everything up to here is folded in, and durable.
    pub position: Position,
    /// The table of names.
    pub names: Arc<Names>,
    /// The settings, the model and the clock at that position.
    pub control_state: Arc<ControlState>,
    /// The adopted model, compiled.
    pub plan: Arc<Plan>,
    /// The adopted rules, ready to judge; `None`: none are watched.
    pub watch: Option<Arc<Watch>>,
    pub tenant: Arc<Tenant>,
    /// How events came since the newest decision.
    pub intake: Arc<Intake>,
    /// The newest day that the clock has closed; `None` before the first.
    pub closed_through: Option<Day>,
    /// The accounts, by worker; none at all where they were not folded.
    pub parts: Vec<Part>,
}

impl View {
    /// The worker of an account among `workers`.
    pub fn worker_of(account: Symbol, workers: usize) -> usize {
        account.index() % workers.max(1)
    }

    /// Whether the accounts were folded. Where they were not, only the settings and the position say something.
    pub fn is_folded(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Whether what was written at a sequence shows: everything up to there is folded in, and nothing of it waits for another
    /// fold.
    pub fn shows(&self, seq: u64) -> bool {
        self.position.seq >= seq && !self.control_state.waiting.hides(seq)
    }

    /// An account's own state, whether merged or not.
    pub fn account(&self, account: Symbol) -> Option<&Arc<Account>> {
        let part = self.parts.get(Self::worker_of(account, self.parts.len()))?;
        let slot = part.directory.slot(account)?;
        part.chunks.get(slot / CHUNK_ACCOUNTS)?.get(slot % CHUNK_ACCOUNTS)
    }

    /// All accounts that have an event of their own, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.parts.iter().flat_map(|part| part.chunks.iter().flat_map(|chunk| chunk.accounts()))
    }

    /// How many accounts there are.
    pub fn accounts_count(&self) -> usize {
        self.parts.iter().flat_map(|part| part.chunks.iter()).map(|chunk| chunk.accounts_count()).sum()
    }

    /// What an evaluation at this view depends on besides the account.
    pub fn context(&self) -> Context<'_> {
        Context {
            plan: &self.plan,
            settings: &self.control_state.settings,
            tenant: &self.tenant,
            names: &self.names,
            accounts: self,
        }
    }

    /// The live instant of an account (health-model §3): the later of the clock and the instant after its newest event,
    /// never past the wall clock. While the newest event lies on a later day than the clock, the clock's instant, and
    /// `true`: it is catching up.
    ///
    /// Before the first clock entry nothing is proven, and the account's own news is all there is.
    pub fn live_instant(&self, members: &[&Account]) -> (Micros, bool) {
        let newest = members.iter().map(|member| member.newest_at).max().unwrap_or(Micros::MIN);
        let after = newest.saturating_add(1);
        let Some(clock) = self.control_state.clock_at else { return (after, false) };
        let wall = self.control_state.wall_at.unwrap_or(clock).max(clock);
        let calendar = &self.plan.calendar;
        if newest > Micros::MIN && calendar.day(newest) > calendar.day(clock - 1) {
            return (clock, true);
        }
        (clock.max(after).min(wall), false)
    }
}

impl Accounts for View {
    fn account(&self, id: Symbol) -> Option<&Account> {
        self.account(id).map(Arc::as_ref)
    }
}

/// Where the newest view is found, and how to wait for one.
pub struct Published {
    view: ArcSwap<View>,
    seq: watch::Sender<u64>,
}

impl Published {
    /// Starts with a first view.
    pub fn new(view: View) -> Self {
        let seq = watch::Sender::new(view.position.seq);
        Self { view: ArcSwap::from_pointee(view), seq }
    }

    /// The newest view.
    pub fn load(&self) -> Arc<View> {
        self.view.load_full()
    }

    pub(crate) fn store(&self, view: View) {
        let seq = view.position.seq;
        self.view.store(Arc::new(view));
        self.seq.send_replace(seq);
    }

    /// Tells of every published sequence.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.seq.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_leaves_what_was_shown_and_shares_every_other_account() {
        const COUNT: usize = GROUP_ACCOUNTS + 4;
        let names = Names::new();
        let mut chunk = Arc::new(Chunk::default());
        for place in 0..COUNT {
            Arc::make_mut(&mut chunk).put(place, Account::new(names.intern(&place.to_string())));
        }
        let shown = Arc::clone(&chunk);
        let changed = GROUP_ACCOUNTS + 1;
        Arc::make_mut(&mut chunk).get_mut(changed).unwrap().events = 1;
        assert_eq!((shown.accounts_count(), shown.accounts().count()), (COUNT, COUNT));
        assert_eq!((shown.get(changed).unwrap().events, chunk.get(changed).unwrap().events), (0, 1));
        for place in (0..COUNT).filter(|place| *place != changed) {
            assert!(Arc::ptr_eq(shown.get(place).unwrap(), chunk.get(place).unwrap()));
        }
        assert!(chunk.get(COUNT).is_none() && chunk.get(CHUNK_ACCOUNTS - 1).is_none());
    }
}
