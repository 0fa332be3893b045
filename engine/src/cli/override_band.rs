//! `tidewatch override set | end | list`.

use std::io::Write as _;

use clap::{Args, Subcommand};
use tidewatch_proto::v1;

use super::client::Opening;
use super::output;
use super::place::Place;
use super::writes::{Author, Writes};

#[derive(Subcommand)]
pub(super) enum Task {
    /// Set the band of an account by hand; lists go by it, and what is computed is shown beside it.
    Set(SetArguments),
    /// End an override before it expires.
    End(EndArguments),
    /// Show the overrides that hold.
    List(ListArguments),
}

#[derive(Args)]
pub(super) struct SetArguments {
    #[command(flatten)]
    place: Place,
    /// The id of the account.
    account: String,
    /// The band, as the model names it.
    #[arg(long, value_name = "BAND")]
    band: String,
    /// Why, in words that others will read.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// How long it holds.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=90))]
    days: i32,
    #[command(flatten)]
    author: Author,
}

#[derive(Args)]
pub(super) struct EndArguments {
    #[command(flatten)]
    place: Place,
    /// The id of the account.
    account: String,
    /// Why, in words that others will read.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    author: Author,
}

#[derive(Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    place: Place,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Set(SetArguments { place, account, band, reason, days, author }) => {
            let (account, band, reason) = (account.clone(), band.clone(), reason.clone());
            let asked = v1::SetOverrideRequest { account, band, reason, days: *days, ..Default::default() };
            set(place, author, asked)
        }
        Task::End(EndArguments { place, account, reason, author }) => {
            let (account, reason) = (account.clone(), reason.clone());
            set(place, author, v1::SetOverrideRequest { account, reason, ..Default::default() })
        }
        Task::List(arguments) => list(arguments),
    }
}

fn set(place: &Place, author: &Author, asked: v1::SetOverrideRequest) -> anyhow::Result<()> {
    let writes = Writes::open(place, author, None)?;
    let position = writes.set_override(asked)?;
    writes.close()?;
    output::note(&format!("logged at {}", position.sequence));
    Ok(())
}

fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let client = arguments.place.client(Opening::Log(1))?;
    let answer = client.ask(client.health().list_overrides(v1::ListOverridesRequest::default()))?;
    client.close()?;
    let mut out = output::out();
    if arguments.json {
        for set in &answer.overrides {
            let object = output::json_object([
                ("account", output::json_text(&set.account)),
                ("band", output::json_text(&set.band)),
                ("reason", output::json_text(&set.reason)),
                ("author", output::json_text(&set.author)),
                ("set_at", output::json_text(&output::instant(set.set_at.as_ref()))),
                ("expires_at", output::json_text(&output::instant(set.expires_at.as_ref()))),
            ]);
            writeln!(out, "{object}")?;
        }
    } else {
        let mut table = output::table(["account", "band", "until", "by", "reason"]);
        for set in &answer.overrides {
            table.add_row([
                set.account.clone(),
                set.band.clone(),
                output::instant(set.expires_at.as_ref()),
                set.author.clone(),
                set.reason.clone(),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    Ok(out.flush()?)
}
