//! `tidewatch adopt`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args};
use jiff::SignedDuration;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::rules::Rules;
use tidewatch_projections::settings::{ClosedDays, Scope};
use tidewatch_proto::{prost_types, v1};

use super::output;
use super::place::Place;
use super::writes::{Author, Writes};
use crate::serve::services::settings::wire_closed_days;
use crate::storage::directory::TENANT_DEFAULT;

#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["zone", "closed_days", "model", "rules", "skew", "close_delay"]))]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The reporting zone, an IANA name; everything is counted anew in it.
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// All closed days, in place of those before: CSV with `scope,from,to`, `to` included; scope is all, account:X, segment:X
    /// or country:X.
    #[arg(long, value_name = "FILE.csv")]
    closed_days: Option<PathBuf>,
    /// The model file to adopt.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The rule file to adopt. What is true already when the next day closes is listed, and nobody is told of it.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// How far an event may lie ahead of the time at which it is recorded, as 24h; one further ahead is refused.
    #[arg(long, value_name = "DURATION")]
    skew: Option<SignedDuration>,
    /// How long after its end a day closes, as 3h.
    #[arg(long, value_name = "DURATION")]
    close_delay: Option<SignedDuration>,
    /// Whose data it is.
    #[arg(long, value_name = "NAME", default_value = TENANT_DEFAULT)]
    tenant: String,
    #[command(flatten)]
    author: Author,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut settings = v1::Settings::default();
    let mut paths = Vec::new();
    if let Some(zone) = &arguments.zone {
        settings.zone.clone_from(zone);
        paths.push("zone".to_owned());
    }
    if let Some(file) = &arguments.closed_days {
        settings.closed_days = read_closed_days(file)?.iter().map(wire_closed_days).collect();
        paths.push("closed_days".to_owned());
    }
    if let Some(file) = &arguments.model {
        super::metrics::read_model(file)?;
        settings.model = super::metrics::read_model_text(file)?;
        paths.push("model".to_owned());
    }
    if let Some(file) = &arguments.rules {
        settings.rules = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the rules {}", file.display()))?;
        Rules::parse(&settings.rules).with_context(|| format!("the rules {}", file.display()))?;
        paths.push("rules".to_owned());
    }
    if let Some(skew) = arguments.skew {
        settings.skew_us = microseconds("--skew", skew)?;
        paths.push("skew_us".to_owned());
    }
    if let Some(delay) = arguments.close_delay {
        settings.close_delay_us = microseconds("--close-delay", delay)?;
        paths.push("close_delay_us".to_owned());
    }
    let update_mask = Some(prost_types::FieldMask { paths });
    let asked = v1::AdoptSettingsRequest { settings: Some(settings), update_mask, ..Default::default() };
    let writes = Writes::open(&arguments.place, &arguments.author, Some(&arguments.tenant))?;
    let position = writes.adopt(asked)?.sequence;
    writes.close()?;
    writeln!(output::out(), "adopted at position {position}")?;
    Ok(())
}

fn microseconds(option: &str, duration: SignedDuration) -> anyhow::Result<i64> {
    i64::try_from(duration.as_micros()).with_context(|| format!("{option} {duration:#} is too long"))
}

/// Reads closed days from a CSV file.
fn read_closed_days(file: &Path) -> anyhow::Result<Vec<ClosedDays>> {
    let named = || format!("closed days of {}", file.display());
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_path(file)
        .with_context(named)?;
    let header: Vec<String> = reader.headers().with_context(named)?.iter().map(str::to_owned).collect();
    let column = |name: &str| {
        let at = header.iter().position(|column| column == name);
        at.with_context(|| format!("{}: no column {name:?}; its first line must be scope,from,to", named()))
    };
    let (scope, from, to) = (column("scope")?, column("from")?, column("to")?);
    let mut closed_days = Vec::new();
    for row in reader.records() {
        let row = row.with_context(named)?;
        let line = row.position().map_or(0, csv::Position::line);
        let field = |at: usize| row.get(at).unwrap_or("");
        let day = |at: usize| {
            let text = field(at);
            Day::parse(text)
                .with_context(|| format!("{}, line {line}: {text:?} is no date as 2024-12-24", named()))
        };
        let Some(scope) = Scope::parse(field(scope)) else {
            bail!(
                "{}, line {line}: {:?} is no scope; use all, account:X, segment:X or country:X",
                named(),
                field(scope)
            );
        };
        let closed = ClosedDays { scope, from: day(from)?, to: day(to)? };
        if closed.from > closed.to {
            bail!("{}, line {line}: it ends on {} before it begins on {}", named(), closed.to, closed.from);
        }
        closed_days.push(closed);
    }
    Ok(closed_days)
}
