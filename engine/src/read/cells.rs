//! One cell of health for each account, kept up to date: a list by score evaluates only who changed since the list before.
//!
//! A cell stands for its account's live instant at the view it was brought up to. It is computed anew when the account has
//! an event, when the clock or the wall clock turns a day, when its live instant moves past events of its own, and when a
//! model, settings, merges or feeds change; within a day silence changes no figure but ages in hours, and the cell names the
//! instant it stands at.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidewatch_projections::account::Account;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::health::cell::Cell;
use tidewatch_projections::health::health;
use tidewatch_projections::names::Symbol;

use crate::cancellation::{Cancellation, Cancelled};
use crate::fold::view::{Chunk, View};
use crate::position::Position;
use crate::read::account;

/// What is known of one account's place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Place {
    /// The health of the account, and the sequence of the view at which its health, its status or one of its facts changed last.
    Cell(Cell, u64),
    /// It answers for itself, and memory does not reach back as far as its health looks.
    Inexact(Symbol),
    /// Another account answers for it.
    Merged,
}

/// The places of one chunk.
#[derive(Clone)]
struct OfChunk {
    places: Arc<[Place]>,
    /// Whether all of them hold as long as the chunk stays as it is.
    is_settled: bool,
}

/// The cells of all accounts at one view.
#[derive(Clone)]
pub struct Cells {
    /// The view they stand for.
    pub view: Arc<View>,
    /// By worker and chunk, in the order of the view.
    parts: Vec<Vec<OfChunk>>,
    /// How many were computed to bring them here.
    pub evaluated: usize,
}

impl Cells {
    /// The cells of a view; those of accounts that did not change since `before` are taken over, whichever view is newer.
    ///
    /// # Errors
    /// Once it is cancelled.
    pub fn at(
        view: Arc<View>,
        before: Option<&Self>,
        cancellation: &Cancellation,
    ) -> Result<Self, Cancelled> {
        // Where all may have changed nothing is taken over but when each changed last.
        let is_same = before.is_some_and(|before| stands_for_the_same(&before.view, &view));
        // What an older view has seen, a newer one has; not the other way round.
        let is_newer = before.is_some_and(|before| view.position.seq >= before.view.position.seq);
        let overridden = before.map(|before| overridden(&before.view, &view)).unwrap_or_default();
        let mut evaluated = 0;
        let mut parts = Vec::with_capacity(view.parts.len());
        for (worker, part) in view.parts.iter().enumerate() {
            let mut cells = Vec::with_capacity(part.chunks.len());
            for (place, chunk) in part.chunks.iter().enumerate() {
                let known = before.and_then(|before| {
                    let chunk = before.view.parts.get(worker)?.chunks.get(place)?;
                    Some((&*before.view, chunk, before.parts.get(worker)?.get(place)?))
                });
                cells.push(match known {
                    Some((_, old, cells))
                        if is_same
                            && is_newer
                            && cells.is_settled
                            && overridden.is_empty()
                            && Arc::ptr_eq(old, chunk) =>
                    {
                        cells.clone()
                    }
                    known => {
                        let known = Known { chunk: known, is_same, overridden: &overridden };
                        of_chunk(&view, chunk, &known, &mut evaluated, cancellation)?
                    }
                });
            }
            parts.push(cells);
        }
        Ok(Self { view, parts, evaluated })
    }

    /// Every place with the account's own state, in no order.
    pub fn all(&self) -> impl Iterator<Item = (&Account, Place)> {
        self.view.parts.iter().zip(&self.parts).flat_map(|(part, cells)| {
            part.chunks.iter().zip(cells).flat_map(|(chunk, cells)| {
                chunk.accounts().map(Arc::as_ref).zip(cells.places.iter().copied())
            })
        })
    }

    /// The accounts whose health only the log answers.
    pub fn inexact(&self) -> Vec<Symbol> {
        let inexact = |place: &Place| match place {
            Place::Inexact(account) => Some(*account),
            Place::Cell(..) | Place::Merged => None,
        };
        self.parts.iter().flatten().flat_map(|cells| cells.places.iter().filter_map(inexact)).collect()
    }
}

/// Whether all that health depends on besides an account's own events is the same in two views.
fn stands_for_the_same(one: &View, other: &View) -> bool {
    let days = |view: &View| -> (Option<Day>, Option<Day>) {
        let day = |at: Option<i64>| at.map(|at| view.plan.calendar.day(at - 1));
        (day(view.control_state.clock_at), day(view.control_state.wall_at))
    };
    Arc::ptr_eq(&one.plan, &other.plan)
        && one.parts.len() == other.parts.len()
        && one.control_state.settings == other.control_state.settings
        && days(one) == days(other)
        && one.tenant.merges == other.tenant.merges
        && one.tenant.feed == other.tenant.feed
}

