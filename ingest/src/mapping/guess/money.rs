//! Finds the fields of a feed that hold an amount of money and its currency.

use super::proposal::{Proposal, quote};
use super::schema::Schema;
use super::words::CURRENCY;
use crate::json::Node;

/// An amount with the field that holds its currency.
pub(super) struct Money<'s> {
    amount: &'s str,
    currency: &'s str,
    /// No amount has digits after the point.
    is_whole: bool,
}

impl<'s> Money<'s> {
    /// The amount at a path, where a field beside it looks like its currency.
    pub(super) fn of(schema: &'s Schema<'_>, amount: &'s str) -> Option<Self> {
        let currency = schema.find(CURRENCY, 0.5, |column| {
            column.all(|node| matches!(node, Node::Text(text) if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic())))
        })?;
        let is_whole = schema.columns[amount]
            .all(|node| matches!(node, Node::Number(text) if !text.contains(['.', 'e', 'E'])));
        Some(Self { amount, currency, is_whole })
    }

    /// Writes the targets into the rule for this word of the feed.
    pub(super) fn write(&self, proposal: &mut Proposal, word: &str) {
        let Self { amount, currency, is_whole } = self;
        let unit = match is_whole {
            true => {
                proposal.ask(format!(
                    "{amount} of {} has whole numbers only: taken for minor units (cents). \"major\" if 12 means 12.00.",
                    quote(word)
                ));
                "minor"
            }
            false => {
                proposal.file += "# Major units: 12.5 is 12.50.\n";
                "major"
            }
        };
        proposal.file += &format!(
            "amount = {{ from = {}, unit = \"{unit}\" }}\ncurrency = {}\n",
            quote(amount),
            quote(currency)
        );
    }
}
