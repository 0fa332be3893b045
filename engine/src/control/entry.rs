//! Control entries: decisions of the engine and commands of people, as entries of the log.
//!
//! Each closes its frame and is a barrier. Kinds are numbered in `tidewatch/log/v1/log.proto`; numbers outlive every
//! version of this enum.

mod alerts;
mod shown;

use prost::Message as _;
use tidewatch_projections::alert::book::NoticeKey;
use tidewatch_projections::alert::case::Action;
use tidewatch_projections::alert::close::Decided;
use tidewatch_projections::alert::fleet::FleetFactors;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::event::Micros;
use tidewatch_projections::settings::{ClosedDays, Scope, Settings};
use tidewatch_proto::log::v1 as wire;

use crate::control::band_override::BandOverride;
use crate::control::request::Request;
use crate::storage::log::ControlRecord;

#[derive(Clone, PartialEq, Debug)]
pub enum Control {
    /// All live sources are complete through this instant, exclusive.
    ClockAdvanced { at: Micros },
    /// The wall clock was read; deadlines hang on it.
    WallAdvanced { at: Micros },
    /// From when on a type is fed: written whenever one of the days moves.
    TypeFed {
        kind: Box<str>,
        /// The tenant's earliest event of it; `None` after the last one was taken back.
        earliest_at: Option<Micros>,
        /// The earliest with a user; `None` while none has one.
        earliest_user_at: Option<Micros>,
    },
    /// Every setting that changes state or meaning, whole.
    SettingsAdopted {
        settings: Settings,
        /// The version of the bundled time-zone rules that they were adopted with.
        tz_version: Box<str>,
    },
    /// A model file, word for word.
    ModelAdopted { text: Box<str> },
    /// A source is read for the first time, under another mapping, or streams from here on.
    SourceOpened {
        source: Box<str>,
        /// Digest of its mapping; empty for native JSON.
        mapping_digest: Box<str>,
        /// It streams: the clock waits for it until it is retired. `false` says nothing new.
        streams: bool,
    },
    /// The clock waits no more for a source that streamed.
    SourceRetired { source: Box<str> },
    /// A source starts over: its earlier records count no more and are read again.
    SourceReset {
        source: Box<str>,
        /// The generation from here on.
        generation: u32,
        /// Digest of the mapping it is read by from here on; empty for native JSON.
        mapping_digest: Box<str>,
    },
    /// A person set the band of an account by hand.
    OverrideSet { account: Box<str>, band_override: BandOverride },
    /// Dead letters were decoded again and nothing of them was refused any more.
    DeadLettersResolved { seqs: Vec<u64> },
    /// A rule file, word for word.
    RulesAdopted { text: Box<str> },
    /// What was usual in the fleet on a day that closed.
    FactorsAdopted(FleetFactors),
    /// What the close of a day decided, or a part of it.
    AlertsDecided(Box<DayDecided>),
    /// Something happened to the case of an account.
    CaseChanged(Box<CaseChange>),
    /// Notices reached their receiver, or were given up.
    NoticesSettled { settled: Vec<Settled> },
}

/// What the close of a day decided, or a part of it.
#[derive(Clone, PartialEq, Debug)]
pub struct DayDecided {
    pub day: Day,
    pub decided: Decided,
    /// Accounts up to this id are decided; empty: none but the fleet.
    pub through: Box<str>,
    /// The day is decided whole.
    pub is_last: bool,
    /// Why what opened was held; empty: it was not.
    pub hold: Box<str>,
    /// Whether anybody was to be told.
    pub tells: bool,
}

/// What happened to the case of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseChange {
    pub account: Box<str>,
    /// Empty: time did it.
    pub author: Box<str>,
    pub at: Micros,
    /// Whether anybody was to be told.
    pub tells: bool,
    /// `None`: its snooze is over.
    pub action: Option<Action>,
}

/// A notice that waits no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    pub key: NoticeKey,
    pub receiver: Box<str>,
    pub at: Micros,
    /// Why it was given up; empty: it was received.
    pub given_up: Box<str>,
}

