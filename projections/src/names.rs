//! Interned strings: a fold compares four bytes and never hashes text.

use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use foldhash::quality::RandomState;
use smol_str::SmolStr;

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
/// Texts are never moved or dropped while the table lives, so a reader borrows them without a lock, and a string that is
/// known is found without one: with millions of names a look-up is two cache lines that are not at hand, and plain loads
/// let those of several look-ups be fetched at once.
///
/// **Cost**: about 50 B a string up to 23 bytes, more by its own length and 16 B beyond.
pub struct Names {
    /// Short texts lie in the vector itself.
    texts: boxcar::Vec<SmolStr>,
    /// By level: 2^level slots, the last one in use. A reader may still stand in an earlier one, so they stay; together they
    /// are smaller than the last.
    levels: [OnceLock<Slots>; LEVELS],
    level: AtomicU32,
    /// Held while a string is added.
    adding: Mutex<()>,
    /// Keyed by chance: strangers choose the strings.
    hashing: RandomState,
}

/// Open addressing with linear steps. A slot of 2^level holds, in its low `level` bits, a symbol plus one (0: free), and
/// above them the same bits of the string's hash, whose low bits are the slot where the search for it begins.
type Slots = Box<[AtomicU32]>;

const LEVELS: usize = 33;
const LEVEL_FIRST: u32 = 8;
/// Texts that [`Names::intern_all`] looks up together: as many as a processor core can wait for at once.
const TOGETHER: usize = 16;

impl Default for Names {
    fn default() -> Self {
        Self {
            texts: boxcar::Vec::new(),
            levels: [const { OnceLock::new() }; LEVELS],
            level: AtomicU32::new(LEVEL_FIRST),
            adding: Mutex::new(()),
            hashing: RandomState::default(),
        }
    }
}

impl Names {
    /// A table without names; symbols of one table mean nothing in another.
    pub fn new() -> Self {
        Self::default()
    }

    /// The symbol of `text`, made on first sight.
    ///
    /// # Panics
    /// Past 3 · 2³⁰ distinct strings, which no memory budget admits.
    pub fn intern(&self, text: &str) -> Symbol {
        let hash = self.hash(text);
        self.look_up(hash, text).unwrap_or_else(|| self.add(hash, text))
    }

    /// The symbols of many texts, in their order. Each look-up waits for a slot and then for a text, neither of which is at hand in a
    /// large table; those of several are waited for together.
    pub fn intern_all(&self, texts: &[&str]) -> Vec<Symbol> {
        let mut symbols = Vec::with_capacity(texts.len());
        for texts in texts.chunks(TOGETHER) {
            let level = self.level.load(Ordering::Acquire);
            let (slots, low) = (self.slots(level), low_bits(level));
            let (mut hashes, mut found) = ([0; TOGETHER], [0; TOGETHER]);
            hashes.iter_mut().zip(texts).for_each(|(hash, text)| *hash = self.hash(text));
            for (found, hash) in found.iter_mut().zip(&hashes[..texts.len()]) {
                *found = slots[(hash & low) as usize].load(Ordering::Acquire) & low;
            }
            let known = found.iter().filter_map(|symbol| self.texts.get(symbol.checked_sub(1)? as usize));
            black_box(known.fold(0, |all, text| all ^ text.len()));
            for (text, hash) in texts.iter().zip(hashes) {
                symbols.push(self.look_up(hash, text).unwrap_or_else(|| self.add(hash, text)));
            }
        }
        symbols
    }

    /// The symbol of `text` if it was ever interned.
    pub fn find(&self, text: &str) -> Option<Symbol> {
        self.look_up(self.hash(text), text)
    }

    /// The text behind a symbol of this table.
    ///
    /// # Panics
    /// When the symbol belongs to another table and lies past the end of this one.
    #[inline]
    pub fn text(&self, symbol: Symbol) -> &str {
        &self.texts[symbol.index()]
    }

