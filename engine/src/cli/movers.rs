//! `tidewatch movers`.

use std::collections::HashMap;
use std::io::Write as _;

use clap::Args;
use tidewatch_ingest::time::write_rfc3339;
use tidewatch_projections::health::shown;
use tidewatch_proto::v1;

use super::client::Client;
use super::metrics::as_of;
use super::output::{self, ABSENT};
use super::place::Place;
use super::reads::Reads;
use super::sparkline;
use crate::read::scan::AsOf;
use crate::serve::convert;

/// Days that are looked back over where no instant is named.
const MOVED_DAYS: i64 = 7;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Since when: RFC 3339 or a date (its end); the end of the day 7 days before `--to` when not given.
    #[arg(long, value_name = "T", value_parser = as_of)]
    from: Option<AsOf>,
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
    let reads = Reads::open(&arguments.place, arguments.workers.count())?;
    let calendar = reads.calendar()?;
    let to = match arguments.to {
        AsOf::Last => AsOf::At(reads.last_instant()?),
        named => named,
    };
    let today = match to {
        AsOf::EndOf(day) => day,
        AsOf::At(at) => calendar.day(at - 1),
        AsOf::Last => unreachable!("it was looked up"),
    };
    let from = arguments.from.unwrap_or(AsOf::EndOf(today.plus(-MOVED_DAYS)));
    let instants = [from, to].map(convert::as_of);
    let client = reads.client();
    let (mut movers, scored) = movers(client, &instants)?;
    movers.truncate(arguments.limit as usize);
    let as_of = calendar.end(today);
    let rows: Vec<sparkline::Row> = movers
        .iter()
        .map(|mover| sparkline::Row { account: mover.account.clone(), as_of, score: Some(mover.to) })
        .collect();
    let lines = if arguments.json { Vec::new() } else { sparkline::lines(client, &calendar, &rows)? };
    let mut lines = lines.into_iter();
    let mut out = output::out();
    let mut table = output::table(["account", "was", "is", "change", sparkline::HEADER, "moved most by"]);
    output::align_right(&mut table, &[1, 2, 3]);
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
                shown(*from).to_string(),
                shown(*to).to_string(),
                output::signed(to - from),
                lines.next().unwrap_or_default(),
                reason.to_owned(),
            ]);
        }
    }
    reads.close()?;
    if !arguments.json {
        if !movers.is_empty() {
            writeln!(out, "{}", table.trim_fmt())?;
        }
        let [from, to] = [from, to].map(told);
        writeln!(
            out,
            "{} of {scored} accounts with a score at both {from} and {to}, greatest change first",
            movers.len()
        )?;
    }
    Ok(out.flush()?)
}

/// An instant as it was asked for.
fn told(at: AsOf) -> String {
    match at {
        AsOf::EndOf(day) => format!("the end of {day}"),
        AsOf::At(at) => write_rfc3339(at).to_string(),
        AsOf::Last => "last".to_owned(),
    }
}

/// The accounts whose score differs between two instants, the greatest change first, and how many have one at both.
fn movers(client: &Client, instants: &[v1::AsOf; 2]) -> anyhow::Result<(Vec<Mover>, usize)> {
    let request = v1::ScanHealthRequest { as_of: instants.to_vec(), ..Default::default() };
    let (mut before, mut movers) = (HashMap::new(), Vec::<Mover>::new());
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
    let scored = movers.len();
    movers.retain(|mover| size(mover) > 0.0);
    Ok((movers, scored))
}
