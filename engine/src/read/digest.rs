//! Computes the digest of a state: equal states have equal digests, however they came about. Version 2 covers health too.
//!
//! Covered are the facts of all accounts sorted by id, the settings, what crosses accounts, what is parked, and the
//! adopted metrics and the health of all accounts at an instant. Not covered are positions, recorded times and the clock, so that the same events in
//! another order, in other files or on other threads give the same digest.

use std::fmt;

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::canonical::write_account;
use tidewatch_projections::event::Micros;
use tidewatch_projections::health::{Band, Health, Inexact, Reason, health};
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::tenant::Tenant;

use crate::cancellation::{Cancellation, Cancelled};
use crate::control::state::ControlState;
use crate::fold::history::{History, HistoryError};
use crate::fold::view::View;
use crate::position::Position;
use crate::read::scan::{AsOf, Columns, Figures, Question, Row, ScanError, scan};

/// Which figures are covered, and how: it rises when equal states get other digests.
const VERSION: u64 = 2;

/// A digest of 32 bytes, printed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

type FullRow = Row<(Vec<Option<Scalar>>, Health)>;

/// All metrics and the health.
struct Everything(Columns);

impl Figures for Everything {
    type Value = (Vec<Option<Scalar>>, Health);

    fn of(&self, account_at: &AccountAt<'_>) -> Result<Self::Value, Inexact> {
        Ok((self.0.of(account_at)?, health(account_at)?))
    }
}

/// The digest of a log, from a fold of its own; metrics at `as_of`.
///
/// # Errors
/// Whatever the log says. An empty log has no `last`; its metrics are left out.
pub fn of_log(history: &History, as_of: AsOf, workers: usize) -> Result<Digest, ScanError> {
    let summary = history.summary()?;
    let context = history.adopted_context(&summary.control_state)?;
    let view =
        history.fold(workers, context)?.settle(Position { shard: 0, lineage: 0, seq: summary.last_seq });
    of_view(&view, history, as_of, workers)
}

/// The digest of a live state, with metrics from the log it was folded from.
///
/// # Errors
/// Whatever the log says.
pub fn of_view(view: &View, history: &History, as_of: AsOf, workers: usize) -> Result<Digest, ScanError> {
    let model = Model::parse_adopted(view.control_state.model_text()).map_err(HistoryError::from)?;
    let question = Question { model, as_of: vec![as_of], accounts: None };
    let rows = match scan(history, &question, &Everything(Columns::all(&question.model)), workers) {
        Err(ScanError::NoEvent) => Vec::new(),
        rows => rows?,
    };
    Ok(digest(view, &question.model, &rows, history.cancellation())?)
}

fn digest(
    view: &View,
    model: &Model,
    rows: &[FullRow],
    cancellation: &Cancellation,
) -> Result<Digest, Cancelled> {
    let names = &view.names;
    let mut hasher = Hasher { names, inner: blake3::Hasher::new() };
    hasher.count(VERSION);
    hasher.section("accounts");
    let mut accounts: Vec<_> = view.accounts().collect();
    accounts.sort_unstable_by_key(|account| names.text(account.id));
    let mut bytes = Vec::new();
    for account in accounts {
        cancellation.check()?;
        bytes.clear();
        write_account(account, names, &mut bytes);
        hasher.bytes(&bytes);
    }
    hasher.section("settings");
    hasher.settings(&view.control_state);
    hasher.section("overrides");
    hasher.overrides(&view.control_state);
    hasher.section("tenant");
    hasher.tenant(&view.tenant);
    hasher.section("metrics and health");
    for row in rows {
        cancellation.check()?;
        hasher.row(model, row);
        hasher.health(&row.value.1);
    }
    Ok(Digest(*hasher.inner.finalize().as_bytes()))
}

struct Hasher<'a> {
    names: &'a Names,
    inner: blake3::Hasher,
}

