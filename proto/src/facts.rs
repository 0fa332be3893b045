//! The facts of an account by name: [`AccountFacts`] has a field for each fact that is a text.

use crate::v1::AccountFacts;

/// Ties the fields to their names, which are those of the facts in the contract.
macro_rules! text_facts {
    ($($name:ident)*) => {
        impl AccountFacts {
            /// The names of the facts that are texts, in the order of the message; all other facts are attributes.
            pub const TEXT_NAMES: [&'static str; [$(stringify!($name)),*].len()] = [$(stringify!($name)),*];

            /// The texts that are stated, with their names, in that order.
            pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
                let texts = [$((stringify!($name), self.$name.as_deref())),*];
                texts.into_iter().filter_map(|(name, text)| Some((name, text?)))
            }

            /// The field of the fact with this name; `None` where the message has no field for it.
            pub fn text_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
}

text_facts! {
    name kind tier segment industry size parent country region time_zone currency usage_rhythm deployment stage
}
