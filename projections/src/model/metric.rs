//! The `[metrics]` table.

use toml::{Table, Value as Toml};

use super::document::{by_name, find, useless, whole};
use super::{
    Agg, METRICS_MAX, Metric, ModelError, Plain, PlainKind, StandingKind, bad_value, integer, nearest,
    number, required, text,
};
use crate::event::Currency;
use crate::filter::{Field, Filter};

/// What an aggregation may be given besides `agg`.
struct Grammar {
    agg: &'static str,
    keys: &'static [&'static str],
}

const fn grammar(agg: &'static str, keys: &'static [&'static str]) -> Grammar {
    Grammar { agg, keys }
}

const GRAMMARS: [Grammar; 24] = [
    grammar("count", &["filter", "window", "skip_closed"]),
    grammar("sum", &["field", "currency", "filter", "window", "skip_closed"]),
    grammar("active_users", &["filter", "window", "skip_closed"]),
    grammar("active_days", &["filter", "window", "skip_closed"]),
    grammar("features_used", &["filter", "window", "skip_closed", "core"]),
    grammar("features_share", &["filter", "window", "skip_closed", "core"]),
    grammar("first_time", &["filter", "window"]),
    grammar("last_time", &["filter", "window"]),
    grammar("days_since_last", &["filter", "window"]),
    grammar("last", &["field", "currency", "filter", "window"]),
    grammar("mean", &["field", "currency", "filter", "window"]),
    grammar("median", &["field", "currency", "filter", "window"]),
    grammar("quantile", &["field", "q", "currency", "filter", "window"]),
    grammar("decayed_sum", &["field", "half_life_days", "currency", "filter", "window"]),
    grammar("decayed_mean", &["field", "half_life_days", "currency", "filter", "window"]),
    grammar("ratio", &["a", "b", "min_b"]),
    grammar("per_seat", &["a"]),
    grammar("change", &["a"]),
    grammar("against_own", &["a", "weeks"]),
    grammar("slope", &["a", "weeks"]),
    grammar("share", &["a_filter", "b_filter", "window", "min"]),
    grammar("happiness", &["filter", "window"]),
    grammar("first_reply_hours", &["filter", "window"]),
    grammar("resolution_hours", &["filter", "window"]),
];
const STANDING_KEYS: [&str; 2] = ["kind", "currency"];
const STANDINGS: [&str; 11] = [
    "oldest_past_due_days",
    "amount_past_due",
    "open_tickets",
    "open_escalations",
    "days_to_renewal",
    "days_to_notice",
    "milestones_share",
    "expected_days",
    "credits_burn",
    "seats",
    "age_days",
];

/// Longest window in days, a hundred years: beyond it a window means everything seen.
const WINDOW_DAYS_MAX: u32 = 36_525;
/// Most weeks a comparison looks back, ten years.
const WEEKS_MAX: u32 = 522;

/// One metric on its way in: its table, its path, its aggregation.
struct Reading<'a> {
    table: &'a Table,
    path: String,
    agg: &'a str,
    names: &'a [&'a str],
}

pub(super) fn read_all(metrics: &Table) -> Result<Vec<Metric>, ModelError> {
    if metrics.len() > METRICS_MAX {
        let reason = format!("{} metrics are declared, at most {METRICS_MAX} are allowed", metrics.len());
        return Err(ModelError::Refused { path: "metrics".to_owned(), reason });
    }
    let metrics = by_name(metrics);
    let names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
    let mut read = Vec::with_capacity(metrics.len());
    for (name, declared) in metrics {
        let path = format!("metrics.{name}");
        let table =
            declared.as_table().ok_or_else(|| bad_value(&path, declared, "a table with the key \"agg\""))?;
        let agg = text(required(table, "agg", &path, "a metric")?, &format!("{path}.agg"))?;
        let reading = Reading { table, path, agg, names: &names };
        reading.check_keys()?;
        read.push(Metric { name: name.clone(), agg: reading.agg()? });
    }
    for index in 0..read.len() {
        check_composition(&read, index)?;
        if let Agg::Change { a, .. } = read[index].agg {
            let path = format!("metrics.{}", read[index].name);
            let window = common_window(&read, a, &path)?;
            check_same_skipping(&read, a, &path)?;
            read[index].agg = Agg::Change { a, window };
        }
    }
    Ok(read)
}

