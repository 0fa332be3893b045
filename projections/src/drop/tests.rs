//! Verdicts whose figures were worked out by hand.

use libm::{log, pow};

use super::baseline::{Baseline, BaselineWeek, present_level};
use super::detectable::Detectable;
use super::fleet_pattern::{FleetShares, WeekIndex, open_index};
use super::fleet_prior::fleet_c0;
use super::history::{DAYS, History, LAST_WEEK, WEEK, WEEKS};
use super::parameters::Parameters;
use super::verdict::{Evidence, Verdict, evaluate};
use crate::severity::Severity;

const FLAT: [f64; WEEK] = [1.0 / 7.0; WEEK];
const USUAL: [f64; DAYS] = [1.0; DAYS];

/// As many events on every day, and others in the last week.
fn steady(daily: f64, last_week: [f64; WEEK]) -> [f64; DAYS] {
    std::array::from_fn(|day| if day < LAST_WEEK { daily } else { last_week[day - LAST_WEEK] })
}

fn judge(counts: &[f64; DAYS], factors: &[f64; DAYS], age_days: u32) -> Verdict {
    let history = History { counts, factors, age_days, fleet_shares: &FLAT };
    evaluate(&history, &Parameters::default())
}

fn is_close(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= 1e-9 * expected.abs()
}

#[test]
fn a_week_of_silence_after_eight_even_weeks() {
    let verdict = judge(&steady(10.0, [0.0; WEEK]), &USUAL, 400);
    // Eight weeks of 70 do not scatter, so φ = 8 (1 + 0.04 · 70) / 15, and p = (8/9)^(560/φ + 1/2); every other window and the
    // silence, about e^−10, say less.
    let dispersion = 8.0 * (1.0 + 0.04 * 70.0) / 15.0;
    assert!(is_close(verdict.p, pow(8.0 / 9.0, 560.0 / dispersion + 0.5)), "{verdict:?}");
    assert_eq!(verdict.evidence.branch(), "count7");
    assert_eq!((verdict.drop, verdict.severity), (Some(1.0), Some(Severity::Critical)));
    assert!(is_close(verdict.expected.unwrap(), 70.0), "{verdict:?}");
    assert_eq!(verdict.confidence(), 0.99);
    let text = verdict.text().unwrap();
    assert!(text.starts_with("0 events in the last 7 day(s) against "), "{text}");
    assert!(text.ends_with(" expected (same weekdays of the last 8 weeks); adjusted p = 7e-15"), "{text}");
}

#[test]
fn one_silent_day_of_a_daily_account() {
    let mut last_week = [10.0; WEEK];
    last_week[6] = 0.0;
    let verdict = judge(&steady(10.0, last_week), &USUAL, 400);
    // Eight days of 10: φ = 8 (1 + 0.04 · 10) / 15 < 1, so 1, and p₁ = (8/9)^80.5. Two days are down by half only:
    // p₂ = I(160.5, 11, 8/9), which is greater on the scale of a week.
    assert!(is_close(verdict.p, pow(pow(8.0 / 9.0, 80.5), 1.0 / 3.0)), "{verdict:?}");
    assert_eq!((verdict.evidence.branch(), verdict.is_alert), ("count1", false), "p is 0.042");
    assert_eq!((verdict.drop, verdict.severity), (Some(1.0), None));
}

#[test]
fn a_day_or_two_is_at_most_high() {
    let mut last_week = [40.0; WEEK];
    last_week[5..].fill(0.0);
    let verdict = judge(&steady(40.0, last_week), &USUAL, 400);
    // Eight times two days of 40: φ = 8 (1 + 0.04 · 80) / 15.
    let dispersion = 8.0 * (1.0 + 0.04 * 80.0) / 15.0;
    assert!(is_close(verdict.p, pow(pow(8.0 / 9.0, 640.0 / dispersion + 0.5), 0.4)), "{verdict:?}");
    assert!(verdict.p < 1e-5, "strong, and a drop of all: critical, were it longer");
    assert_eq!((verdict.evidence.branch(), verdict.severity), ("count2", Some(Severity::High)));
}

#[test]
fn activity_that_is_back_is_no_drop() {
    // Five days at a tenth; the last two at 7.1 of 10 each are back above 70 %.
    let back = judge(&steady(10.0, [1.0, 1.0, 1.0, 1.0, 1.0, 7.1, 7.1]), &USUAL, 400);
    assert!(matches!(back.evidence, Evidence::Nothing), "{back:?}");
    assert!(is_close(back.drop.unwrap(), 1.0 - 19.2 / 70.0), "of the week: {back:?}");
    let low = judge(&steady(10.0, [1.0, 1.0, 1.0, 1.0, 1.0, 7.0, 7.0]), &USUAL, 400);
    assert_eq!(low.evidence.branch(), "count7", "70 % is not above it");
}

