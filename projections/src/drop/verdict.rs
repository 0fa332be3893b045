//! The decision about one account on one day: whether its activity fell, how sure that is, and how bad.

use libm::{log, log10, pow};

use super::history::{DAYS, History};
use super::parameters::{Parameters, SILENCE_POWER, WINDOWS};
use super::pattern::Pattern;
use super::silence::Silence;
use super::tail::Tail;
use super::window::{Scatter, Window};
use crate::severity::Severity;

/// Probabilities below are not told apart.
const P_MIN: f64 = 1e-300;
/// An alert at this part of alpha is strong.
const STRONG: f64 = 100.0;
/// Drops from which an alert is medium, high where it is strong, and high.
const DROPS: [f64; 3] = [0.6, 0.7, 0.9];
/// A shorter window is at most high: a day or two is not yet critical.
const CRITICAL_DAYS_MIN: usize = 3;
/// Slope and origin of the confidence in −log₁₀ p, as measured (drop-detection §4).
const CONFIDENCE: (f64, f64) = (0.4, 2.0);
/// No alert is surer.
const CONFIDENCE_MAX: f64 = 0.99;
/// The bounds of the range that is told as expected.
const RANGE: (f64, f64) = (0.05, 0.95);
/// Where only the judgement counts, an account is passed over whose best p would be above alpha by more than rounding.
const MARGIN: f64 = 1e-6;

/// What speaks most against the account.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Evidence {
    /// The account is too new, or too little of its past is known.
    InsufficientHistory,
    /// Nothing fell.
    Nothing,
    /// A window holds less than expected.
    Count(Fall),
    /// Nothing happened for some days.
    Silence(Silence),
}

/// A window that holds less than its baseline lets expect.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fall {
    /// Complete days, the judged one included.
    pub days: usize,
    /// What happened in them.
    pub count: f64,
    /// What was expected to.
    pub expected: f64,
    /// 1 − count / expected.
    pub drop: f64,
    /// Weeks of the baseline.
    pub weeks: usize,
    /// The distribution of the count, had nothing changed.
    pub tail: Tail,
}

impl Fall {
    /// The interval that holds nine of ten counts, had nothing changed.
    pub fn expected_range(&self) -> (f64, f64) {
        let at = |share| self.tail.quantile(share, self.expected);
        (at(RANGE.0), at(RANGE.1))
    }
}

impl Evidence {
    /// Its short name: `none`, `insufficient_history`, `count7` … `count1`, `silence`.
    pub fn branch(&self) -> &'static str {
        match self {
            Self::InsufficientHistory => "insufficient_history",
            Self::Nothing => "none",
            Self::Silence(_) => "silence",
            Self::Count(fall) => match fall.days {
                1 => "count1",
                2 => "count2",
                3 => "count3",
                5 => "count5",
                _ => "count7",
            },
        }
    }
}

/// The decision about one account on one day.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Verdict {
    /// Whether it is worth an alert: p is at most alpha.
    pub is_alert: bool,
    /// The adjusted p: the least of the windows' and the silence's on the scale of seven days; 1 where nothing speaks against
    /// the account.
    pub p: f64,
    /// What this p comes from.
    pub evidence: Evidence,
    /// By what share activity fell; of the last seven days where nothing speaks against the account, if they can be judged.
    pub drop: Option<f64>,
    /// Activity expected in the last seven days, if they can be judged.
    pub expected: Option<f64>,
    /// How bad it is; of alerts only.
    pub severity: Option<Severity>,
}

impl Verdict {
    /// The share of alerts like this that were real when it was measured, from 0 to 0.99.
    pub fn confidence(&self) -> f64 {
        let (slope, origin) = CONFIDENCE;
        (1.0 - pow(10.0, -slope * (-log10(self.p) - origin))).clamp(0.0, CONFIDENCE_MAX)
    }
}

/// Everything about an account that costs little.
struct Measured<'a> {
    pattern: Pattern<'a>,
    windows: [Option<Window>; WINDOWS.len()],
    /// The last two days are back: no window is a drop.
    is_back: bool,
    /// Of accounts that were not active on the judged day.
    silence: Option<Silence>,
}

