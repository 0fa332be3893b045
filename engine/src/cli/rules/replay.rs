//! `tidewatch rules replay`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tidewatch_projections::calendar::Day;
use tidewatch_proto::v1;

use crate::cli::client::Opening;
use crate::cli::day;
use crate::cli::output;
use crate::cli::place::Place;

/// Transitions that the table shows; all of them are printed with `--json`.
const SHOWN_MAX: usize = 50;
const DAYS_A_YEAR: f64 = 365.25;

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The rule file; the adopted rules when not given.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The first day that is told, as 2026-03-01.
    #[arg(long, value_name = "D", value_parser = day)]
    from: Day,
    /// The last day, included.
    #[arg(long, value_name = "D", value_parser = day)]
    to: Day,
    /// One JSON object a transition and line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: crate::cli::Workers,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let rules = match &arguments.rules {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the rules {}", file.display()))?,
        None => String::new(),
    };
    let client = arguments.place.client(Opening::Log(arguments.workers.count()))?;
    let request = v1::ReplayRulesRequest {
        rules,
        from: arguments.from.to_text(),
        to: arguments.to.to_text(),
        min_position: String::new(),
    };
    let mut out = output::out();
    let mut told = Told::default();
    client.each(client.alerts().replay_rules(request), |message| {
        told.accounts = told.accounts.max(message.accounts);
        told.without_metric.extend(message.rules_without_metric);
        for transition in message.transitions {
            if arguments.json {
                writeln!(out, "{}", crate::cli::alerts::json(&transition))?;
            } else {
                told.take(transition);
            }
        }
        Ok(())
    })?;
    client.close()?;
    for rule in &told.without_metric {
        output::note(&format!(
            "the rule {rule} names a metric that the adopted model lacks; it was not evaluated"
        ));
    }
    if !arguments.json {
        told.print(&mut out, arguments.to.since(arguments.from) + 1)?;
    }
    Ok(out.flush()?)
}

/// What a replay comes to.
#[derive(Default)]
struct Told {
    accounts: u64,
    without_metric: Vec<String>,
    by_rule: BTreeMap<String, BTreeMap<String, u64>>,
    newest: Vec<v1::AlertTransition>,
    total: usize,
}

impl Told {
    fn take(&mut self, transition: v1::AlertTransition) {
        let by_change = self.by_rule.entry(transition.rule.clone()).or_default();
        *by_change.entry(transition.transition.clone()).or_default() += 1;
        self.total += 1;
        if transition.transition != "pending" {
            self.newest.push(transition);
            if self.newest.len() > 2 * SHOWN_MAX {
                self.newest.drain(..SHOWN_MAX);
            }
        }
    }

    fn print(&self, out: &mut impl std::io::Write, days: i64) -> anyhow::Result<()> {
        if self.total == 0 {
            output::note("no rule would have spoken on these days");
            return Ok(());
        }
        let newest = &self.newest[self.newest.len().saturating_sub(SHOWN_MAX)..];
        writeln!(out, "{}", crate::cli::alerts::table(newest).trim_fmt())?;
        if self.total > newest.len() {
            let more =
                format!("the newest {} of {} transitions; --json prints all", newest.len(), self.total);
            writeln!(out, "{more}")?;
        }
        let columns = ["open", "found", "held", "released", "inhibited", "resolved", "closed"];
        let header = ["rule"].into_iter().chain(columns).chain(["told a year and 100 accounts"]);
        let mut table = output::table(header);
        output::align_right(&mut table, &[1, 2, 3, 4, 5, 6, 7, 8]);
        let years = days as f64 / DAYS_A_YEAR * self.accounts as f64 / 100.0;
        for (rule, changes) in &self.by_rule {
            let count = |change: &str| changes.get(change).copied().unwrap_or_default();
            let told = (count("open") + count("released")) as f64 / years.max(f64::MIN_POSITIVE);
            let row = [rule.clone()].into_iter().chain(columns.map(|change| count(change).to_string()));
            table.add_row(row.chain([format!("{told:.1}")]));
        }
        Ok(writeln!(out, "\n{}", table.trim_fmt())?)
    }
}
