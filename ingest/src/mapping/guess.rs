//! Proposes a mapping for a feed from sample records, by the names of their fields and the types of their values.

pub mod kinds;
mod money;
mod proposal;
mod rules;
pub mod samples;
pub mod schema;
mod times;
mod words;

use super::Mapping;
use super::check::{Report, check};
use crate::json::{self, Fields, Node};
use crate::limits::Limits;
use proposal::{Proposal, quote};
use rules::{rule, rules, without_type};
use schema::{Column, SHARE_NEEDED, Schema};
use times::time_of;
use words::{ACCOUNT, ID, ID_ENDS, PROPERTIES, TYPE, USER};

/// Most records that are analysed.
pub const RECORDS_MAX: usize = 2000;

/// A proposed mapping and the check of the samples with it.
#[derive(Clone, Debug)]
pub struct Guess {
    /// The mapping file, with a comment wherever a person must decide.
    pub file: String,
    /// What was recognised: pairs of a target and its path, or of a type of the feed and the type of the contract.
    pub found: Vec<(String, String)>,
    /// What a person must decide, a sentence each; the file has the same sentences as comments.
    pub open_questions: Vec<String>,
    /// The check of the samples with the proposed mapping.
    pub report: Report,
}

/// Why no mapping can be proposed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GuessError {
    /// No line is a JSON object.
    #[error("none of the {lines} lines is a JSON object; a mapping reads one object a line")]
    NoRecords {
        /// The number of lines that were read.
        lines: usize,
    },
    /// No field looks like a time.
    #[error("no field looks like the time of the event; write a mapping with occurred_at (fields: {fields})")]
    NoTime {
        /// The paths of the records, separated by commas.
        fields: String,
    },
    /// No field looks like an account or a user.
    #[error(
        "no field looks like an account or a user; write a mapping with account or user (fields: {fields})"
    )]
    NoSubject {
        /// The paths of the records, separated by commas.
        fields: String,
    },
}

/// Proposes a mapping for the records of these lines.
///
/// # Errors
/// When there is no record, or no field looks like the time or like an account or user.
///
/// # Panics
/// Never: what it writes is a mapping, which tests hold.
pub fn guess<'l>(lines: impl IntoIterator<Item = &'l [u8]>, limits: &Limits) -> Result<Guess, GuessError> {
    let lines: Vec<&[u8]> =
        lines.into_iter().filter(|line| !line.trim_ascii().is_empty()).take(RECORDS_MAX).collect();
    let records: Vec<Fields<'_>> =
        lines.iter().filter_map(|line| json::read_object(line, limits).ok()).collect();
    if records.is_empty() {
        return Err(GuessError::NoRecords { lines: lines.len() });
    }
    let Proposal { file, found, open_questions } = propose(&records)?;
    let mapping = Mapping::parse(&file).expect("a proposal is a valid mapping");
    const SAMPLES_SHOWN: usize = 5;
    let report = check(&mapping, lines, limits, SAMPLES_SHOWN);
    Ok(Guess { file, found, open_questions, report })
}

fn propose(records: &[Fields<'_>]) -> Result<Proposal, GuessError> {
    let all = Schema::infer(records);
    let fields = || all.columns.keys().cloned().collect::<Vec<_>>().join(", ");
    let (time_path, form) = time_of(&all).ok_or_else(|| GuessError::NoTime { fields: fields() })?;
    let account =
        all.find(ACCOUNT, SHARE_NEEDED, Column::is_name).or_else(|| all.find(ACCOUNT, 0.1, Column::is_name));
    let user = all.find(USER, 0.0, Column::is_name).filter(|path| Some(*path) != account);
    if account.is_none() && user.is_none() {
        return Err(GuessError::NoSubject { fields: fields() });
    }
    let is_unique = |column: &Column<'_>| column.is_name() && column.distinct.len() == column.values.len();
    let is_free = |path: &&str| Some(*path) != account && Some(*path) != user && *path != time_path;
    let named_id = all.find(ID, 1.0, is_unique).filter(is_free);
    let id = named_id.or_else(|| {
        // One that only looks like an id must have been unique for long enough.
        const RECORDS_MIN: usize = 20;
        let columns =
            all.present(1.0).filter(|(_, column)| column.values.len() >= RECORDS_MIN && column.is_own());
        let ends = |column: &Column<'_>| ID_ENDS.iter().any(|end| column.name().ends_with(end));
        columns.filter(|(_, column)| ends(column) && is_unique(column)).map(|(path, _)| path).find(is_free)
    });
    let kind = all.find(TYPE, SHARE_NEEDED, |column| {
        let few = (column.values.len() / 4).max(12);
        // The type of a user that the record names is not the type of the record.
        column.is_own() && column.all(|node| matches!(node, Node::Text(_))) && column.distinct.len() <= few
    });
    let properties = all.find(PROPERTIES, 0.1, |column| column.all(|node| matches!(node, Node::Object(_))));

    let mut proposal = Proposal {
        file: "# Proposed from samples: read every line of it before use.\nversion = 1\n".into(),
        ..Proposal::default()
    };
    if kind.is_some() {
        proposal.file += "# Records of a type without a rule are kept under their own name; \"refuse\" makes them dead letters.\n";
        proposal.file += "unmatched = \"keep\"\n";
    }
    proposal.file += "\n[defaults]\n";
    match id {
        Some(id) => {
            if named_id.is_none() {
                proposal.ask(format!("{id} is unique in the samples and taken for the id."));
            }
            proposal.target("id", id);
        }
        None => proposal.ask(
            "No field is unique, so the id is the record's place: topic/topic id/partition/offset or digest:line."
                .into(),
        ),
    }
    match account {
        Some(account) => {
            let stated = all.columns[account].values.len();
            if user.is_none() && stated < all.records {
                let others = all.records - stated;
                proposal.ask(format!(
                    "{account} is missing in {others} of {} records, which are about nobody and refused.",
                    all.records
                ));
            }
            proposal.target("account", account);
        }
        None => proposal
            .ask("No field looks like an account: events wait until their user is linked to one.".into()),
    }
    if let Some(user) = user {
        proposal.target("user", user);
    }
    if form.contains('%') || form == "date" {
        proposal.ask(
            "The feed names no zone: set the one its clock shows. Check that day and month are not swapped."
                .into(),
        );
    }
    proposal.file += &match form.as_str() {
        "rfc3339" => format!("occurred_at = {}\n", quote(&time_path)),
        form if form.contains('%') || form == "date" => format!(
            "occurred_at = {{ from = {}, time = {}, zone = \"UTC\" }}\n",
            quote(&time_path),
            quote(form)
        ),
        form => format!("occurred_at = {{ from = {}, time = {} }}\n", quote(&time_path), quote(form)),
    };
    proposal.found.push(("occurred_at".to_owned(), format!("{time_path} as {form}")));
    if let Some(kind) = kind {
        proposal.target("type", kind);
    }
    proposal.file += "# What no target reads is kept as properties.\n";
    proposal.file += &match properties {
        Some(path) => format!("copy = [{}, \"$\"]\n", quote(path)),
        None => "copy = \"$\"\n".to_owned(),
    };
    match kind {
        Some(kind) => rules(&mut proposal, records, kind, id),
        None => {
            proposal.file += "\n";
            let (meant, words) = without_type(&all);
            proposal.ask(format!("No field looks like a type: every record is taken for {words}."));
            rule(&mut proposal, "every record", None, meant, &all, "usage", id);
        }
    }
    Ok(proposal)
}