/// The accounts whose override began, changed or ended between two views.
fn overridden(one: &View, other: &View) -> BTreeSet<Symbol> {
    let differs = |from: &View, to: &View| -> Vec<Symbol> {
        let gone = from.control_state.overrides_in_force();
        let gone = gone.filter(|(account, set)| to.control_state.override_of(*account) != Some(*set));
        gone.map(|(account, _)| account).collect()
    };
    differs(one, other).into_iter().chain(differs(other, one)).collect()
}

/// What is known of a chunk from cells before.
struct Known<'a> {
    /// The view before, the chunk as it was there, and its cells.
    chunk: Option<(&'a View, &'a Arc<Chunk>, &'a OfChunk)>,
    /// Whether all but the accounts themselves is as it was.
    is_same: bool,
    /// Accounts with another override than before.
    overridden: &'a BTreeSet<Symbol>,
}

fn of_chunk(
    view: &View,
    chunk: &Chunk,
    known: &Known<'_>,
    evaluated: &mut usize,
    cancellation: &Cancellation,
) -> Result<OfChunk, Cancelled> {
    let mut is_settled = true;
    let mut places = Vec::with_capacity(chunk.accounts_count());
    for (place, account) in chunk.accounts().enumerate() {
        // An account keeps its place for as long as its worker lives; another fold may give it another.
        let before = known.chunk.and_then(|(old_view, old, cells)| {
            let old = old.get(place).filter(|old| old.id == account.id)?;
            Some((old_view, old, *cells.places.get(place)?))
        });
        let is_settled_here = is_alone_and_seen(view, account);
        is_settled &= is_settled_here;
        let stays = known.is_same && is_settled_here && !known.overridden.contains(&account.id);
        places.push(match before {
            Some((old_view, old, cell))
                if stays && Arc::ptr_eq(old, account) && is_alone_and_seen(old_view, account) =>
            {
                cell
            }
            before => {
                cancellation.check()?;
                *evaluated += 1;
                of_account(view, account, before.map(|(_, _, cell)| cell))
            }
        });
    }
    Ok(OfChunk { places: places.into(), is_settled })
}

/// Whether the answer of an account depends on nothing but its own events, all of which it has seen. Members of a merge answer
/// together, so that what one of them did changes the answer of another; and an account that the clock, or the wall clock, is
/// behind of answers anew as it moves on.
fn is_alone_and_seen(view: &View, account: &Account) -> bool {
    !view.tenant.merges.concern(account.id) && view.live_instant(&[account]).0 > account.newest_at
}

fn of_account(view: &View, account: &Account, before: Option<Place>) -> Place {
    match account::led_by(view, account) {
        None => Place::Merged,
        Some(account_at) => match health(&account_at) {
            Ok(health) => {
                let by_hand = view.control_state.override_of(account_at.survivor);
                let by_hand = by_hand.map_or("", |set| &set.band);
                let cell = Cell::of(&health).with_facts(&account_at, by_hand);
                match before {
                    Some(Place::Cell(old, changed_seq)) if cell.shows_the_same(&old) => {
                        Place::Cell(cell, changed_seq)
                    }
                    _ => Place::Cell(cell, view.position.seq),
                }
            }
            Err(_inexact) => Place::Inexact(account_at.survivor),
        },
    }
}

/// The newest cells of one engine.
#[derive(Default)]
pub struct CellStore {
    newest: Mutex<Option<Arc<Cells>>>,
    /// The sequence of the newest cells, for who may not wait.
    reached_seq: AtomicU64,
}

impl CellStore {
    /// The cells of a view. Those of the newest view asked for are kept; whoever asks for them at the same time waits for
    /// whoever brings them up to date.
    ///
    /// # Errors
    /// Once it is cancelled.
    pub fn at(&self, view: &Arc<View>, cancellation: &Cancellation) -> Result<Arc<Cells>, Cancelled> {
        let mut newest = self.lock();
        if let Some(cells) = newest.as_ref().filter(|cells| Arc::ptr_eq(&cells.view, view)) {
            return Ok(Arc::clone(cells));
        }
        let is_older = newest.as_ref().is_some_and(|cells| view.position.seq < cells.view.position.seq);
        if is_older {
            // A page of an older list: what did not change since is taken over, and the newest stay.
            let before = newest.clone();
            drop(newest);
            return Ok(Arc::new(Cells::at(Arc::clone(view), before.as_deref(), cancellation)?));
        }
        let cells = Arc::new(Cells::at(Arc::clone(view), newest.as_deref(), cancellation)?);
        self.reached_seq.store(cells.view.position.seq, Ordering::Relaxed);
        *newest = Some(Arc::clone(&cells));
        Ok(cells)
    }

    /// The sequence at which the newest cells stand, 0 before the first; waits for nobody.
    pub fn reached_seq(&self) -> u64 {
        self.reached_seq.load(Ordering::Relaxed)
    }

    /// Where the newest cells stand; waits for whoever brings them up to date.
    pub fn position(&self) -> Option<Position> {
        self.lock().as_ref().map(|cells| cells.view.position)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Cells>>> {
        // A panic while cells are computed leaves the cells before it.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
