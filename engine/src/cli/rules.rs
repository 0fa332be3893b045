//! `tidewatch rules check | replay | show`.

mod check;
mod replay;
mod show;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Task {
    /// Tell what is wrong with a rule file, and what is doubtful of it.
    Check(check::Arguments),
    /// Run rules over the past as if they had been live since the first event: which alerts, for whom, when.
    Replay(replay::Arguments),
    /// Print the annotated default rules, word for word: a file to start from.
    Show,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Check(arguments) => check::run(arguments),
        Task::Replay(arguments) => replay::run(arguments),
        Task::Show => show::run(),
    }
}
