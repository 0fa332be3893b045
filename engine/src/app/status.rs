//! The status of each source, as operators see it.

use tidewatch_projections::event::Micros;

/// How a source does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// It is being read.
    Running,
    /// Some part of it waits for a person.
    Impaired,
    /// It was refused or broke off, and waits for a person.
    Stopped,
    /// It was read to its end.
    Ended,
}

/// A source as it does now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceStatus {
    pub name: String,
    pub condition: Condition,
    /// When its last batch was handed over, by the engine's clock.
    pub taken_at: Option<Micros>,
    /// It is complete through this instant.
    pub complete_through: Option<Micros>,
    /// Why it stopped and what to do; empty while it runs.
    pub problem: String,
}

impl SourceStatus {
    /// A source that the log knows as a stream and that nobody reads yet.
    pub(super) fn awaited(name: &str) -> Self {
        let problem = format!(
            "it is not being read, and the clock waits for it; read it, or run `tidewatch source retire {name}` if it has ended for good"
        );
        Self { condition: Condition::Stopped, problem, ..Self::starting(name) }
    }

    /// A source that is about to be read.
    pub(super) fn starting(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            condition: Condition::Running,
            taken_at: None,
            complete_through: None,
            problem: String::new(),
        }
    }
}