impl<'a> Measured<'a> {
    fn of(history: &History<'a>, parameters: &Parameters) -> Self {
        let pattern = Pattern::of(*history, parameters.dark);
        let windows = WINDOWS.map(|scale| Window::measure(&pattern, scale.days, parameters));
        let last_two = WINDOWS.iter().zip(&windows).find(|(scale, _)| scale.days == 2);
        let is_back =
            last_two.and_then(|(_, window)| window.as_ref()).is_some_and(|window| window.is_back(parameters));
        let is_silent = history.counts[DAYS - 1] <= 0.0;
        let silence = if is_silent { Silence::test(history, parameters) } else { None };
        Self { pattern, windows, is_back, silence }
    }

    /// The windows that fell, with their power.
    fn falls<'s>(&'s self, parameters: &'s Parameters) -> impl Iterator<Item = (f64, &'s Window)> + 's {
        let windows = WINDOWS.iter().zip(&self.windows).filter(|_| !self.is_back);
        windows.filter_map(move |(scale, window)| {
            window.as_ref().filter(|window| window.is_drop(parameters)).map(|window| (scale.power, window))
        })
    }

    /// False only where no p can reach alpha, by bounds that cost no beta function: e^−missed of the silence, and
    /// [`Window::evidence_max`].
    fn may_alert(&self, parameters: &Parameters) -> bool {
        let needed = -log(parameters.alpha) * (1.0 - MARGIN) - MARGIN;
        self.silence.is_some_and(|silence| SILENCE_POWER * silence.missed >= needed)
            || self.falls(parameters).any(|(power, window)| power * window.evidence_max() >= needed)
    }

    fn judge(&self, parameters: &Parameters) -> Verdict {
        let mut best: Option<(f64, Evidence, f64)> = None;
        let mut consider = |p: f64, power: f64, evidence: Evidence, drop: f64| {
            let p = pow(p.max(P_MIN), power);
            if best.is_none_or(|(least, _, _)| p < least) {
                best = Some((p, evidence, drop));
            }
        };
        let mut scatter = None;
        for (power, window) in self.falls(parameters) {
            let scattered = *scatter.insert(Scatter::of(&self.pattern, window, parameters, scatter));
            let tail = window.tail(&self.pattern, &scattered, parameters);
            let Window { days, count, expected, drop, weeks, .. } = *window;
            let fall = Fall { days, count, expected, drop, weeks, tail };
            consider(tail.at_most(count), power, Evidence::Count(fall), drop);
        }
        if let Some(silence) = self.silence {
            consider(silence.p, SILENCE_POWER, Evidence::Silence(silence), 1.0);
        }
        let week = self.windows[0].as_ref();
        let expected = week.map(|week| week.expected);
        let Some((p, evidence, drop)) = best else {
            let is_judged = week.is_some() || Silence::test(&self.pattern.history, parameters).is_some();
            let evidence = if is_judged { Evidence::Nothing } else { Evidence::InsufficientHistory };
            let drop = week.map(|week| week.drop);
            return Verdict { is_alert: false, p: 1.0, evidence, drop, expected, severity: None };
        };
        let is_alert = p <= parameters.alpha;
        let severity = is_alert.then(|| severity(p <= parameters.alpha / STRONG, drop, &evidence));
        Verdict { is_alert, p, evidence, drop: Some(drop), expected, severity }
    }
}

fn severity(is_strong: bool, drop: f64, evidence: &Evidence) -> Severity {
    let is_short = matches!(evidence, Evidence::Count(fall) if fall.days < CRITICAL_DAYS_MIN);
    let [medium, high_if_strong, high] = DROPS;
    match drop {
        drop if drop >= high && is_strong && !is_short => Severity::Critical,
        drop if drop >= high || (drop >= high_if_strong && is_strong) => Severity::High,
        drop if drop >= medium || is_strong => Severity::Medium,
        _ => Severity::Low,
    }
}

/// Judges one account on one day.
pub fn evaluate(history: &History<'_>, parameters: &Parameters) -> Verdict {
    Measured::of(history, parameters).judge(parameters)
}

/// The verdict where it is an alert, at a fraction of the cost where it is none: what [`evaluate`] gives, or `None`.
pub fn alert(history: &History<'_>, parameters: &Parameters) -> Option<Verdict> {
    let measured = Measured::of(history, parameters);
    let verdict = measured.may_alert(parameters).then(|| measured.judge(parameters))?;
    verdict.is_alert.then_some(verdict)
}