/// Why bytes are no control entry of this version.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ControlError {
    #[error("a control entry of {length_bytes} bytes is damaged: {what}")]
    Damaged {
        length_bytes: usize,
        /// What the decoder said.
        what: String,
    },
    /// A kind this version does not know.
    #[error(
        "a control entry has a kind that this version does not know; read the directory with the version that wrote it, or a newer one"
    )]
    UnknownKind,
    /// A word, or a list of figures, that this version does not know.
    #[error(
        "{what} of a control entry is {found:?}, which this version does not know; read the directory with a newer one"
    )]
    Unknown {
        /// Which field.
        what: &'static str,
        /// What stands there.
        found: Box<str>,
    },
    /// Closed days of a scope that this version does not know: without them figures would be wrong.
    #[error(
        "closed days are adopted for {scope:?}, which this version does not know; read the directory with the version that wrote it, or a newer one"
    )]
    UnknownScope { scope: Box<str> },
}

impl Control {
    /// Appends the entry in its stored form, with the request that it carries out.
    pub fn encode(&self, request: Option<&Request>, out: &mut Vec<u8>) {
        let message = wire::Control { kind: Some(self.to_wire()), request: request.map(Request::to_wire) };
        out.reserve(message.encoded_len());
        message.encode(out).expect("a vector grows as needed");
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, ControlError> {
        let message = wire::Control::decode(bytes)
            .map_err(|error| ControlError::Damaged { length_bytes: bytes.len(), what: error.to_string() })?;
        message.kind.map_or(Err(ControlError::UnknownKind), Self::from_wire)
    }

    /// Reads an entry of the log.
    ///
    /// # Errors
    /// When it is damaged or of a later version.
    pub fn of_record(record: &ControlRecord) -> Result<Self, ControlError> {
        Self::decode(&record.payload)
    }

    /// Whether a request for it is answered by its position alone, and so by its entry.
    pub fn is_whole_answer(&self) -> bool {
        match self {
            Self::SettingsAdopted { .. }
            | Self::ModelAdopted { .. }
            | Self::SourceReset { .. }
            | Self::SourceRetired { .. }
            | Self::RulesAdopted { .. }
            | Self::CaseChanged(_)
            | Self::OverrideSet { .. } => true,
            Self::ClockAdvanced { .. }
            | Self::WallAdvanced { .. }
            | Self::TypeFed { .. }
            | Self::SourceOpened { .. }
            | Self::FactorsAdopted(_)
            | Self::AlertsDecided(_)
            | Self::NoticesSettled { .. }
            | Self::DeadLettersResolved { .. } => false,
        }
    }

    /// Whether it changes what everything is counted under: once a change waits for another fold, those after it wait too.
    pub fn changes_meaning(&self) -> bool {
        matches!(
            self,
            Self::SettingsAdopted { .. }
                | Self::ModelAdopted { .. }
                | Self::RulesAdopted { .. }
                | Self::SourceReset { .. }
        )
    }

    /// A short name for tables and labels.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClockAdvanced { .. } => "clock_advanced",
            Self::WallAdvanced { .. } => "wall_advanced",
            Self::TypeFed { .. } => "type_fed",
            Self::SettingsAdopted { .. } => "settings_adopted",
            Self::ModelAdopted { .. } => "model_adopted",
            Self::SourceOpened { .. } => "source_opened",
            Self::SourceReset { .. } => "source_reset",
            Self::DeadLettersResolved { .. } => "dead_letters_resolved",
            Self::SourceRetired { .. } => "source_retired",
            Self::OverrideSet { .. } => "override_set",
            Self::RulesAdopted { .. } => "rules_adopted",
            Self::FactorsAdopted(_) => "factors_adopted",
            Self::AlertsDecided(_) => "alerts_decided",
            Self::CaseChanged(_) => "case_changed",
            Self::NoticesSettled { .. } => "notices_settled",
        }
    }

    /// The kind's number in the contract: what the log keeps beside the payload.
    pub fn kind(&self) -> u16 {
        match self {
            Self::ClockAdvanced { .. } => 1,
            Self::WallAdvanced { .. } => 2,
            Self::TypeFed { .. } => 3,
            Self::SettingsAdopted { .. } => 4,
            Self::ModelAdopted { .. } => 5,
            Self::SourceOpened { .. } => 6,
            Self::SourceReset { .. } => 7,
            Self::DeadLettersResolved { .. } => 16,
            Self::SourceRetired { .. } => 17,
            Self::OverrideSet { .. } => 19,
            Self::RulesAdopted { .. } => 20,
            Self::FactorsAdopted(_) => 21,
            Self::AlertsDecided(_) => 22,
            Self::CaseChanged(_) => 23,
            Self::NoticesSettled { .. } => 24,
        }
    }

    fn to_wire(&self) -> wire::control::Kind {
        use wire::control::Kind;
        match self {
            Self::ClockAdvanced { at } => Kind::ClockAdvanced(wire::ClockAdvanced { at_us: *at }),
            Self::WallAdvanced { at } => Kind::WallAdvanced(wire::WallAdvanced { at_us: *at }),
            Self::TypeFed { kind, earliest_at, earliest_user_at } => Kind::TypeFed(wire::TypeFed {
                r#type: kind.to_string(),
                earliest_us: *earliest_at,
                earliest_user_us: *earliest_user_at,
            }),
            Self::SettingsAdopted { settings, tz_version } => Kind::SettingsAdopted(wire::SettingsAdopted {
                zone: settings.zone.to_string(),
                tz_version: tz_version.to_string(),
                closed_days: settings
                    .closed_days
                    .iter()
                    .map(|closed| wire::ClosedDays {
                        scope: closed.scope.to_string(),
                        from_day: closed.from.0,
                        to_day: closed.to.0,
                    })
                    .collect(),
                skew_us: settings.skew_us,
                close_delay_us: settings.close_delay_us,
            }),
            Self::ModelAdopted { text } => Kind::ModelAdopted(wire::ModelAdopted { text: text.to_string() }),
            Self::SourceOpened { source, mapping_digest, streams } => {
                Kind::SourceOpened(wire::SourceOpened {
                    source: source.to_string(),
                    mapping_digest: mapping_digest.to_string(),
                    streams: *streams,
                })
            }
            Self::SourceRetired { source } => {
                Kind::SourceRetired(wire::SourceRetired { source: source.to_string() })
            }
            Self::SourceReset { source, generation, mapping_digest } => {
                Kind::SourceReset(wire::SourceReset {
                    source: source.to_string(),
                    generation: *generation,
                    mapping_digest: mapping_digest.to_string(),
                })
            }
            Self::OverrideSet { account, band_override } => Kind::OverrideSet(band_override.to_wire(account)),
            Self::DeadLettersResolved { seqs } => {
                Kind::DeadLettersResolved(wire::DeadLettersResolved { seqs: seqs.clone() })
            }
            Self::RulesAdopted { text } => Kind::RulesAdopted(wire::RulesAdopted { text: text.to_string() }),
            Self::FactorsAdopted(factors) => Kind::FactorsAdopted(alerts::wire_factors(factors)),
            Self::AlertsDecided(decided) => Kind::AlertsDecided(alerts::wire_decided(decided)),
            Self::CaseChanged(change) => Kind::CaseChanged(alerts::wire_case(change)),
            Self::NoticesSettled { settled } => Kind::NoticesSettled(alerts::wire_settled(settled)),
        }
    }

    fn from_wire(kind: wire::control::Kind) -> Result<Self, ControlError> {
        use wire::control::Kind;
        Ok(match kind {
            Kind::ClockAdvanced(clock) => Self::ClockAdvanced { at: clock.at_us },
            Kind::WallAdvanced(wall) => Self::WallAdvanced { at: wall.at_us },
            Kind::TypeFed(fed) => Self::TypeFed {
                kind: fed.r#type.into(),
                earliest_at: fed.earliest_us,
                earliest_user_at: fed.earliest_user_us,
            },
            Kind::SettingsAdopted(adopted) => Self::SettingsAdopted {
                settings: Settings {
                    zone: adopted.zone.into(),
                    closed_days: adopted
                        .closed_days
                        .into_iter()
                        .map(closed_days)
                        .collect::<Result<_, _>>()?,
                    skew_us: adopted.skew_us,
                    close_delay_us: adopted.close_delay_us,
                },
                tz_version: adopted.tz_version.into(),
            },
            Kind::ModelAdopted(model) => Self::ModelAdopted { text: model.text.into() },
            Kind::SourceOpened(opened) => Self::SourceOpened {
                source: opened.source.into(),
                mapping_digest: opened.mapping_digest.into(),
                streams: opened.streams,
            },
            Kind::SourceRetired(retired) => Self::SourceRetired { source: retired.source.into() },
            Kind::SourceReset(reset) => Self::SourceReset {
                source: reset.source.into(),
                generation: reset.generation,
                mapping_digest: reset.mapping_digest.into(),
            },
            Kind::OverrideSet(set) => Self::OverrideSet {
                account: set.account.as_str().into(),
                band_override: BandOverride::from_wire(set),
            },
            Kind::DeadLettersResolved(resolved) => Self::DeadLettersResolved { seqs: resolved.seqs },
            Kind::RulesAdopted(rules) => Self::RulesAdopted { text: rules.text.into() },
            Kind::FactorsAdopted(factors) => Self::FactorsAdopted(alerts::factors(factors)?),
            Kind::AlertsDecided(decided) => Self::AlertsDecided(Box::new(alerts::decided(decided)?)),
            Kind::CaseChanged(change) => Self::CaseChanged(Box::new(alerts::case(change)?)),
            Kind::NoticesSettled(settled) => Self::NoticesSettled { settled: alerts::settled(settled) },
        })
    }
}

