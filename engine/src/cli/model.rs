//! `tidewatch model check | show | list | diff | preview`.

mod check;
mod diff;
mod list;
mod preview;
mod show;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Task {
    /// Tell what is wrong with a model file, and what is doubtful of it.
    Check(check::Arguments),
    /// Print a model, word for word: the adopted one, an earlier one, or the annotated default.
    Show(show::Arguments),
    /// List every version that was adopted, newest first.
    List(list::Arguments),
    /// Tell what differs between two models in what they mean; order and comments are no difference.
    Diff(diff::Arguments),
    /// Tell how scores and bands of all accounts would move under a model that is not adopted.
    Preview(preview::Arguments),
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Check(arguments) => check::run(arguments),
        Task::Show(arguments) => show::run(arguments),
        Task::List(arguments) => list::run(arguments),
        Task::Diff(arguments) => diff::run(arguments),
        Task::Preview(arguments) => preview::run(arguments),
    }
}
