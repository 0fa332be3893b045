//! Checks what calls about accounts at instants ask for: accounts, instants and a model that comes with the question.

use tidewatch_projections::calendar::Day;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Symbol;
use tidewatch_proto::v1;

use super::api_error::ApiError;
use super::caller::Caller;
use super::paging::{BATCH_ACCOUNTS_MAX, as_of};
use crate::control::adoption::MODEL_BYTES_MAX;
use crate::fold::view::View;
use crate::read::admission::Cost;
use crate::read::answer::Asked;
use crate::read::estimate;

/// Accounts (`None`: all), instants (none: live) and the text of a model (empty: the adopted one), checked.
///
/// # Errors
/// Past a limit; for an instant that cannot be read and a model outside the grammar.
pub fn asked(
    caller: Caller,
    accounts: Option<Vec<String>>,
    instants: &[v1::AsOf],
    model: &str,
) -> Result<Asked, ApiError> {
    let too_many = |what, asked, most| ApiError::TooMany { what, asked, most };
    if instants.len() > caller.instants_max() {
        return Err(too_many("instants", instants.len(), caller.instants_max()));
    }
    if let Some(accounts) = accounts.as_ref().filter(|accounts| accounts.len() > BATCH_ACCOUNTS_MAX) {
        return Err(too_many("accounts", accounts.len(), BATCH_ACCOUNTS_MAX));
    }
    let as_of = instants.iter().map(as_of).collect::<Result<_, _>>()?;
    Ok(Asked { accounts, as_of, model: self::model(model)? })
}

/// The text of a model that came with a question; `None` of an empty one.
///
/// # Errors
/// When it is too long or outside the grammar.
pub fn model(text: &str) -> Result<Option<Model>, ApiError> {
    check_model_bytes(text)?;
    match text {
        "" => Ok(None),
        text => {
            let invalid = |error: tidewatch_projections::model::ModelError| ApiError::InvalidModel {
                problem: error.to_string(),
            };
            Ok(Some(Model::parse(text).map_err(invalid)?))
        }
    }
}

/// The day that a field names.
///
/// # Errors
/// When it is no date.
pub fn day(text: &str, field: &str) -> Result<Day, ApiError> {
    Day::parse(text).ok_or_else(|| ApiError::InvalidAsOf { problem: format!("{field} {text:?} is no date") })
}

/// Checks the length of the text of a model.
///
/// # Errors
/// When it is too long.
pub fn check_model_bytes(text: &str) -> Result<(), ApiError> {
    match text.len() {
        bytes if bytes > MODEL_BYTES_MAX => {
            let problem = format!("it has {bytes} bytes, at most {MODEL_BYTES_MAX} are read");
            Err(ApiError::InvalidModel { problem })
        }
        _ => Ok(()),
    }
}

/// What an answer of `values` figures for each account and instant takes at most.
pub fn cost(view: &View, asked: &Asked, values: usize) -> Cost {
    let values = values * asked.as_of.len().max(1);
    let accounts: Option<Vec<Symbol>> = asked
        .accounts
        .as_ref()
        .map(|accounts| accounts.iter().filter_map(|account| view.names.find(account)).collect());
    estimate::scan(view, accounts.as_deref(), values)
}
