//! What every answer about an account depends on besides the account: model, settings, tenant and names.

use crate::names::Names;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::tenant::Tenant;

/// Everything an answer depends on besides the account.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The compiled model.
    pub plan: &'a Plan,
    /// The adopted settings.
    pub settings: &'a Settings,
    /// What crosses accounts.
    pub tenant: &'a Tenant,
    /// The table of names.
    pub names: &'a Names,
}
