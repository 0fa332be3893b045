//! The drop detector: one account on one day, judged in full and only as far as it may alert.

use tidewatch_benches::cost::Cost;
use tidewatch_benches::options::Options;
use tidewatch_benches::pair::{Pair, Spread};
use tidewatch_benches::table::Report;
use tidewatch_ingest::random::Random;
use tidewatch_projections::drop::decline::decline;
use tidewatch_projections::drop::detectable::Detectable;
use tidewatch_projections::drop::history::{DAYS, History, WEEK, WEEKS};
use tidewatch_projections::drop::parameters::Parameters;
use tidewatch_projections::drop::verdict::{alert, evaluate};

/// A week of people at work.
const SHARES: [f64; WEEK] = [0.19, 0.2, 0.2, 0.19, 0.17, 0.03, 0.02];

fn main() {
    let options = Options::read();
    let accounts = accounts(options.size(20_000, 100));
    let rounds = options.rounds(9);
    let factors = [1.0; DAYS];
    let parameters = Parameters::default();
    let judged = |counts: &[f64; DAYS], how: &dyn Fn(&History<'_>) -> bool| {
        how(&History { counts, factors: &factors, age_days: 400, fleet_shares: &SHARES })
    };
    let count = accounts.len() as u64;
    let all = |how: &dyn Fn(&History<'_>) -> bool| {
        Cost::of_thread(count, || accounts.iter().filter(|counts| judged(counts, how)).count())
    };
    let pair = Pair::alternate(
        rounds,
        || all(&|history| alert(history, &parameters).is_some()),
        || all(&|history| evaluate(history, &parameters).is_alert),
    );
    let mut report = Report::new(
        format!(
            "detect: {count} accounts of 1 to 20,000 events a week, one in twenty of which fell, one thread"
        ),
        &["median (least–greatest)", "aim"],
    );
    let us = |costs: &[Cost]| Spread::of(costs.iter().map(|cost| cost.cpu_ns() / 1e3)).to_string();
    report.row(&["one account judged in full, µs".into(), us(&pair.peer), "about 4".into()]);
    report.row(&["one account as far as it may alert, µs".into(), us(&pair.ours), "–".into()]);
    report.row(&["the latter over the former".into(), pair.cpu_ratio().to_string(), "–".into()]);
    let declines: Vec<Cost> = (0..rounds)
        .map(|_| {
            Cost::of_thread(count, || {
                let found =
                    |counts: &&[f64; DAYS]| decline(counts, 400, &[1.0; WEEKS], &parameters).is_some();
                accounts.iter().filter(found).count()
            })
        })
        .collect();
    report.row(&["one account's slow decline, µs".into(), us(&declines), "–".into()]);
    let few = &accounts[..accounts.len().min(500)];
    let detectable: Vec<Cost> = (0..rounds)
        .map(|_| {
            Cost::of_thread(few.len() as u64, || {
                let weekly = |history: &History<'_>| Detectable::of(history, &parameters).is_judged_weekly();
                few.iter().filter(|counts| judged(counts, &weekly)).count()
            })
        })
        .collect();
    report.row(&["how soon falls of one account are noticed, µs".into(), us(&detectable), "–".into()]);
    report.print();
}

/// Accounts of all sizes with the scatter of their kind; one in twenty fell some days ago.
fn accounts(count: usize) -> Vec<[f64; DAYS]> {
    let mut random = Random::new(7);
    (0..count)
        .map(|index| {
            let weekly = random.log_normal(150.0, 2.0).min(20_000.0);
            let (fell_at, rest) = if index % 20 == 0 { (DAYS - 1 - index % 9, 0.3) } else { (DAYS, 1.0) };
            std::array::from_fn(|day| {
                let level = if day >= fell_at { weekly * rest } else { weekly };
                let mean = level * SHARES[day % WEEK] * random.log_normal(1.0, 0.2);
                random.poisson(mean) as f64
            })
        })
        .collect()
}
