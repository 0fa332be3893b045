//! `tidewatch source list | reset | retire`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tidewatch_proto::v1;

use super::client::Opening;
use super::output::{self, ABSENT};
use super::place::Place;
use super::reads::{Listed, pages};
use super::writes::{Author, Writes};

#[derive(Subcommand)]
pub(super) enum Task {
    /// List the sources that were ever opened, by name.
    List(ListArguments),
    /// What the source brought so far counts no more; its files can be imported again, and its topics are read again from
    /// `start` on, under another mapping too. What the broker has deleted meanwhile cannot come again.
    Reset(ResetArguments),
    /// The source streamed and has ended for good: the clock waits no more for it. What it brought stays.
    Retire(RetireArguments),
}

#[derive(Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    place: Place,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct RetireArguments {
    #[command(flatten)]
    place: Place,
    /// The name of the source.
    #[arg(value_name = "NAME")]
    source: String,
    #[command(flatten)]
    author: Author,
}

#[derive(Args)]
pub(super) struct ResetArguments {
    #[command(flatten)]
    place: Place,
    /// The name of the source.
    #[arg(value_name = "NAME")]
    source: String,
    /// The mapping it will be read by; native JSON when not given.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    #[command(flatten)]
    author: Author,
}

pub(super) fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::List(arguments) => list(arguments),
        Task::Reset(arguments) => reset(arguments),
        Task::Retire(arguments) => retire(arguments),
    }
}

fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let listed = read(&arguments.place, arguments.limit as usize)?;
    let mut out = output::out();
    if arguments.json {
        for source in &listed.items {
            writeln!(out, "{}", json(source))?;
        }
    } else {
        let mut table = output::table(["source", "generation", "read by", "streams", "state", "problem"]);
        for source in &listed.items {
            let mapping = match source.mapping_digest.as_deref() {
                None => ABSENT.to_owned(),
                Some("") => "native JSON".to_owned(),
                Some(digest) => format!("mapping {}", &digest[..digest.floor_char_boundary(12)]),
            };
            let problem = source.age.as_ref().map_or("", |age| age.problem.as_str());
            table.add_row([
                source.name.clone(),
                source.generation.to_string(),
                mapping,
                if source.streams { "yes" } else { "no" }.to_owned(),
                state(source).unwrap_or_else(|| ABSENT.to_owned()),
                problem.to_owned(),
            ]);
        }
        writeln!(out, "{table}")?;
    }
    out.flush()?;
    if listed.is_cut {
        output::note("there are more sources; a higher --limit shows them");
    }
    Ok(())
}

fn read(place: &Place, limit: usize) -> anyhow::Result<Listed<v1::Source>> {
    let client = place.client(Opening::Log(1))?;
    let listed = pages(&client, limit, |page_size, page_token| {
        let request = v1::ListSourcesRequest { page_size, page_token, ..Default::default() };
        let page = client.ask(client.sources().list_sources(request))?;
        Ok((page.sources, page.next_page_token))
    })?;
    client.close()?;
    Ok(listed)
}

/// How a source does, in the word of the API; `None` where nothing is known of that, as in a directory at rest.
fn state(source: &v1::Source) -> Option<String> {
    let age = source.age.as_ref()?;
    Some(age.state().as_str_name()["SOURCE_STATE_".len()..].to_lowercase())
}

fn json(source: &v1::Source) -> String {
    let optional = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), output::json_text);
    output::json_object([
        ("source", output::json_text(&source.name)),
        ("generation", source.generation.to_string()),
        ("mapping", optional(source.mapping_digest.as_deref())),
        ("streams", source.streams.to_string()),
        ("state", optional(state(source).as_deref())),
        ("problem", optional(source.age.as_ref().map(|age| age.problem.as_str()))),
    ])
}

fn retire(arguments: &RetireArguments) -> anyhow::Result<()> {
    let writes = Writes::open(&arguments.place, &arguments.author, None)?;
    let position = writes.retire(&arguments.source)?.sequence;
    writes.close()?;
    writeln!(output::out(), "the clock waits no more for source {} (position {position})", arguments.source)?;
    Ok(())
}

fn reset(arguments: &ResetArguments) -> anyhow::Result<()> {
    let mapping = super::import::read_mapping_text(arguments.mapping.as_deref())?;
    let writes = Writes::open(&arguments.place, &arguments.author, None)?;
    let position = writes.reset(&arguments.source, mapping)?.sequence;
    writes.close()?;
    writeln!(output::out(), "source {} starts over from position {position}", arguments.source)?;
    Ok(())
}