#[test]
fn missing_days_are_left_out_of_a_window() {
    let mut factors = USUAL;
    factors[94..].fill(0.0);
    // Three known days of the last week, at nothing: B = 240, Ew = 3/7; φ = 8 (1 + 0.04 · 30) / 15 of three days a week.
    let verdict = judge(&steady(10.0, [0.0; WEEK]), &factors, 400);
    let Evidence::Silence(silence) = verdict.evidence else {
        panic!("less than half of a week is known, so silence alone speaks: {verdict:?}")
    };
    assert_eq!(silence.days, 7);
    assert!(is_close(silence.missed, 3.0 * (1.0 - 0.5 / 93.0)), "{silence:?}");
    factors[94] = 1.0;
    let verdict = judge(&steady(10.0, [0.0; WEEK]), &factors, 400);
    let dispersion: f64 = (8.0 * (1.0 + 0.04 * 40.0) / 15.0_f64).max(1.0);
    assert!(is_close(verdict.p, pow(8.0 / 9.0, 320.0 / dispersion + 0.5)), "four of seven days: {verdict:?}");
}

#[test]
fn where_the_fleet_falls_too_less_is_said_of_one_account() {
    let mut factors = USUAL;
    factors[LAST_WEEK..].fill(0.6);
    let follows = judge(&steady(10.0, [6.0; WEEK]), &factors, 400);
    assert!(matches!(follows.evidence, Evidence::Nothing), "the fleet fell as much: {follows:?}");
    assert!(is_close(follows.expected.unwrap(), 42.0));
    // Silence within it: Ew = 0.6, and φ grows by 1.5 (1 − 0.6)² · 42.
    let stopped = judge(&steady(10.0, [0.0; WEEK]), &factors, 400);
    let dispersion = 8.0 * (1.0 + 0.04 * 70.0) / 15.0 + 1.5 * 0.16 * 42.0;
    let count7 = pow(8.0 / 8.6, 560.0 / dispersion + 0.5);
    let missed = 0.6 * 7.0 * (1.0 - 0.5 / 93.0);
    let silence = pow(1.0 + missed / 91.5, -91.5 * 1.5);
    assert!(silence < count7, "{silence} {count7}");
    assert!(stopped.p <= silence * (1.0 + 1e-9) && stopped.p > 1e-5, "{stopped:?}");
    assert!(judge(&steady(10.0, [0.0; WEEK]), &USUAL, 400).p < 1e-14);
}

#[test]
fn nothing_is_said_of_the_new_and_the_unknown() {
    let counts = steady(10.0, [0.0; WEEK]);
    for (age_days, branch) in [(20, "insufficient_history"), (21, "silence"), (28, "count7")] {
        assert_eq!(judge(&counts, &USUAL, age_days).evidence.branch(), branch, "{age_days} days old");
    }
    let unknown = judge(&counts, &[0.0; DAYS], 400);
    assert_eq!((unknown.evidence, unknown.p), (Evidence::InsufficientHistory, 1.0));
    assert_eq!((unknown.drop, unknown.expected, unknown.text()), (None, None, None));
}

#[test]
fn a_baseline_is_cut_where_a_week_is_an_import() {
    let mut counts = steady(10.0, [10.0; WEEK]);
    counts[84..LAST_WEEK].fill(1_000.0);
    let verdict = judge(&counts, &USUAL, 400);
    // Seven weeks of 70 and one cut to 1.5 · 70 + 3. The shares stay even: the import came on every weekday.
    assert!(is_close(verdict.expected.unwrap(), (7.0 * 70.0 + 108.0) / 8.0), "{verdict:?}");
}

#[test]
fn the_level_is_that_of_known_weeks() {
    let mut factors = USUAL;
    factors[70..77].fill(0.0);
    let counts = steady(10.0, [5.0; WEEK]);
    let history = History { counts: &counts, factors: &factors, age_days: 63, fleet_shares: &FLAT };
    let baseline = Baseline::of_account(&history, 0.3);
    // Nine weeks old: eight before the last, of which one is missing.
    assert_eq!(baseline.weeks().len(), 7);
    assert!(
        is_close(baseline.level().unwrap(), 70.0) && is_close(present_level(&history, 0.3).unwrap(), 35.0)
    );
    assert_eq!(Baseline::default().level(), None);
}