impl Reading<'_> {
    fn check_keys(&self) -> Result<(), ModelError> {
        let keys: &[&str] = match GRAMMARS.iter().find(|grammar| grammar.agg == self.agg) {
            Some(grammar) => grammar.keys,
            None if self.agg == "standing" => &STANDING_KEYS,
            None => {
                let known: Vec<&str> = GRAMMARS.iter().map(|g| g.agg).chain(["standing"]).collect();
                return Err(ModelError::BadValue {
                    path: format!("{}.agg", self.path),
                    value: format!("{:?}", self.agg),
                    expected: format!(
                        "an aggregation (nearest: {:?}; there are {})",
                        nearest(self.agg, known.iter().copied()),
                        known.join(", ")
                    ),
                });
            }
        };
        match self.table.keys().find(|key| *key != "agg" && !keys.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(useless(&self.path, self.agg, key, keys)),
        }
    }

    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn required(&self, key: &str) -> Result<&Toml, ModelError> {
        required(self.table, key, &self.path, self.agg)
    }

    fn agg(&self) -> Result<Agg, ModelError> {
        match self.agg {
            "standing" => Ok(Agg::Standing(self.standing()?)),
            "ratio" => {
                let min_b = match self.table.get("min_b") {
                    Some(least) => Some(number(least, &self.at("min_b"), "a finite number", |_| true)?),
                    None => None,
                };
                Ok(Agg::Ratio { a: self.metric("a")?, b: self.metric("b")?, min_b })
            }
            "per_seat" => Ok(Agg::PerSeat { a: self.metric("a")? }),
            "change" => Ok(Agg::Change { a: self.metric("a")?, window: 0 }),
            "against_own" => Ok(Agg::AgainstOwn { a: self.metric("a")?, weeks: self.weeks()? }),
            "slope" => Ok(Agg::Slope { a: self.metric("a")?, weeks: self.weeks()? }),
            "share" => {
                let min = match self.table.get("min") {
                    Some(least) => integer(least, &self.at("min"), 0, i64::MAX)?,
                    None => 1,
                };
                let window = self.window()?.ok_or_else(|| self.missing("window"))?;
                Ok(Agg::Share {
                    a: self.filter("a_filter", true)?,
                    b: self.filter("b_filter", true)?,
                    window,
                    min: u64::try_from(min).expect("0 or more"),
                })
            }
            _ => Ok(Agg::Plain(self.plain()?)),
        }
    }

    fn plain(&self) -> Result<Plain, ModelError> {
        let field = |needed: bool| match self.table.get("field") {
            Some(name) => Field::parse(text(name, &self.at("field"))?, &self.at("field")).map(Some),
            None if needed => Err(self.missing("field")),
            None => Ok(None),
        };
        let named = || field(true).map(|field| field.expect("a missing field is an error"));
        let kind = match self.agg {
            "count" => PlainKind::Count,
            "sum" => PlainKind::Sum(named()?),
            "active_users" => PlainKind::ActiveUsers,
            "active_days" => PlainKind::ActiveDays,
            "features_used" => PlainKind::FeaturesUsed { core: self.core()? },
            "features_share" => PlainKind::FeaturesShare { core: self.core()? },
            "first_time" => PlainKind::FirstTime,
            "last_time" => PlainKind::LastTime,
            "days_since_last" => PlainKind::DaysSinceLast,
            "last" => PlainKind::Last(named()?),
            "mean" => PlainKind::Mean(named()?),
            "median" => PlainKind::Quantile(named()?, 0.5),
            "quantile" => PlainKind::Quantile(
                named()?,
                number(self.required("q")?, &self.at("q"), "a number from 0 to 1", |q| {
                    (0.0..=1.0).contains(&q)
                })?,
            ),
            "decayed_sum" => PlainKind::DecayedSum(field(false)?, self.half_life()?),
            "decayed_mean" => PlainKind::DecayedMean(named()?, self.half_life()?),
            "happiness" => PlainKind::Happiness,
            "first_reply_hours" => PlainKind::FirstReplyHours,
            "resolution_hours" => PlainKind::ResolutionHours,
            other => unreachable!("{other} is in the grammar and read elsewhere"),
        };
        let window = self.window()?;
        let unbounded = matches!(
            kind,
            PlainKind::Last(_)
                | PlainKind::DaysSinceLast
                | PlainKind::Count
                | PlainKind::Sum(_)
                | PlainKind::FirstTime
                | PlainKind::LastTime
                | PlainKind::DecayedSum(..)
                | PlainKind::DecayedMean(..)
        );
        if window.is_none() && !unbounded {
            return Err(self.missing("window"));
        }
        let skip_closed = match self.table.get("skip_closed") {
            Some(flag) => {
                flag.as_bool().ok_or_else(|| bad_value(&self.at("skip_closed"), flag, "true or false"))?
            }
            None => false,
        };
        if skip_closed && window.is_none() {
            return Err(self.missing("window"));
        }
        Ok(Plain { filter: self.currency_filter(&kind)?, kind, window, skip_closed })
    }

    fn currency_filter(&self, kind: &PlainKind) -> Result<Filter, ModelError> {
        let filter = self.filter("filter", false)?;
        let over_amount = match kind {
            PlainKind::Sum(field)
            | PlainKind::Last(field)
            | PlainKind::Mean(field)
            | PlainKind::Quantile(field, _)
            | PlainKind::DecayedMean(field, _)
            | PlainKind::DecayedSum(Some(field), _) => *field == Field::Amount,
            _ => false,
        };
        match self.currency()? {
            Some(currency) => Ok(filter.with_currency(currency)),
            None if over_amount && !filter.names_currency() => Err(self.missing("currency")),
            None => Ok(filter),
        }
    }

    fn currency(&self) -> Result<Option<Currency>, ModelError> {
        let Some(code) = self.table.get("currency") else { return Ok(None) };
        let currency = code.as_str().and_then(Currency::from_code);
        currency
            .map(Some)
            .ok_or_else(|| bad_value(&self.at("currency"), code, "an ISO 4217 code such as \"EUR\""))
    }

    fn standing(&self) -> Result<StandingKind, ModelError> {
        let kind = self.required("kind")?;
        let standing = match text(kind, &self.at("kind"))? {
            "oldest_past_due_days" => StandingKind::OldestPastDueDays,
            "amount_past_due" => {
                return Ok(StandingKind::AmountPastDue(
                    self.currency()?.ok_or_else(|| self.missing("currency"))?,
                ));
            }
            "open_tickets" => StandingKind::OpenTickets,
            "open_escalations" => StandingKind::OpenEscalations,
            "days_to_renewal" => StandingKind::DaysToRenewal,
            "days_to_notice" => StandingKind::DaysToNotice,
            "milestones_share" => StandingKind::MilestonesShare,
            "expected_days" => StandingKind::ExpectedDays,
            "credits_burn" => StandingKind::CreditsBurn,
            "seats" => StandingKind::Seats,
            "age_days" => StandingKind::AgeDays,
            other => {
                let expected =
                    format!("one of {} (nearest: {:?})", STANDINGS.join(", "), nearest(other, STANDINGS));
                return Err(bad_value(&self.at("kind"), kind, &expected));
            }
        };
        if self.table.contains_key("currency") {
            return Err(useless(&self.path, &format!("standing {kind}"), "currency", &["kind"]));
        }
        Ok(standing)
    }

    fn filter(&self, key: &str, needed: bool) -> Result<Filter, ModelError> {
        match self.table.get(key) {
            Some(Toml::Table(table)) => Filter::parse(table, &self.at(key)),
            Some(other) => Err(bad_value(&self.at(key), other, "a table of conditions")),
            None if needed => Err(self.missing(key)),
            None => Ok(Filter::default()),
        }
    }

    fn window(&self) -> Result<Option<u32>, ModelError> {
        let Some(days) = self.table.get("window") else { return Ok(None) };
        Ok(Some(whole(days, &self.at("window"), 1, WINDOW_DAYS_MAX)?))
    }

    fn weeks(&self) -> Result<u32, ModelError> {
        whole(self.required("weeks")?, &self.at("weeks"), 1, WEEKS_MAX)
    }

    fn half_life(&self) -> Result<f64, ModelError> {
        const DAYS_MAX: f64 = 36_525.0;
        let days = self.required("half_life_days")?;
        number(days, &self.at("half_life_days"), "days above 0, at most 36525", |d| 0.0 < d && d <= DAYS_MAX)
    }

    fn core(&self) -> Result<Vec<String>, ModelError> {
        let Some(list) = self.table.get("core") else { return Ok(Vec::new()) };
        let path = self.at("core");
        let entries = list.as_array().ok_or_else(|| bad_value(&path, list, "a list of features"))?;
        let mut core = Vec::with_capacity(entries.len());
        for entry in entries {
            core.push(text(entry, &path)?.to_owned());
        }
        core.sort();
        core.dedup();
        Ok(core)
    }

    fn metric(&self, key: &str) -> Result<usize, ModelError> {
        let name = text(self.required(key)?, &self.at(key))?;
        find(name, self.names, "metric", &self.at(key))
    }

    fn missing(&self, key: &str) -> ModelError {
        ModelError::MissingKey { path: self.path.clone(), agg: self.agg.to_owned(), key: key.to_owned() }
    }
}

