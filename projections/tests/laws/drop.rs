//! Laws of the drop detector, held against drawn accounts.

use proptest::collection::vec;
use proptest::prelude::*;
use tidewatch_projections::drop::decline::decline;
use tidewatch_projections::drop::detectable::Detectable;
use tidewatch_projections::drop::fleet_day::{FLEET_DAYS, FleetDay, FleetNoise};
use tidewatch_projections::drop::history::{DAYS, History, WEEK, WEEKS};
use tidewatch_projections::drop::parameters::Parameters;
use tidewatch_projections::drop::verdict::{Evidence, alert, evaluate};

/// An account of any size and rhythm, with what was usual around it.
#[derive(Clone, Debug)]
struct Account {
    counts: [f64; DAYS],
    factors: [f64; DAYS],
    age_days: u32,
    fleet_shares: [f64; WEEK],
}

impl Account {
    fn history(&self) -> History<'_> {
        let Self { counts, factors, age_days, fleet_shares } = self;
        History { counts, factors, age_days: *age_days, fleet_shares }
    }
}

/// Counts about a level that changes on some day, on some weekdays only; most factors are 1, some days are off or missing.
fn account() -> impl Strategy<Value = Account> {
    let level = prop_oneof![0.0..2.0_f64, 2.0..40.0_f64, 40.0..100_000.0_f64];
    let factor = prop_oneof![8 => Just(1.0), 1 => 0.3..1.5_f64, 1 => Just(0.0)];
    let factors = prop_oneof![3 => Just(vec![1.0; DAYS]), 1 => vec(factor, DAYS)];
    let age_days = prop_oneof![4 => Just(400_u32), 1 => 1..120_u32];
    (
        level,
        0.0..1.2_f64,
        0..DAYS,
        vec(0.0..2.0_f64, DAYS),
        factors,
        age_days,
        vec(0.01..1.0_f64, WEEK),
        1..=WEEK,
    )
        .prop_map(|(level, rest, from, noise, factors, age_days, shares, active_weekdays)| {
            let counts = std::array::from_fn(|day| {
                let is_active = day % WEEK < active_weekdays;
                let level = if day >= from { level * rest } else { level };
                if is_active { (level * noise[day]).round() } else { 0.0 }
            });
            let sum: f64 = shares.iter().sum();
            Account {
                counts,
                factors: factors.try_into().expect("as many as days"),
                age_days,
                fleet_shares: std::array::from_fn(|weekday| shares[weekday] / sum),
            }
        })
}

fn fleet() -> impl Strategy<Value = Vec<[f64; FLEET_DAYS]>> {
    vec(vec(0.0..500.0_f64, FLEET_DAYS), 0..40)
        .prop_map(|rows| rows.into_iter().map(|row| row.try_into().expect("as many as days")).collect())
}

