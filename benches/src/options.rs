//! What a benchmark was asked for on its command line.

use std::path::PathBuf;

use tempfile::TempDir;

/// The command line of a benchmark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Small and few rounds: shows that the benchmark runs; its figures mean nothing.
    pub quick: bool,
    /// A broker's `host:port`, for those that need one.
    pub brokers: Option<String>,
    /// Words for the benchmark itself.
    pub rest: Vec<String>,
}

impl Options {
    /// Reads the command line; `--bench`, which cargo adds, is passed over.
    pub fn read() -> Self {
        Self::of(std::env::args().skip(1))
    }

    fn of(words: impl IntoIterator<Item = String>) -> Self {
        let mut options = Self { quick: false, brokers: None, rest: Vec::new() };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => {}
                "--quick" => options.quick = true,
                "--brokers" => options.brokers = words.next(),
                _ => options.rest.push(word),
            }
        }
        options
    }

    /// One of two sizes: the first to measure, the second to show that it runs.
    pub fn size<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// How many pairs are measured.
    pub fn rounds(&self, full: usize) -> usize {
        self.size(full, 1)
    }
}

/// A directory beside the build's results, gone with the value: on the disk of the project, where `/tmp` may be memory.
///
/// # Panics
/// When the disk refuses.
pub fn scratch() -> TempDir {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    TempDir::new_in(beside.unwrap_or_else(|| PathBuf::from("."))).expect("the disk has room for a directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_adds_is_no_word_for_the_benchmark() {
        let words = ["--bench", "--brokers", "localhost:9092", "--quick", "60"];
        let options = Options::of(words.map(str::to_owned));
        assert_eq!(options.brokers.as_deref(), Some("localhost:9092"));
        assert_eq!((options.quick, options.rest.as_slice()), (true, ["60".to_owned()].as_slice()));
        assert_eq!(options.rounds(9), 1);
    }
}