fn closed_days(stored: wire::ClosedDays) -> Result<ClosedDays, ControlError> {
    let Some(scope) = Scope::parse(&stored.scope) else {
        return Err(ControlError::UnknownScope { scope: stored.scope.into() });
    };
    Ok(ClosedDays { scope, from: Day(stored.from_day), to: Day(stored.to_day) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_stored_form() {
        let kinds = [
            Control::ClockAdvanced { at: -5 },
            Control::WallAdvanced { at: i64::MAX },
            Control::TypeFed { kind: "usage".into(), earliest_at: Some(0), earliest_user_at: None },
            Control::SettingsAdopted {
                settings: Settings {
                    zone: "Europe/Berlin".into(),
                    closed_days: vec![ClosedDays {
                        scope: Scope::Account("acme".into()),
                        from: Day(-1),
                        to: Day(20_000),
                    }],
                    skew_us: 1,
                    close_delay_us: 2,
                },
                tz_version: "2026a".into(),
            },
            Control::ModelAdopted { text: "[metrics]\n".into() },
            Control::SourceOpened { source: "crm".into(), mapping_digest: "".into(), streams: true },
            Control::SourceRetired { source: "crm".into() },
            Control::SourceReset { source: "crm".into(), generation: 3, mapping_digest: "ab".into() },
            Control::OverrideSet {
                account: "acme".into(),
                band_override: BandOverride {
                    band: "red".into(),
                    reason: "the sponsor left".into(),
                    author: "ann".into(),
                    at: 5,
                    expires_at: 6,
                },
            },
            Control::DeadLettersResolved { seqs: vec![77, 5] },
        ];
        let request = Request {
            actor: "anonymous".into(),
            on_behalf_of: "ann".into(),
            id: "r1".into(),
            body: u64::MAX,
            at: 7,
        };
        for kind in kinds {
            for request in [None, Some(&request)] {
                let mut bytes = Vec::new();
                kind.encode(request, &mut bytes);
                assert_eq!(Control::decode(&bytes).as_ref(), Ok(&kind));
                let record = ControlRecord { kind: kind.kind(), payload: bytes.into() };
                assert_eq!(Request::of_record(&record).as_ref(), request);
            }
        }
    }

    #[test]
    fn what_a_later_version_wrote_is_refused_by_name() {
        assert_eq!(Control::decode(&[]), Err(ControlError::UnknownKind));
        assert!(matches!(Control::decode(&[0xff]), Err(ControlError::Damaged { .. })));
        let days = wire::ClosedDays { scope: "region:emea".into(), from_day: 1, to_day: 2 };
        let later = wire::SettingsAdopted { closed_days: vec![days], ..Default::default() };
        let kind = Some(wire::control::Kind::SettingsAdopted(later));
        let bytes = wire::Control { kind, request: None }.encode_to_vec();
        let refused = Control::decode(&bytes).unwrap_err().to_string();
        assert!(refused.contains("\"region:emea\""), "{refused}");
    }
}
