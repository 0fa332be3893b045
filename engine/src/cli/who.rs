//! Parses which accounts a command asks about, and parts what one call may not ask for at once.

use clap::Args;

use crate::read::scan::AsOf;
use crate::serve::caller::Caller;
use crate::serve::paging::BATCH_ACCOUNTS_MAX;

/// Some accounts, or all.
#[derive(Args)]
#[group(id = "who", required = true, multiple = false)]
pub(super) struct Who {
    /// Ids of the accounts.
    #[arg(long, value_name = "A", num_args = 1..)]
    account: Vec<String>,
    /// Every account that answers for itself.
    #[arg(long)]
    all: bool,
}

impl Who {
    /// The accounts that are named; `None`: all are meant.
    pub(super) fn named(&self) -> Option<&[String]> {
        (!self.all).then_some(self.account.as_slice())
    }

    /// The accounts of each call; none means all.
    pub(super) fn parts(&self) -> Vec<&[String]> {
        match self.account.as_slice() {
            _ if self.all => vec![&[]],
            accounts => accounts.chunks(BATCH_ACCOUNTS_MAX).collect(),
        }
    }

    /// The instants and accounts of each call of a scan; no instant means the live one. Rows come by instant, so accounts are
    /// only parted under one instant.
    pub(super) fn calls<'a>(
        &'a self,
        instants: &'a [AsOf],
        caller: Caller,
    ) -> Vec<(&'a [AsOf], &'a [String])> {
        let parts = self.parts();
        let instants_max = if parts.len() == 1 { caller.instants_max() } else { 1 };
        let instants: Vec<&[AsOf]> = match instants {
            [] => vec![&[]],
            instants => instants.chunks(instants_max).collect(),
        };
        let with_all = |instants| parts.iter().map(move |accounts| (instants, *accounts));
        instants.into_iter().flat_map(with_all).collect()
    }
}