impl Agg {
    /// The metrics it is composed of, by their places in the model.
    pub fn parts(&self) -> Vec<usize> {
        match self {
            Self::Plain(_) | Self::Share { .. } | Self::Standing(_) => vec![],
            Self::Ratio { a, b, .. } => vec![*a, *b],
            Self::PerSeat { a }
            | Self::Change { a, .. }
            | Self::AgainstOwn { a, .. }
            | Self::Slope { a, .. } => {
                vec![*a]
            }
        }
    }
}

fn check_composition(metrics: &[Metric], index: usize) -> Result<(), ModelError> {
    let path = format!("metrics.{}", metrics[index].name);
    let refused = |reason: String| Err(ModelError::Refused { path: path.clone(), reason });
    let mut reached = vec![false; metrics.len()];
    let mut ahead = metrics[index].agg.parts();
    while let Some(part) = ahead.pop() {
        if part == index {
            return refused("the metric is composed of itself".to_owned());
        }
        if !std::mem::replace(&mut reached[part], true) {
            ahead.extend(metrics[part].agg.parts());
        }
    }
    let (Agg::Change { a, .. } | Agg::AgainstOwn { a, .. } | Agg::Slope { a, .. }) = metrics[index].agg
    else {
        return Ok(());
    };
    let plain = |part: usize| matches!(metrics[part].agg, Agg::Plain(_) | Agg::Share { .. });
    let in_ratio = |part: usize| plain(part) || matches!(metrics[part].agg, Agg::Standing(_));
    let comparable = match metrics[a].agg {
        Agg::Plain(_) | Agg::Share { .. } => true,
        Agg::Ratio { a, b, .. } => in_ratio(a) && in_ratio(b),
        Agg::PerSeat { a } => plain(a),
        Agg::Standing(_) | Agg::Change { .. } | Agg::AgainstOwn { .. } | Agg::Slope { .. } => false,
    };
    match comparable {
        true => Ok(()),
        false => refused(format!(
            "{:?} is neither a plain metric nor a ratio or per_seat of plain ones, so it cannot be compared",
            metrics[a].name
        )),
    }
}

