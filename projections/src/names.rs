//! Interned strings: a fold compares four bytes and never hashes text.

use std::collections::HashMap;
use std::sync::RwLock;

/// A string known to a [`Names`] table. Equal symbols of one table are equal strings; their order means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Symbol(u32);

impl Symbol {
    /// The dense index of this symbol in its table, for arrays keyed by symbol.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An append-only table of distinct strings, shared by decoders, sequencer and workers of one shard.
///
/// Texts are never moved or dropped while the table lives, so a reader borrows them without a lock.
#[derive(Default)]
pub struct Names {
    texts: boxcar::Vec<Box<str>>,
    symbols: RwLock<HashMap<Box<str>, Symbol>>,
}

impl Names {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The symbol of `text`, made on first sight.
    ///
    /// # Panics
    /// Past 2³² distinct strings, which no memory budget admits.
    pub fn intern(&self, text: &str) -> Symbol {
        if let Some(symbol) = self.find(text) {
            return symbol;
        }
        let mut symbols = self.symbols.write().expect("no thread panics while it holds the table");
        if let Some(symbol) = symbols.get(text) {
            return *symbol;
        }
        let index = self.texts.push(text.into());
        let symbol = Symbol(u32::try_from(index).expect("fewer than 2^32 names"));
        symbols.insert(text.into(), symbol);
        symbol
    }

    /// The symbol of `text` if it was ever interned.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        self.symbols.read().expect("no thread panics while it holds the table").get(text).copied()
    }

    /// The text behind a symbol of this table.
    ///
    /// # Panics
    /// When the symbol belongs to another table and lies past the end of this one.
    pub fn text(&self, symbol: Symbol) -> &str {
        &self.texts[symbol.index()]
    }

    /// How many distinct strings the table holds.
    pub fn count(&self) -> usize {
        self.texts.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_symbol_and_a_symbol_has_one_text() {
        let names = Names::new();
        let acme = names.intern("acme");
        assert_eq!(names.intern("acme"), acme);
        assert_ne!(names.intern("globex"), acme);
        assert_eq!(names.text(acme), "acme");
        assert_eq!(names.find("initech"), None);
    }
}
