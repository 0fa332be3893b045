//! Parses which events behind measures a command asks for, and shows them.

use clap::Args;
use tidewatch_proto::v1;

use super::output;
use super::timeline;

/// The events behind measures.
#[derive(Args)]
pub(super) struct EvidenceArguments {
    /// Show the newest N events behind each measure too, at most 100.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20", value_parser = clap::value_parser!(u16).range(1..=100))]
    evidence: Option<u16>,
    /// Only the events behind these measures.
    #[arg(long, value_name = "MEASURE", num_args = 1.., requires = "evidence")]
    measure: Vec<String>,
}

impl EvidenceArguments {
    /// What is asked; `None`: nothing.
    pub(super) fn asked(&self) -> Option<v1::EvidenceAsked> {
        let events_max = self.evidence?.into();
        Some(v1::EvidenceAsked { events_max, measures: self.measure.clone() })
    }
}

/// How many there are and the newest of them, a line each, set in by so many blanks.
pub(super) fn shown(evidence: &v1::HealthEvidence, indent: usize) -> String {
    let blank = " ".repeat(indent);
    let mut text = format!("{blank}{}\n", evidence.text);
    let mut table = output::table([] as [&str; 0]);
    for entry in &evidence.events {
        let Some(event) = &entry.event else { continue };
        let origin = format!("{} {}", event.source, event.id);
        table.add_row(timeline::head(event).into_iter().chain([carried(event), origin]));
    }
    if !evidence.events.is_empty() {
        for line in table.to_string().lines() {
            text.push_str(&format!("{blank} {}\n", line.trim_end()));
        }
    }
    text
}

/// Quantity, amount and properties of an event.
fn carried(event: &v1::Event) -> String {
    let quantity = event.quantity_micros.map(|micros| format!("quantity {}", output::quantity(micros)));
    let amount = event.amount_minor.map(|minor| output::money(minor, &event.currency));
    let properties =
        event.properties.iter().map(|(key, value)| format!("{key} {}", output::plain_value(value)));
    quantity.into_iter().chain(amount).chain(properties).collect::<Vec<_>>().join(", ")
}

/// The form for programs.
pub(super) fn json(evidence: &v1::HealthEvidence) -> String {
    output::json_object([
        ("count", evidence.count.to_string()),
        ("text", output::json_text(&evidence.text)),
        ("events", output::json_list(evidence.events.iter().map(timeline::json))),
    ])
}
