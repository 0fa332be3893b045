//! The command line: arguments in, tables for people or JSON for programs out.

mod accounts;
mod adopt;
mod alerts;
mod cases;
mod check_config;
mod client;
mod deadletters;
mod demo;
mod detect;
mod digest;
mod evidence;
mod explain;
mod findings;
mod health;
mod history;
mod import;
mod limits;
mod log;
mod mapping;
mod metrics;
mod model;
mod movers;
mod output;
mod override_band;
mod place;
mod push;
mod reads;
mod rebuild;
mod rules;
mod serve;
mod signals;
mod source;
mod sparkline;
mod timeline;
mod who;
mod writes;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use tidewatch_projections::calendar::Day;

use crate::app::Options;
use crate::telemetry;

/// Watches the health of customer accounts: events in, scores and reasons out.
#[derive(Parser)]
#[command(name = "tidewatch", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run: read all sources, keep, fold and serve.
    Serve(serve::Arguments),
    /// Show the main job on a simulated fleet, or on a file of events.
    Demo(demo::Arguments),
    /// List accounts by score, worst first, with the last weeks and the reason that weighs most.
    List(accounts::ListArguments),
    /// Show one account: status, metrics, facts.
    Get(accounts::GetArguments),
    /// Show what happened to an account, newest first.
    Timeline(timeline::Arguments),
    /// Print every setting with its value and where it came from.
    CheckConfig(check_config::Arguments),
    /// Read files of events; what is there already is not counted twice.
    Import(import::Arguments),
    /// Answer how healthy accounts are, and why.
    Health(health::Arguments),
    /// Answer how healthy accounts were at the ends of days.
    History(history::Arguments),
    /// Tell why the score of an account moved between two instants.
    Explain(explain::Arguments),
    /// Show whose score moved most between two instants, and by what.
    Movers(movers::Arguments),
    /// Answer metrics of accounts at any instants.
    Metrics(metrics::Arguments),
    /// Print one number for everything that is true; equal states have equal digests.
    Digest(digest::Arguments),
    /// Log settings that change what facts mean: the zone, closed days, the model.
    Adopt(adopt::Arguments),
    /// Look at models: check a file, show what is adopted, compare two, preview one.
    #[command(subcommand)]
    Model(model::Task),
    /// Show what was decided about alerts.
    Alerts(alerts::Arguments),
    /// Show the accounts that ask for something, worst first; take one on, put it off, close it.
    Cases(cases::Arguments),
    /// Look at rules: check a file, show the default ones, run some over the past.
    #[command(subcommand)]
    Rules(rules::Task),
    /// Look at what was refused, and decode it again after a fix.
    #[command(subcommand, name = "deadletters")]
    DeadLetters(deadletters::Task),
    /// Set the band of an account by hand, for a time.
    #[command(subcommand)]
    Override(override_band::Task),
    /// Judge the cases of a file by the drop detector, without a place: one JSON object a line.
    Detect(detect::Arguments),
    /// Work with mappings.
    #[command(subcommand)]
    Mapping(mapping::Task),
    /// Look at sources, and take back what one brought.
    #[command(subcommand)]
    Source(source::Task),
    /// Look at the log itself.
    #[command(subcommand)]
    Log(log::Task),
    /// Delete everything derived and fold the log anew, in a directory that no engine runs on.
    ///
    /// A running engine has no such command: it holds open what this deletes, and folds its log anew at every start. Its
    /// `digest --server` and the `digest --data` of its directory, once it has stopped, are equal.
    Rebuild(rebuild::Arguments),
}

/// How many threads a command folds and evaluates with.
#[derive(Args)]
struct Workers {
    /// Fold workers; answers do not depend on it. One for each processor when not given.
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
}

impl Workers {
    fn count(&self) -> usize {
        match self.workers {
            Some(workers) => workers.into(),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    fn options(&self) -> Options {
        Options::new(Some(self.count()))
    }
}

/// Reads a day of an option.
fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("{text:?} is no date; use 2026-03-01"))
}

/// Runs the command line of this process: 0 when all went well, 1 when something failed, 2 when it was called wrongly.
pub fn run() -> ExitCode {
    let matches = Arguments::command().get_matches();
    if place::names_both(&matches) {
        let sentence = "--data names a directory and --server a running engine; give one of them";
        Arguments::command().error(ErrorKind::ArgumentConflict, sentence).exit();
    }
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // What waits, is skipped or goes wrong on the way is told whatever the command; `serve` has a log of its own settings.
    if !matches!(arguments.task, Task::Serve(_))
        && let Err(error) = telemetry::start(telemetry::Format::Text, "warn")
    {
        output::complain(&error.into());
    }
    let done = match arguments.task {
        Task::Serve(arguments) => serve::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::List(arguments) => accounts::list(&arguments),
        Task::Get(arguments) => accounts::get(&arguments),
        Task::Timeline(arguments) => timeline::run(&arguments),
        Task::CheckConfig(arguments) => check_config::run(&arguments),
        Task::Import(arguments) => import::run(&arguments),
        Task::Health(arguments) => health::run(&arguments),
        Task::History(arguments) => history::run(&arguments),
        Task::Explain(arguments) => explain::run(&arguments),
        Task::Movers(arguments) => movers::run(&arguments),
        Task::Metrics(arguments) => metrics::run(&arguments),
        Task::Digest(arguments) => digest::run(&arguments),
        Task::Adopt(arguments) => adopt::run(&arguments),
        Task::Model(task) => model::run(&task),
        Task::Alerts(arguments) => alerts::run(&arguments),
        Task::Cases(arguments) => cases::run(&arguments),
        Task::Rules(task) => rules::run(&task),
        Task::DeadLetters(task) => deadletters::run(&task),
        Task::Override(task) => override_band::run(&task),
        Task::Detect(arguments) => detect::run(&arguments),
        Task::Mapping(task) => mapping::run(&task),
        Task::Source(task) => source::run(&task),
        Task::Log(task) => log::run(&task),
        Task::Rebuild(arguments) => rebuild::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_file_needs_no_place() {
        let is_understood = |line: &str| Arguments::try_parse_from(line.split(' ')).is_ok();
        for line in [
            "tidewatch model check a.toml",
            "tidewatch model check a.toml --server 127.0.0.1:1",
            "tidewatch model show --default",
            "tidewatch model diff a.toml default",
        ] {
            assert!(is_understood(line), "{line}");
        }
    }
}
