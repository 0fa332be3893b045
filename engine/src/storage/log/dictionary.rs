//! A frame's strings: entries refer to them by number, and a reader resolves each once for the whole frame.

use tidewatch_projections::names::{Names, Symbol};

use super::bytes::{Bytes, Malformed, malformed, put_blob};

/// Numbers the strings of one frame in the order of first use.
#[derive(Default)]
pub(crate) struct DictionaryBuilder {
    /// Open addressing by symbol: as large as a frame needs, so that it stays in the processor's cache, which an array of all
    /// symbols does not. Its length is a power of two, or 0.
    slots: Vec<Slot>,
    stamp: u32,
    count: u32,
    texts: Vec<u8>,
}

/// Slots of a first frame.
const SLOTS_MIN: usize = 256;

/// A symbol with its number. The stamp is that of the frame that put it there, so a new frame begins at no cost.
#[derive(Clone, Copy, Default)]
struct Slot {
    stamp: u32,
    symbol: u32,
    number: u32,
}

impl DictionaryBuilder {
    /// Forgets the strings; their numbers start at 0 again.
    pub(crate) fn clear(&mut self) {
        if self.stamp == u32::MAX {
            self.slots.fill(Slot::default());
            self.stamp = 0;
        }
        self.stamp += 1;
        self.count = 0;
        self.texts.clear();
    }

    /// The number of a string, given on first use.
    #[inline]
    pub(crate) fn number(&mut self, names: &Names, symbol: Symbol) -> u32 {
        if self.count as usize >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        let at = self.place(symbol.index() as u32);
        let slot = self.slots[at];
        if slot.stamp == self.stamp {
            return slot.number;
        }
        let number = self.count;
        self.slots[at] = Slot { stamp: self.stamp, symbol: symbol.index() as u32, number };
        self.count += 1;
        put_blob(&mut self.texts, names.text(symbol).as_bytes());
        number
    }

    /// The slot of a symbol, or the free one where it belongs.
    fn place(&self, symbol: u32) -> usize {
        let last = self.slots.len() - 1;
        // Fibonacci hashing: symbols that follow each other are spread evenly.
        let hash = u64::from(symbol).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = (hash >> 32) as usize & last;
        while self.slots[at].stamp == self.stamp && self.slots[at].symbol != symbol {
            at = (at + 1) & last;
        }
        at
    }

    #[cold]
    fn grow(&mut self) {
        let len = (2 * self.slots.len()).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); len]);
        for slot in old.into_iter().filter(|slot| slot.stamp == self.stamp) {
            let at = self.place(slot.symbol);
            self.slots[at] = slot;
        }
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

/// Gives the symbols that entries refer to by number.
pub(crate) trait Strings {
    /// The symbol with this number in the frame's dictionary.
    fn symbol(&self, number: usize) -> Option<Symbol>;

    #[inline]
    fn read(&self, bytes: &mut Bytes<'_>, what: &'static str) -> Result<Symbol, Malformed> {
        let number = bytes.length(what)?;
        self.symbol(number).map_or(malformed(what), Ok)
    }
}

impl Strings for Dictionary {
    #[inline]
    fn symbol(&self, number: usize) -> Option<Symbol> {
        self.symbols.get(number).copied()
    }
}

/// The strings of a frame of which few entries are read: one is interned when it is asked for.
pub(crate) struct SparseDictionary<'a> {
    texts: Vec<&'a [u8]>,
    names: &'a Names,
}

impl<'a> SparseDictionary<'a> {
    pub(crate) fn new(texts: Vec<&'a [u8]>, names: &'a Names) -> Self {
        Self { texts, names }
    }
}

impl Strings for SparseDictionary<'_> {
    fn symbol(&self, number: usize) -> Option<Symbol> {
        std::str::from_utf8(self.texts.get(number)?).ok().map(|text| self.names.intern(text))
    }
}

/// Splits a dictionary at its strings, in the order of their numbers.
pub(crate) fn split_texts(texts: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut bytes = Bytes::new(texts);
    let mut split = Vec::new();
    while !bytes.is_empty() {
        split.push(bytes.blob("dictionary text")?);
    }
    Ok(split)
}

impl Dictionary {
    pub(crate) fn decode(texts: &[u8], names: &Names) -> Result<Self, Malformed> {
        let mut bytes = Bytes::new(texts);
        let mut texts = Vec::new();
        while !bytes.is_empty() {
            texts.push(bytes.text("dictionary text")?);
        }
        Ok(Self { symbols: names.intern_all(&texts) })
    }
}