#[test]
fn the_prior_is_the_median_excess_of_the_fleets_weeks() {
    // Weeks of 90 and 110 in turn: Σ (n − 100)²/100 = 8, over 7 less 1, over 100 = 1/700; below the least prior.
    let weeks = |amplitude: f64| {
        Baseline::of((0..8).map(|week| BaselineWeek {
            count: if week % 2 == 0 { 100.0 - amplitude } else { 100.0 + amplitude },
            exposure: 1.0,
        }))
    };
    assert_eq!(fleet_c0(&vec![weeks(10.0); 20]), 0.02);
    // Of 80 and 120: 32/7 less 1, over 100.
    assert!(is_close(fleet_c0(&vec![weeks(20.0); 20]), 25.0 / 700.0));
    assert_eq!(fleet_c0(&vec![weeks(90.0); 20]), 0.25, "at most");
    assert_eq!(fleet_c0(&vec![weeks(20.0); 19]), 0.05, "nineteen do not tell");
    let quiet = Baseline::of(vec![BaselineWeek { count: 19.0, exposure: 1.0 }; 8]);
    assert_eq!(fleet_c0(&vec![quiet; 30]), 0.05, "nor do quiet ones");
}

#[test]
fn the_fleet_has_shares_and_an_index() {
    let mondays: [f64; DAYS] = std::array::from_fn(|day| if day % WEEK == 0 { 70.0 } else { 0.0 });
    let even = [10.0; DAYS];
    let mut shares = FleetShares::default();
    assert_eq!(shares.shares(), [0.0; WEEK]);
    shares.add(&mondays);
    shares.add(&even);
    // Both have 10 a day, so both weigh the same: 70 + 10 of 140 on the first weekday, 10 of 140 on the others.
    assert!(is_close(shares.shares()[0], 80.0 / 140.0) && is_close(shares.shares()[1], 10.0 / 140.0));

    let mut week_index = WeekIndex::default();
    let halved: [f64; DAYS] = std::array::from_fn(|day| if day < LAST_WEEK { 10.0 } else { 5.0 });
    (0..7).for_each(|_| week_index.add(&halved));
    assert_eq!(week_index.index(), [1.0; WEEKS], "seven are no fleet");
    week_index.add(&halved);
    let index = week_index.index();
    // 13 weeks of 70 and one of 35 have a mean of 67.5.
    assert!(is_close(index[0], 70.0 / 67.5) && is_close(index[13], 35.0 / 67.5), "{index:?}");
    let open = open_index(&index, &FLAT, |day| day == 0 || day >= LAST_WEEK);
    assert!(is_close(open[0], 60.0 / 67.5) && is_close(open[1], 70.0 / 67.5) && open[13] == 0.0, "{open:?}");
}

#[test]
fn a_stop_is_noticed_the_sooner_the_busier_the_account_is() {
    let noticed = |daily: f64| {
        let counts = steady(daily, [daily; WEEK]);
        let history = History { counts: &counts, factors: &USUAL, age_days: 400, fleet_shares: &FLAT };
        Detectable::of(&history, &Parameters::default())
    };
    // A busy daily account that stops: five days, p₅^(2/3), and not four, p₃^(1/2).
    let busy = noticed(1_000.0);
    let [stop, most, half] = busy.within_days;
    assert!(stop <= most && most <= half && half.is_some(), "{busy:?}");
    assert!(busy.is_judged_weekly());
    // 8 ln(1 + d/56) events a week times the week's count must reach ln 1,000: at 1.75 a week, 28 days do not.
    let idle = noticed(0.0);
    assert_eq!(idle.within_days, [None; 3]);
    assert!(!idle.is_judged_weekly());
}

#[test]
fn the_days_until_a_stop_is_noticed_follow_from_the_even_account() {
    let counts = steady(10.0, [10.0; WEEK]);
    let history = History { counts: &counts, factors: &USUAL, age_days: 400, fleet_shares: &FLAT };
    let found = Detectable::of(&history, &Parameters::default());
    // After d silent days the window of d days, or the longest below it, holds nothing. ln p* is ln(8/9) times
    // 80.5/3 (1 day), 160.5 · 2/5 (2 days), …: −3.16 and −7.56, and ln 0.001 is −6.91.
    assert!(log(8.0 / 9.0) * 80.5 / 3.0 > log(1e-3) && log(8.0 / 9.0) * 160.5 * 0.4 < log(1e-3));
    assert_eq!(found.within_days[0], Some(2));
}
