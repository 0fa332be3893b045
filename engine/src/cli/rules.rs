//! `tidewatch rules check | show`.

mod check;
mod show;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Task {
    /// Tell what is wrong with a rule file, and what is doubtful of it.
    Check(check::Arguments),
    /// Print the annotated default rules, word for word: a file to start from.
    Show,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Check(arguments) => check::run(arguments),
        Task::Show => show::run(),
    }
}
