//! A frame's strings: entries refer to them by number, and a reader resolves each once for the whole frame.

use tidewatch_projections::names::{Names, Symbol};

use super::bytes::{Bytes, Malformed, malformed, put_blob};

/// Numbers the strings of one frame in the order of first use.
#[derive(Default)]
pub(crate) struct DictionaryBuilder {
    /// By symbol index: the frame that saw the symbol last, and its number there. Stamps make a new frame free of cost.
    numbered: Vec<(u32, u32)>,
    stamp: u32,
    count: u32,
    texts: Vec<u8>,
}

impl DictionaryBuilder {
    /// Forgets the strings; their numbers start at 0 again.
    pub(crate) fn clear(&mut self) {
        if self.stamp == u32::MAX {
            self.numbered.clear();
            self.stamp = 0;
        }
        self.stamp += 1;
        self.count = 0;
        self.texts.clear();
    }

    /// The number of a string, given on first use.
    #[inline]
    pub(crate) fn number(&mut self, names: &Names, symbol: Symbol) -> u32 {
        match self.numbered.get(symbol.index()) {
            Some((stamp, number)) if *stamp == self.stamp => *number,
            _ => self.add(names, symbol),
        }
    }

    fn add(&mut self, names: &Names, symbol: Symbol) -> u32 {
        if symbol.index() >= self.numbered.len() {
            let len = (symbol.index() + 1).next_power_of_two();
            self.numbered.resize(len, (0, 0));
        }
        let number = self.count;
        self.numbered[symbol.index()] = (self.stamp, number);
        self.count += 1;
        put_blob(&mut self.texts, names.text(symbol).as_bytes());
        number
    }

    /// The strings so far, in the order of their numbers.
    pub(crate) fn texts(&self) -> &[u8] {
        &self.texts
    }
}

/// The strings of a frame that is read, as symbols of the reader's own table.
pub(crate) struct Dictionary {
    symbols: Vec<Symbol>,
}

impl Dictionary {
    pub(crate) fn decode(texts: &[u8], names: &Names) -> Result<Self, Malformed> {
        let mut bytes = Bytes::new(texts);
        let mut symbols = Vec::new();
        while !bytes.is_empty() {
            symbols.push(names.intern(bytes.text("dictionary text")?));
        }
        Ok(Self { symbols })
    }

    #[inline]
    pub(crate) fn read(&self, bytes: &mut Bytes<'_>, what: &'static str) -> Result<Symbol, Malformed> {
        let number = bytes.length(what)?;
        match self.symbols.get(number) {
            Some(symbol) => Ok(*symbol),
            None => malformed(what),
        }
    }
}
