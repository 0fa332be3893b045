//! What reads of the past take in memory, by estimate: from how many accounts they fold and how much happened to those.

use std::mem::size_of;

use tidewatch_projections::names::Symbol;
use tidewatch_projections::scalar::Scalar;

use crate::fold::view::View;
use crate::read::admission::Cost;

/// Frames that were read and are not folded yet, and whatever else one read takes; bytes.
pub const READ_BYTES: u64 = 16 << 20;
/// An account that is folded without bounds, besides what its events leave in it; bytes.
pub const ACCOUNT_BYTES: u64 = 4 << 10;
/// What an event leaves in an account that is folded without bounds, on average; bytes.
pub const EVENT_BYTES: u64 = 64;
/// A value of a row; bytes.
pub const VALUE_BYTES: u64 = size_of::<Option<Scalar>>() as u64;

/// What the figures of one health take, in values of a row.
pub const HEALTH_VALUES: usize = 64;

/// A read that keeps no accounts.
pub const READ: Cost = Cost { memory_bytes: READ_BYTES, answer_bytes: 0, is_bulk: false };

/// A read of the whole log that its caller takes part by part.
pub const BULK: Cost = Cost { is_bulk: true, ..READ };

/// A scan that folds some accounts, or all, and answers with `values` of each.
pub fn scan(view: &View, accounts: Option<&[Symbol]>, values: usize) -> Cost {
    let (accounts, events) = match accounts {
        None => (view.accounts_count() as u64, view.tenant.events),
        Some(accounts) => {
            let events = accounts.iter().filter_map(|account| view.account(*account));
            (accounts.len() as u64, events.map(|account| account.events).sum())
        }
    };
    let answer_bytes = accounts * values as u64 * VALUE_BYTES;
    let memory_bytes = READ_BYTES + accounts * ACCOUNT_BYTES + events * EVENT_BYTES + answer_bytes;
    Cost { memory_bytes, answer_bytes, is_bulk: false }
}
