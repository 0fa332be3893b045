//! Lists accounts by their health, worst first unless asked otherwise.

use std::collections::HashMap;

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::health::cell::Cell;
use tidewatch_projections::health::{Health, health};
use tidewatch_projections::names::Symbol;
use tidewatch_projections::plan::Plan;
use tidewatch_proto::v1;

use super::api_error::ApiError;
use super::columns::AccountColumn;
use super::filter::{Kind, Operand};
use super::health::Naming;
use super::selection::Selection;
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
        match self {
            Self::Score => cell.score.map(Operand::Number),
            Self::Band => match view.control_state.override_of(cell.account) {
                Some(set) => Some(Operand::Text((&*set.band).into())),
                None => cell.band.name(&view.plan.model).map(|name| Operand::Text(name.into())),
            },
            Self::State => Some(Operand::Text(cell.state.name().into())),
            Self::Coverage => Some(Operand::Number(cell.coverage)),
            Self::Profile => {
                let scoring = view.plan.model.scoring.as_ref().ok()?;
                let profile = scoring.profiles.get(cell.profile? as usize)?;
                Some(Operand::Text(profile.name.as_str().into()))
            }
            Self::Of(column) => column.operand(account_at),
        }
    }
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
    let resolve = |path: &[String]| HealthColumn::resolve(&view.plan, path);
    let order_by = if request.order_by.is_empty() { WORST_FIRST } else { &request.order_by };
    let selection = Selection::parse(&view.names, &request.filter, order_by, &resolve)?;
    let cell_of = |place: Place| match place {
        Place::Cell(cell, _) => Some(cell),
        Place::Inexact(account) => past.get(&account).map(Cell::of),
        Place::Merged => None,
    };
    let all = cells.all().map(|(account, place)| {
        let (cell, account_at) = (cell_of(place)?, account::led_by(view, account)?);
        Some((account_at.survivor, (cell, account_at)))
    });
    let (page, total) = selection.page(
        all,
        |column, (cell, account_at)| column.operand(view, cell, account_at),
        (skipped, size),
        cancellation,
    )?;
    let listed = page.into_iter().filter_map(|account| {
        let account_at = account::live(view, account)?;
        match past.get(&account) {
            Some(health) => Some(naming.listed(view, &account_at, health)),
            None => Some(naming.listed(view, &account_at, &health(&account_at).ok()?)),
        }
    });
    Ok((listed.collect(), total))
}
