//! Lists accounts by their health, worst first unless asked otherwise.

use std::collections::HashMap;

use tidewatch_projections::account::Account;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::health::cell::Cell;
use tidewatch_projections::health::health;
use tidewatch_projections::health::{Band, Health};
use tidewatch_projections::names::Symbol;
use tidewatch_projections::plan::Plan;
use tidewatch_proto::v1;

use super::api_error::ApiError;
use super::columns::AccountColumn;
use super::convert;
use super::filter::{Filter, Kind, Operand};
use super::health::{Naming, UNKNOWN_BAND, override_of};
use super::order::Order;
use super::top_k::TopK;
use crate::cancellation::Cancellation;
use crate::fold::view::View;
use crate::read::account;
use crate::read::cells::{Cells, Place};

/// What a list is ordered by where nothing is asked.
const WORST_FIRST: &str = "score";

/// A field of the list of health.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum HealthColumn {
    Score,
    Band,
    State,
    Coverage,
    Profile,
    Of(AccountColumn),
}

impl HealthColumn {
    pub(super) fn resolve(plan: &Plan, path: &[String]) -> Option<(Self, Kind)> {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        Some(match names.as_slice() {
            ["score"] => (Self::Score, Kind::Number),
            ["band"] => (Self::Band, Kind::Text),
            ["state"] => (Self::State, Kind::Text),
            ["coverage"] => (Self::Coverage, Kind::Number),
            ["profile"] => (Self::Profile, Kind::Text),
            _ => {
                let (column, kind) = AccountColumn::resolve(plan, path)?;
                (Self::Of(column), kind)
            }
        })
    }

    /// What an account has there.
    pub(super) fn operand<'v>(
        &self,
        view: &'v View,
        cell: &Cell,
        account_at: &AccountAt<'v>,
    ) -> Option<Operand<'v>> {
        let scoring = || view.plan.model.scoring.as_ref().ok();
        match self {
            Self::Score => cell.score.map(Operand::Number),
            Self::Band => match view.control_state.override_of(cell.account) {
                Some(set) => Some(Operand::Text((&*set.band).into())),
                None => match cell.band {
                    Band::Of(band) => Some(Operand::Text(scoring()?.bands[band].name.as_str().into())),
                    Band::Unknown => Some(Operand::Text(UNKNOWN_BAND.into())),
                    Band::Excluded => None,
                },
            },
            Self::State => Some(Operand::Text(cell.state.name().into())),
            Self::Coverage => Some(Operand::Number(cell.coverage)),
            Self::Profile => {
                let profile = scoring()?.profiles.get(cell.profile? as usize)?;
                Some(Operand::Text(profile.name.as_str().into()))
            }
            Self::Of(column) => column.operand(account_at),
        }
    }
}

/// An account that passed the filter of a list.
struct Passed<'v> {
    key: Vec<Option<Operand<'v>>>,
    account: Symbol,
}

/// `size` accounts of a list after the first `skipped`, and how many pass the filter in all. `past` has the health of the
/// accounts that memory does not answer.
///
/// # Errors
/// For a filter, an order or a metric that the view does not know; once it is cancelled.
pub fn list(
    cells: &Cells,
    past: &HashMap<Symbol, Health>,
    naming: Naming<'_>,
    request: &v1::ListHealthRequest,
    (skipped, size): (usize, usize),
    cancellation: &Cancellation,
) -> Result<(Vec<v1::ListedHealth>, usize), ApiError> {
    let view = cells.view.as_ref();
    let plan = view.plan.as_ref();
    let resolve = |path: &[String]| HealthColumn::resolve(plan, path);
    let filter = Filter::parse(&request.filter, &resolve).map_err(ApiError::InvalidFilter)?;
    let order_by = if request.order_by.is_empty() { WORST_FIRST } else { &request.order_by };
    let order = Order::parse(order_by, &resolve).map_err(ApiError::InvalidOrder)?;
    let id = |account: Symbol| view.names.text(account);
    let compare = |left: &Passed<'_>, right: &Passed<'_>| {
        order.compare(&left.key, &right.key).then_with(|| id(left.account).cmp(id(right.account)))
    };
    let cell_of = |place: Place| match place {
        Place::Cell(cell, _) => Some(cell),
        Place::Inexact(account) => past.get(&account).map(Cell::of),
        Place::Merged => None,
    };
    let mut top_k = TopK::new(skipped.saturating_add(size), compare);
    let mut total = 0;
    for (account, place) in cells.all() {
        cancellation.check()?;
        let Some(cell) = cell_of(place) else { continue };
        let Some(account_at) = led_by(cells, account) else { continue };
        if filter.matches(&mut |column| column.operand(view, &cell, &account_at)) {
            let key = order.key(&mut |column| column.operand(view, &cell, &account_at));
            top_k.put(Passed { key, account: account_at.survivor });
            total += 1;
        }
    }
    let page = top_k.sorted().into_iter().skip(skipped);
    let listed = page.filter_map(|passed| {
        let account_at = account::live(view, passed.account)?;
        let health = match past.get(&passed.account) {
            Some(health) => health.clone(),
            None => health(&account_at).ok()?,
        };
        let wire = naming.health(&health);
        Some(v1::ListedHealth {
            account: Some(convert::account(&account_at)),
            health: Some(v1::Health {
                groups: Vec::new(),
                measures: Vec::new(),
                r#override: override_of(view, passed.account),
                ..wire
            }),
        })
    });
    Ok((listed.collect(), total))
}

fn led_by<'v>(cells: &'v Cells, account: &'v Account) -> Option<AccountAt<'v>> {
    account::led_by(&cells.view, account)
}