impl Hasher<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.inner.update(&(bytes.len() as u64).to_le_bytes());
        self.inner.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn section(&mut self, name: &str) {
        self.text(name);
    }

    fn instant(&mut self, at: Option<Micros>) {
        self.inner.update(&[u8::from(at.is_some())]);
        self.inner.update(&at.unwrap_or(0).to_le_bytes());
    }

    fn count(&mut self, count: u64) {
        self.inner.update(&count.to_le_bytes());
    }

    fn overrides(&mut self, control_state: &ControlState) {
        let mut all: Vec<_> =
            control_state.overrides.iter().map(|(account, set)| (self.names.text(*account), set)).collect();
        all.sort_unstable_by_key(|(account, _)| *account);
        for (account, set) in all {
            [account, &set.band, &set.reason, &set.author].into_iter().for_each(|text| self.text(text));
            self.instant(Some(set.expires_at));
        }
    }

    fn settings(&mut self, control_state: &ControlState) {
        let settings = &control_state.settings;
        self.text(&settings.zone);
        self.instant(Some(settings.skew_us));
        self.instant(Some(settings.close_delay_us));
        let mut closed: Vec<_> = settings
            .closed_days
            .iter()
            .map(|days| (days.scope.to_string(), days.from.0, days.to.0))
            .collect();
        closed.sort_unstable();
        closed.dedup();
        for (scope, from, to) in closed {
            self.text(&scope);
            self.instant(Some(from.into()));
            self.instant(Some(to.into()));
        }
        self.text(control_state.model_text());
    }

    fn tenant(&mut self, tenant: &Tenant) {
        self.count(tenant.events);
        self.instant(tenant.oldest_at);
        self.instant(tenant.newest_at);
        let names = self.names;
        let mut types: Vec<_> = tenant.feed.types().map(|(kind, fed)| (kind.name(names), fed)).collect();
        types.sort_unstable_by_key(|(name, _)| *name);
        for (name, fed) in types {
            self.text(name);
            self.instant(Some(fed.earliest_at));
            self.instant(fed.earliest_user_at);
        }
        for (order, from, into) in tenant.merges.all() {
            self.instant(Some(order.at));
            self.text(names.text(order.source));
            self.text(&order.id);
            self.text(names.text(*from));
            self.text(names.text(*into));
        }
        self.count(tenant.parked.events());
        self.inner.update(&tenant.parked.fingerprint().to_le_bytes());
    }

    fn row(&mut self, model: &Model, row: &FullRow) {
        self.text(self.names.text(row.account));
        self.instant(Some(row.as_of));
        for (metric, value) in model.metrics.iter().zip(&row.value.0) {
            self.text(&metric.name);
            match value {
                None => {
                    self.inner.update(&[0]);
                }
                Some(Scalar::Number(number)) => {
                    self.inner.update(&[1]);
                    self.inner.update(&number.to_bits().to_le_bytes());
                }
                Some(Scalar::Integer(number)) => {
                    self.inner.update(&[2]);
                    self.inner.update(&number.to_le_bytes());
                }
                Some(Scalar::Text(text)) => {
                    self.inner.update(&[3]);
                    self.text(text);
                }
            }
        }
    }

    fn health(&mut self, health: &Health) {
        self.text(health.state.name());
        self.text(health.reason.map_or("", Reason::name));
        self.text(health.status.name());
        self.count(match health.band {
            Band::Of(band) => band as u64,
            Band::Unknown => u64::MAX,
            Band::Excluded => u64::MAX - 1,
        });
        self.number(health.score());
        self.number(Some(health.coverage()));
        let Some(figures) = &health.figures else { return };
        self.count(figures.profile as u64);
        for measure in &figures.weighed.measures {
            self.number(measure.measured.points);
            self.number(Some(measure.weight));
        }
    }

    /// A number to the bit.
    fn number(&mut self, number: Option<f64>) {
        self.inner.update(&[u8::from(number.is_some())]);
        self.inner.update(&number.unwrap_or(0.0).to_bits().to_le_bytes());
    }
}
