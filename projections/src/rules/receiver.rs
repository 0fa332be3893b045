//! Receivers: where alerts are delivered (alerts §6). Secrets are named by where they are kept and never stand in the file.

use toml::{Table, Value as Toml};

use crate::model::document::{check_useful, days, list, name, refused, required, table, whole, word};
use crate::model_error::ModelError;

/// The topic alerts go to unless another is named.
pub const TOPIC: &str = "tidewatch.alerts";
/// Days after which delivery is given up, unless stated otherwise.
const GIVE_UP_DAYS: u32 = 3;
/// Deliveries a minute, unless stated otherwise.
const PER_MINUTE_MAX: u32 = 60;
/// The greatest rate that may be stated.
const RATE_MAX: u32 = 100_000;
/// Keys of every receiver.
const KEYS: [&str; 3] = ["kind", "give_up_days", "per_minute_max"];
/// Kinds of receivers, with the keys of each.
const KINDS: [(&str, &[&str]); 3] = [
    ("webhook", &["url", "url_file", "url_env", "secret_file", "secret_env"]),
    ("slack", &["url", "url_file", "url_env"]),
    ("kafka", &["brokers", "topic"]),
];

/// Where alerts are delivered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receiver {
    /// Unique in the file.
    pub name: String,
    /// What it is.
    pub kind: ReceiverKind,
    /// Days after which a delivery is given up.
    pub give_up_days: u32,
    /// Most deliveries a minute.
    pub per_minute_max: u32,
}

/// What a receiver is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReceiverKind {
    /// A signed HTTP request.
    Webhook {
        /// Its address.
        url: Address,
        /// The key that requests are signed with.
        secret: Kept,
    },
    /// A message in a Slack channel.
    Slack {
        /// The address of the incoming webhook.
        url: Address,
    },
    /// A record of a topic.
    Kafka {
        /// The bootstrap servers, as `host:port`; empty: those that the engine reads from.
        brokers: Vec<String>,
        /// Its topic.
        topic: String,
    },
}

/// An address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// As the file has it.
    Plain(String),
    /// Secret: whoever knows it may post there.
    Kept(Kept),
}

/// Where a secret is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// The path of a file, relative to the configuration.
    File(String),
    /// The name of an environment variable.
    Variable(String),
}

impl Receiver {
    pub(super) fn read(name: &str, declared: &Toml) -> Result<Self, ModelError> {
        let path = format!("receivers.{name}");
        let declared = table(declared, &path, "a table with the key \"kind\"")?;
        let kinds = KINDS.map(|(kind, _)| kind);
        let kind = required(declared, "kind", &path, "a receiver")?;
        let kind = word(kind, &format!("{path}.kind"), &kinds)?;
        let reading = Reading { declared, path: &path, what: format!("a receiver of kind {kind:?}") };
        reading.check_keys(kind)?;
        let kind = match kind {
            "webhook" => ReceiverKind::Webhook { url: reading.address()?, secret: reading.secret()? },
            "slack" => ReceiverKind::Slack { url: reading.address()? },
            _ => ReceiverKind::Kafka { brokers: reading.brokers()?, topic: reading.topic()? },
        };
        let give_up_days = match declared.get("give_up_days") {
            Some(give_up) => days(give_up, &reading.at("give_up_days"))?,
            None => GIVE_UP_DAYS,
        };
        let per_minute_max = match declared.get("per_minute_max") {
            Some(rate) => whole(rate, &reading.at("per_minute_max"), 1, RATE_MAX)?,
            None => PER_MINUTE_MAX,
        };
        Ok(Self { name: name.to_owned(), kind, give_up_days, per_minute_max })
    }
}

/// A receiver on its way in.
struct Reading<'a> {
    declared: &'a Table,
    path: &'a str,
    /// What it is, for errors.
    what: String,
}

impl Reading<'_> {
    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn check_keys(&self, kind: &str) -> Result<(), ModelError> {
        let own = KINDS.iter().filter(|(known, _)| *known == kind).flat_map(|(_, keys)| *keys).copied();
        let valid: Vec<&str> = KEYS.into_iter().chain(own).collect();
        check_useful(self.declared, self.path, &self.what, &valid)
    }

    /// The one key of some that is given.
    fn one_of(&self, keys: &[&'static str]) -> Result<(&'static str, &str), ModelError> {
        let mut given = keys.iter().filter(|key| self.declared.contains_key(**key));
        match (given.next(), given.next()) {
            (Some(key), None) => Ok((key, name(&self.declared[*key], &self.at(key))?)),
            (Some(one), Some(other)) => {
                Err(refused(self.path, format!("{one:?} and {other:?} say the same; give one of them")))
            }
            (None, _) => Err(refused(self.path, format!("{} needs one of {}", self.what, keys.join(", ")))),
        }
    }

    fn address(&self) -> Result<Address, ModelError> {
        match self.one_of(&["url", "url_file", "url_env"])? {
            ("url", url) => {
                let rest = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
                let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
                match host {
                    // A name and a password before the host would be logged with the file.
                    Some(host) if !host.is_empty() && !host.contains('@') => {
                        Ok(Address::Plain(url.to_owned()))
                    }
                    // The value is not repeated: it may be the password.
                    _ => Err(refused(
                        &self.at("url"),
                        "an address begins with https:// or http:// and holds no password; a secret one goes in url_file or url_env",
                    )),
                }
            }
            (key, kept) => Ok(Address::Kept(kept_at(key, kept))),
        }
    }

    fn secret(&self) -> Result<Kept, ModelError> {
        let (key, kept) = self.one_of(&["secret_file", "secret_env"])?;
        Ok(kept_at(key, kept))
    }

    fn brokers(&self) -> Result<Vec<String>, ModelError> {
        let Some(declared) = self.declared.get("brokers") else { return Ok(Vec::new()) };
        let at = self.at("brokers");
        let listed = list(declared, &at, "a list of host:port")?.iter().enumerate();
        listed.map(|(index, broker)| Ok(name(broker, &format!("{at}[{index}]"))?.to_owned())).collect()
    }

    fn topic(&self) -> Result<String, ModelError> {
        let topic = self.declared.get("topic");
        topic.map_or(Ok(TOPIC.to_owned()), |topic| Ok(name(topic, &self.at("topic"))?.to_owned()))
    }
}

fn kept_at(key: &str, kept: &str) -> Kept {
    if key.ends_with("_env") { Kept::Variable(kept.to_owned()) } else { Kept::File(kept.to_owned()) }
}