/// Refuses parts under `change` of which one leaves out closed days and another does not: their previous windows would end
/// on different days.
fn check_same_skipping(metrics: &[Metric], part: usize, path: &str) -> Result<(), ModelError> {
    let skips = |part: usize| matches!(metrics[part].agg, Agg::Plain(Plain { skip_closed: true, .. }));
    match metrics[part].agg {
        Agg::Ratio { a, b, .. } if skips(a) != skips(b) => {
            let (with, without) = if skips(a) { (a, b) } else { (b, a) };
            let reason = format!(
                "change compares one window, but {:?} leaves out closed days and {:?} does not; give both the same \
                 skip_closed",
                metrics[with].name, metrics[without].name
            );
            Err(ModelError::Refused { path: path.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// The one window that all parts under `change` share.
fn common_window(metrics: &[Metric], part: usize, path: &str) -> Result<u32, ModelError> {
    let refused = |reason: String| Err(ModelError::Refused { path: path.to_owned(), reason });
    match &metrics[part].agg {
        Agg::Plain(Plain { window: Some(days), .. }) | Agg::Share { window: days, .. } => Ok(*days),
        Agg::Ratio { a, b, .. } => {
            let (above, below) = (common_window(metrics, *a, path)?, common_window(metrics, *b, path)?);
            if above == below {
                return Ok(above);
            }
            refused(format!(
                "change compares one window, but {:?} has {above} days and {:?} has {below}; give both the same window",
                metrics[*a].name, metrics[*b].name
            ))
        }
        Agg::PerSeat { a } => common_window(metrics, *a, path),
        _ => refused(format!("change needs a window, and {:?} has none", metrics[part].name)),
    }
}
