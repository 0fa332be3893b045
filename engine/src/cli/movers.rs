//! `tidewatch movers`.

use std::collections::HashMap;
use std::io::Write as _;

use clap::Args;
use tidewatch_proto::v1;

use super::client::{Client, Opening};
use super::metrics::as_of;
use super::output::{self, ABSENT};
use super::place::Place;
use crate::read::scan::AsOf;
use crate::serve::convert;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Since when: RFC 3339 or a date (its end).
    #[arg(long, value_name = "T", value_parser = as_of)]
    from: AsOf,
    /// Until when: RFC 3339, a date, or `last`.
    #[arg(long, value_name = "T", value_parser = as_of, default_value = "last")]
    to: AsOf,
    /// Accounts shown, those whose score moved most first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    workers: super::Workers,
}

/// An account with a score at both ends.
struct Mover {
    account: String,
    from: f64,
    to: f64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let client = arguments.place.client(Opening::Accounts(arguments.workers.count()))?;
    let instants = [arguments.from, arguments.to].map(convert::as_of);
    let mut movers = movers(&client, &instants)?;
    movers.truncate(arguments.limit as usize);
    let mut out = output::out();
    let mut table = output::table(["account", "was", "is", "change", "moved most by"]);
    for Mover { account, from, to } in &movers {
        let request = v1::ExplainHealthRequest {
            account: account.clone(),
            from: Some(instants[0].clone()),
            to: Some(instants[1].clone()),
            ..Default::default()
        };
        let answer = client.ask(client.health().explain_health(request))?;
        let reason = answer.changes.first().map_or(ABSENT, |change| change.text.as_str());
        if arguments.json {
            let object = output::json_object([
                ("account", output::json_text(account)),
                ("score", output::json_list([*from, *to].map(|score| output::json_number(Some(score))))),
                ("reason", output::json_text(reason)),
            ]);
            writeln!(out, "{object}")?;
        } else {
            table.add_row([
                account.clone(),
                format!("{from:.0}"),
                format!("{to:.0}"),
                format!("{:+.1}", to - from),
                reason.to_owned(),
            ]);
        }
    }
    client.close()?;
    if !arguments.json {
        writeln!(out, "{table}")?;
    }
    Ok(out.flush()?)
}

/// Every account with a score at both instants, the greatest change first.
fn movers(client: &Client, instants: &[v1::AsOf; 2]) -> anyhow::Result<Vec<Mover>> {
    let request = v1::ScanHealthRequest { as_of: instants.to_vec(), ..Default::default() };
    let (mut before, mut movers) = (HashMap::new(), Vec::new());
    client.each(client.health().scan_health(request), |message| {
        // Rows come by instant: all of the first before any of the second.
        if let Some(health) = message.health
            && let Some(score) = health.score
        {
            match before.remove(&health.account) {
                None => drop(before.insert(health.account, score)),
                Some(from) => movers.push(Mover { account: health.account, from, to: score }),
            }
        }
        Ok(())
    })?;
    let size = |mover: &Mover| (mover.to - mover.from).abs();
    movers.sort_by(|a, b| size(b).total_cmp(&size(a)).then_with(|| a.account.cmp(&b.account)));
    Ok(movers)
}
