//! `tidewatch detect`: the drop detector over a file of cases, so that it can be held against another implementation.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Deserialize;
use tidewatch_projections::drop::baseline::{BASELINE_WEEKS, Baseline, BaselineWeek};
use tidewatch_projections::drop::beta::beta_regularised;
use tidewatch_projections::drop::decline::{Decline, decline};
use tidewatch_projections::drop::fleet_day::{FLEET_DAYS, FleetDay, FleetNoise};
use tidewatch_projections::drop::fleet_prior::fleet_c0;
use tidewatch_projections::drop::history::{DAYS, History, WEEK, WEEKS};
use tidewatch_projections::drop::parameters::{Parameters, WINDOWS};
use tidewatch_projections::drop::verdict::{Verdict, evaluate};
use tidewatch_projections::severity::Severity;

use super::output;

#[derive(Args)]
pub(super) struct Arguments {
    /// A JSON file of cases (`name`, `input`, `expect`) and of what the fleet gives; docs/DETECTION.md tells its form.
    #[arg(long, value_name = "FILE")]
    vectors: PathBuf,
}

/// What a file of vectors holds. What is expected is not looked at, only which figures are.
#[derive(Deserialize)]
struct Vectors {
    #[serde(default)]
    defaults: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    cases: Vec<Case>,
    betainc: Option<Vec<Beta>>,
    fleet: Option<Fleet>,
    fleet_c0: Option<Prior>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    input: Input,
    expect: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Input {
    counts: Vec<f64>,
    age_days: u32,
    fleet_factor: Vec<f64>,
    weekday_prior: Vec<f64>,
    week_index: Vec<f64>,
    #[serde(default)]
    params: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Beta {
    a: f64,
    b: f64,
    x: f64,
}

#[derive(Deserialize)]
struct Fleet {
    /// A row of nine days for each account; one that lacks a day is left out.
    history: Vec<Vec<Option<f64>>>,
    previous: Vec<f64>,
    status: Vec<FleetDayAsked>,
}

#[derive(Deserialize)]
struct FleetDayAsked {
    raw: f64,
    silent_share: f64,
}

#[derive(Deserialize)]
struct Prior {
    /// The weeks of each account: (count, exposure).
    blocks: Vec<Vec<(f64, f64)>>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let vectors = read(&arguments.vectors)?;
    let mut out = output::out();
    for case in &vectors.cases {
        let line = judged(case, &vectors.defaults).with_context(|| format!("the case {:?}", case.name))?;
        writeln!(out, "{line}")?;
    }
    if let Some(betas) = &vectors.betainc {
        let values = betas.iter().map(|beta| number(beta_regularised(beta.a, beta.b, beta.x)));
        writeln!(out, "{}", output::json_object([("betainc", output::json_list(values))]))?;
    }
    let parameters = with(Parameters::default(), &vectors.defaults).context("defaults")?;
    if let Some(fleet) = &vectors.fleet {
        let fleet = fleet.computed(&parameters).context("fleet")?;
        writeln!(out, "{}", output::json_object([("fleet", fleet)]))?;
    }
    if let Some(prior) = &vectors.fleet_c0 {
        writeln!(out, "{}", output::json_object([("fleet_c0", number(prior.c0()?))]))?;
    }
    Ok(out.flush()?)
}

fn read(file: &Path) -> anyhow::Result<Vectors> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds no vectors", file.display()))
}

/// One object of those figures that the case expects something of.
fn judged(case: &Case, defaults: &BTreeMap<String, serde_json::Value>) -> anyhow::Result<String> {
    let Input { counts, age_days, fleet_factor, weekday_prior, week_index, params } = &case.input;
    let counts: [f64; DAYS] = array(counts, "counts")?;
    ensure!(counts.iter().all(|count| *count >= 0.0), "counts are not below 0");
    let (factors, fleet_shares): ([f64; DAYS], [f64; WEEK]) =
        (array(fleet_factor, "fleet_factor")?, array(weekday_prior, "weekday_prior")?);
    let index: [f64; WEEKS] = array(week_index, "week_index")?;
    let parameters = with(with(Parameters::default(), defaults)?, params)?;
    let history =
        History { counts: &counts, factors: &factors, age_days: *age_days, fleet_shares: &fleet_shares };
    let found = Found {
        verdict: evaluate(&history, &parameters),
        decline: decline(&counts, *age_days, &index, &parameters),
    };
    let mut fields = vec![("name", output::json_text(&case.name))];
    for key in case.expect.keys() {
        fields.push((key, found.figure(key)?));
    }
    Ok(output::json_object(fields))
}

struct Found {
    verdict: Verdict,
    decline: Option<Decline>,
}

impl Found {
    /// A figure as JSON, by its key in a file of vectors.
    fn figure(&self, key: &str) -> anyhow::Result<String> {
        let Self { verdict, decline } = self;
        let text = verdict.text();
        Ok(match key {
            "alert" => verdict.is_alert.to_string(),
            "p" => number(verdict.p),
            "branch" => output::json_text(verdict.evidence.branch()),
            "drop" => output::json_number(verdict.drop),
            "expected" => output::json_number(verdict.expected),
            "severity" => output::json_optional(verdict.severity.map(Severity::name)),
            // Where nothing speaks against the account there is nothing to be sure of.
            "confidence" => output::json_number(text.is_some().then(|| verdict.confidence())),
            "text" => output::json_optional(text.as_deref()),
            "decline_alert" => decline.is_some_and(|decline| decline.is_alert).to_string(),
            "decline_p" => number(decline.map_or(1.0, |decline| decline.p)),
            other => bail!("{other:?} is expected, which the detector does not tell"),
        })
    }
}

impl Fleet {
    fn computed(&self, parameters: &Parameters) -> anyhow::Result<String> {
        let mut day = FleetDay::default();
        for row in &self.history {
            if let Some(counts) = row.iter().copied().collect::<Option<Vec<f64>>>() {
                day.add(&array::<FLEET_DAYS>(&counts, "history")?);
            }
        }
        let noise = FleetNoise::of(&self.previous);
        let status = self.status.iter().map(|asked| {
            output::json_text(noise.status(asked.raw, asked.silent_share, parameters.dark).name())
        });
        Ok(output::json_object([
            ("raw", number(day.raw())),
            ("shrunk", number(noise.factor(day.raw()))),
            ("status", output::json_list(status)),
        ]))
    }
}

impl Prior {
    fn c0(&self) -> anyhow::Result<f64> {
        let mut baselines = Vec::with_capacity(self.blocks.len());
        for blocks in &self.blocks {
            ensure!(
                blocks.len() <= BASELINE_WEEKS,
                "fleet_c0: a baseline has at most {BASELINE_WEEKS} weeks"
            );
            let weeks =
                blocks.iter().map(|(count, exposure)| BaselineWeek { count: *count, exposure: *exposure });
            baselines.push(Baseline::of(weeks));
        }
        Ok(fleet_c0(&baselines))
    }
}

/// The parameters, some of them set by the names that a file of vectors uses.
fn with(mut parameters: Parameters, set: &BTreeMap<String, serde_json::Value>) -> anyhow::Result<Parameters> {
    for (key, value) in set {
        if key == "windows" {
            let windows = WINDOWS.map(|window| (window.days, window.power));
            ensure!(
                serde_json::from_value::<Vec<(usize, f64)>>(value.clone())? == windows,
                "the windows of the detector are fixed: {windows:?}"
            );
            continue;
        }
        let number = value.as_f64().with_context(|| format!("{key} is no number"))?;
        let place = match key.as_str() {
            "alpha" => &mut parameters.alpha,
            "min_drop" => &mut parameters.drop_min,
            "min_drop_recent" => &mut parameters.drop_recent_min,
            "c0" => &mut parameters.c0,
            "d0" => &mut parameters.d0,
            "day_weight" => &mut parameters.day_weight,
            "cap" => &mut parameters.cap,
            "still_low" => &mut parameters.still_low,
            "hol" => &mut parameters.off_variance,
            "dark" => &mut parameters.dark,
            "decline_alpha" => &mut parameters.decline_alpha,
            "decline_drop" => &mut parameters.decline_drop_min,
            "decline_slope" => &mut parameters.decline_change_max,
            "blocks" | "min_blocks" | "min_active" => {
                let whole = value.as_u64().and_then(|whole| u32::try_from(whole).ok());
                let whole = whole.with_context(|| format!("{key} is no whole number"))?;
                match key.as_str() {
                    "blocks" => parameters.weeks = whole as usize,
                    "min_blocks" => parameters.weeks_min = whole as usize,
                    _ => parameters.active_days_min = whole,
                }
                continue;
            }
            other => bail!("{other:?} is no parameter of the detector"),
        };
        *place = number;
    }
    Ok(parameters)
}

fn array<const N: usize>(numbers: &[f64], what: &str) -> anyhow::Result<[f64; N]> {
    let count = numbers.len();
    numbers.try_into().ok().with_context(|| format!("{what} has {count} numbers, not {N}"))
}

fn number(number: f64) -> String {
    output::json_number(Some(number))
}
