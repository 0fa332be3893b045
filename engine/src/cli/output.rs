//! Writing for people and programs: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal as _, StdoutLock, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidewatch_projections::metric::Scalar;

/// Standard output, to be written with `writeln!`.
pub(super) fn out() -> io::BufWriter<StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// A sentence beside the results.
pub(super) fn note(sentence: &str) {
    // Where standard error is closed nobody reads notes.
    let _written = writeln!(io::stderr(), "{sentence}");
}

/// The error and what caused it.
pub(super) fn complain(error: &anyhow::Error) {
    note(&format!("tidewatch: {error:#}"));
}

/// Whether an error only says that the reader of our output has gone, as `head` does.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref::<io::Error>().is_some_and(closed)
}

/// A bar on standard error, shown on a terminal only.
pub(super) fn bar(unit: Unit, message: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match unit {
        Unit::Bytes => "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        Unit::Entries => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}",
    };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).expect("the templates are constant"));
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What a bar counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Bytes,
    Entries,
}

/// Called with (sequence, last sequence) while a log is read.
pub(super) fn reading(bar: &ProgressBar) -> impl Fn(u64, u64) {
    |seq, last_seq| {
        bar.set_length(last_seq);
        bar.set_position(seq);
    }
}

/// A metric's value as JSON: exact numbers stay exact.
pub(super) fn json_of(value: Option<&Scalar>) -> String {
    match value {
        None => "null".into(),
        Some(Scalar::Integer(number)) => number.to_string(),
        Some(Scalar::Number(number)) => {
            serde_json::Number::from_f64(*number).map_or_else(|| "null".into(), |number| number.to_string())
        }
        Some(Scalar::Text(text)) => json_text(text),
    }
}

/// A text as JSON.
pub(super) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
