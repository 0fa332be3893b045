//! What every answer about an account depends on besides the instant: model, settings, tenant, names and all accounts.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::names::{Names, Symbol};
use crate::plan::Plan;
use crate::settings::Settings;
use crate::tenant::Tenant;

/// Accounts by id, each as its own events left it.
pub trait Accounts: Sync {
    /// An account that has an event of its own.
    fn account(&self, id: Symbol) -> Option<&Account>;
}

impl Accounts for BTreeMap<Symbol, Account> {
    fn account(&self, id: Symbol) -> Option<&Account> {
        self.get(&id)
    }
}

/// Everything an answer depends on besides the instant.
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
    /// The accounts.
    pub accounts: &'a dyn Accounts,
}