fn raw(rows: &[[f64; FLEET_DAYS]]) -> f64 {
    let mut day = FleetDay::default();
    rows.iter().for_each(|row| day.add(row));
    day.raw()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// The quick answer passes over none that the whole test would tell, and tells the same.
    #[test]
    fn what_is_passed_over_is_no_alert(account in account(), alpha in prop_oneof![Just(1e-2), Just(1e-3), Just(1e-6)]) {
        let parameters = Parameters { alpha, ..Parameters::default() };
        let verdict = evaluate(&account.history(), &parameters);
        prop_assert_eq!(alert(&account.history(), &parameters), verdict.is_alert.then_some(verdict));
    }

    /// p never falls where an active day of the last week was busier: no weekday share, no silence depends on it.
    #[test]
    fn more_activity_is_no_stronger_sign_of_a_drop(account in account(), more in vec(0.0..50.0_f64, WEEK)) {
        let parameters = Parameters::default();
        let mut busier = account.clone();
        for (count, more) in busier.counts[DAYS - WEEK..].iter_mut().zip(more).filter(|(count, _)| **count > 0.0) {
            *count += more.round();
        }
        let (before, after) =
            (evaluate(&account.history(), &parameters), evaluate(&busier.history(), &parameters));
        prop_assert!(after.p >= before.p * (1.0 - 1e-9), "{before:?} became {after:?}");
    }

    /// Alpha decides what is told, never what is found.
    #[test]
    fn sensitivity_changes_no_figure(account in account()) {
        let [quiet, eager] = [1e-6, 1e-2].map(|alpha| {
            evaluate(&account.history(), &Parameters { alpha, ..Parameters::default() })
        });
        prop_assert_eq!((quiet.p, quiet.evidence, quiet.drop), (eager.p, eager.evidence, eager.drop));
        prop_assert!(eager.is_alert || !quiet.is_alert);
    }

    #[test]
    fn figures_are_within_their_ranges(account in account()) {
        let parameters = Parameters::default();
        let verdict = evaluate(&account.history(), &parameters);
        prop_assert!(verdict.p > 0.0 && verdict.p <= 1.0, "{verdict:?}");
        prop_assert!((0.0..=0.99).contains(&verdict.confidence()), "{verdict:?}");
        prop_assert_eq!(verdict.severity.is_some(), verdict.is_alert);
        let is_judged = !matches!(verdict.evidence, Evidence::Nothing | Evidence::InsufficientHistory);
        prop_assert_eq!(verdict.text().is_some(), is_judged);
        match verdict.evidence {
            Evidence::Count(fall) => {
                let (low, high) = fall.expected_range();
                prop_assert!(low < high && fall.count < fall.expected, "{fall:?}, {low} to {high}");
                prop_assert!(fall.drop >= parameters.drop_min - 1e-9 && fall.drop <= 1.0, "{fall:?}");
            }
            Evidence::Silence(silence) => prop_assert!(silence.days > 0, "{silence:?}"),
            Evidence::Nothing | Evidence::InsufficientHistory => prop_assert_eq!(verdict.p, 1.0),
        }
    }

    /// A fleet that sinks as the account does leaves less of a decline, and p lies between 0 and 1.
    #[test]
    fn a_decline_has_a_probability(account in account(), index in vec(0.2..2.0_f64, WEEKS)) {
        let index: [f64; WEEKS] = index.try_into().expect("as many as weeks");
        if let Some(found) = decline(&account.counts, account.age_days, &index, &Parameters::default()) {
            prop_assert!((0.0..=1.0).contains(&found.p), "{found:?}");
            prop_assert!(found.drop <= 1.0 && found.change > -1.0 && found.expected > 0.0, "{found:?}");
        }
    }

    /// Whether a day was usual does not hang on who is added first, but for rounding: which is why the order is fixed.
    #[test]
    fn the_order_of_accounts_is_rounding(rows in fleet(), seed in any::<u64>()) {
        let mut shuffled = rows.clone();
        let mut draw = seed;
        for index in (1..shuffled.len()).rev() {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(index, (draw >> 33) as usize % (index + 1));
        }
        prop_assert!((raw(&rows) - raw(&shuffled)).abs() <= 1e-12 * raw(&rows));
    }

    /// A factor lies between 1 and the raw one, and never above 1.5.
    #[test]
    fn a_factor_is_drawn_to_one(raw in 0.0..3.0_f64, before in vec(0.5..1.5_f64, 0..60)) {
        let factor = FleetNoise::of(&before).factor(raw);
        let (low, high) = (raw.clamp(1e-6, 1.0), raw.clamp(1.0, 1.5));
        prop_assert!((low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(&factor), "{factor} of {raw}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// What is said to be noticed on a day is noticed then: the same days, written out, alert on that day and not before.
    #[test]
    fn what_is_said_to_be_noticed_is(account in account()) {
        let parameters = Parameters::default();
        let found = Detectable::of(&account.history(), &parameters);
        prop_assert_eq!(found.is_judged_weekly(), found.within_days[0].is_some_and(|days| days <= 7));
        let stopped = |days: usize| {
            let shifted = |series: &[f64; DAYS], rest: f64| {
                std::array::from_fn(|day| series.get(day + days).copied().unwrap_or(rest))
            };
            Account {
                counts: shifted(&account.counts, 0.0),
                factors: shifted(&account.factors, 1.0),
                age_days: account.age_days + days as u32,
                fleet_shares: std::array::from_fn(|weekday| account.fleet_shares[(weekday + days) % WEEK]),
            }
        };
        let first = (1..=28).find(|days| evaluate(&stopped(*days).history(), &parameters).is_alert);
        prop_assert_eq!(found.within_days[0], first.map(|days| days as u32));
    }
}