    /// How many distinct strings the table holds.
    pub fn count(&self) -> usize {
        self.texts.count()
    }

    fn hash(&self, text: &str) -> u32 {
        self.hashing.hash_one(text) as u32
    }

    #[inline]
    fn look_up(&self, hash: u32, text: &str) -> Option<Symbol> {
        let level = self.level.load(Ordering::Acquire);
        let (slots, low) = (self.slots(level), low_bits(level));
        let mut at = hash & low;
        loop {
            let slot = slots[at as usize].load(Ordering::Acquire);
            let symbol = Symbol((slot & low).checked_sub(1)?);
            if (slot ^ hash) & !low == 0 && self.text(symbol) == text {
                return Some(symbol);
            }
            at = (at + 1) & low;
        }
    }

    #[cold]
    fn add(&self, hash: u32, text: &str) -> Symbol {
        let _adding = self.adding.lock().expect("no thread panics while it adds a name");
        if let Some(symbol) = self.look_up(hash, text) {
            return symbol;
        }
        let index = self.texts.push(text.into());
        let level = self.level.load(Ordering::Relaxed);
        if index < self.slots(level).len() / 4 * 3 {
            self.put(level, hash, index);
        } else {
            self.texts.iter().for_each(|(index, text)| self.put(level + 1, self.hash(text), index));
            self.level.store(level + 1, Ordering::Release);
        }
        Symbol(index as u32)
    }

    /// Called by one thread at a time.
    fn put(&self, level: u32, hash: u32, index: usize) {
        let (slots, low) = (self.slots(level), low_bits(level));
        let mut at = hash & low;
        while slots[at as usize].load(Ordering::Relaxed) != 0 {
            at = (at + 1) & low;
        }
        slots[at as usize].store(hash & !low | (index as u32 + 1), Ordering::Release);
    }

    #[inline]
    fn slots(&self, level: u32) -> &[AtomicU32] {
        let slots = self.levels.get(level as usize).expect("fewer than 3 · 2^30 names");
        slots.get_or_init(|| (0..1u64 << level).map(|_| AtomicU32::new(0)).collect())
    }
}

fn low_bits(level: u32) -> u32 {
    u32::MAX >> (u32::BITS - level)
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

    #[test]
    fn many_texts_get_the_symbols_they_get_one_by_one() {
        let names = Names::new();
        let texts: Vec<String> = (0..1_000).map(|number| (number % 700).to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        names.intern("699");
        let symbols = names.intern_all(&texts);
        assert_eq!(names.count(), 700);
        assert_eq!(symbols, texts.iter().map(|text| names.find(text).unwrap()).collect::<Vec<_>>());
        assert!(symbols.iter().zip(&texts).all(|(symbol, text)| names.text(*symbol) == *text));
    }

    #[test]
    fn threads_that_name_the_same_texts_agree_while_the_table_grows() {
        const TEXTS: usize = 20_000;
        const THREADS: usize = 4;
        let long = "a text that does not fit the vector itself";
        let text = |number: usize| {
            if number.is_multiple_of(5) { format!("{long} {number}") } else { number.to_string() }
        };
        let names = Names::new();
        let intern = |thread: usize| {
            // Each thread begins elsewhere, so that each is the first to see some of them.
            let order = (0..TEXTS).map(|step| (step + thread * TEXTS / THREADS) % TEXTS);
            let mut symbols: Vec<_> = order.map(|number| (number, names.intern(&text(number)))).collect();
            symbols.sort_unstable();
            symbols
        };
        let found: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || intern(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.windows(2).all(|two| two[0] == two[1]));
        assert_eq!(names.count(), TEXTS);
        for (number, symbol) in &found[0] {
            assert_eq!(names.text(*symbol), text(*number));
            assert_eq!(names.find(&text(*number)), Some(*symbol));
        }
        assert_eq!(names.find("no number"), None);
    }
}
