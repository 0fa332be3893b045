//! Selects a page of accounts by filter and order.

use tidewatch_projections::names::{Names, Symbol};

use super::api_error::ApiError;
use super::filter::{Filter, Operand, Resolve};
use super::order::Order;
use super::top_k::TopK;
use crate::cancellation::Cancellation;

/// A filter and an order over the fields `C` of a list of accounts.
pub struct Selection<'v, C> {
    names: &'v Names,
    filter: Filter<C>,
    order: Order<C>,
}

/// An account that passed the filter. What is sorted is small: whole accounts are made again for the one page.
struct Passed<'v> {
    key: Vec<Option<Operand<'v>>>,
    account: Symbol,
}

impl<'v, C> Selection<'v, C> {
    /// Reads a filter and an order.
    ///
    /// # Errors
    /// For what is outside the grammar or names a field that the list does not have.
    pub fn parse(
        names: &'v Names,
        filter: &str,
        order_by: &str,
        resolve: &Resolve<'_, C>,
    ) -> Result<Self, ApiError> {
        let filter = Filter::parse(filter, resolve).map_err(ApiError::InvalidFilter)?;
        let order = Order::parse(order_by, resolve).map_err(ApiError::InvalidOrder)?;
        Ok(Self { names, filter, order })
    }

    /// `size` of the candidates after the first `skipped`, in order and by id where that leaves it open, and how many pass the
    /// filter in all. A candidate is an account with whatever `operand` reads fields from, and none where the account is not listed.
    ///
    /// # Errors
    /// Once it is cancelled.
    pub fn page<T>(
        &self,
        candidates: impl Iterator<Item = Option<(Symbol, T)>>,
        operand: impl Fn(&C, &T) -> Option<Operand<'v>>,
        (skipped, size): (usize, usize),
        cancellation: &Cancellation,
    ) -> Result<(Vec<Symbol>, usize), ApiError> {
        let id = |account: Symbol| self.names.text(account);
        let compare = |left: &Passed<'_>, right: &Passed<'_>| {
            let order = self.order.compare(&left.key, &right.key);
            order.then_with(|| id(left.account).cmp(id(right.account)))
        };
        let mut top_k = TopK::new(skipped.saturating_add(size), compare);
        let mut total = 0;
        for candidate in candidates {
            cancellation.check()?;
            let Some((account, candidate)) = candidate else { continue };
            if self.filter.matches(&mut |column| operand(column, &candidate)) {
                let key = self.order.key(&mut |column| operand(column, &candidate));
                top_k.put(Passed { key, account });
                total += 1;
            }
        }
        let page = top_k.sorted().into_iter().skip(skipped).map(|passed| passed.account);
        Ok((page.collect(), total))
    }
}
