//! Laws of health: order, walks and bounds change no answer, and what moved a score adds up.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidewatch_projections::account::Account;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::context::Context;
use tidewatch_projections::event::{Event, Micros, Subject};
use tidewatch_projections::health::change::{Cause, changes};
use tidewatch_projections::health::{Figures, Health, Inexact, MeasureScore, Walk, Weighed, health, history};
use tidewatch_projections::model::group::Group;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::settings::Settings;
use tidewatch_projections::tenant::Tenant;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::EventType;

use crate::drafts::{ACCOUNT, Draft, HOUR, MODEL, NARROW, drafts, events, plan, settings, tenant, turned};

/// Every policy of a missing measure, staleness with and without a filter, every kind of condition, and several groups.
const SCORING: &str = r#"
[measures]
use = { metric = "n", curve = [[0, 10], [5, 90]] }
people = { metric = "seat", curve = [[0, 0], [1, 100]], otherwise = [{ metric = "own", curve = [[0, 0], [2, 100]] }, { metric = "since", curve = [[0, 100], [30, 0]] }] }
voice = { metric = "nps", curve = [[0, 0], [9, 100]], missing = "last", half_life_days = 2.5 }
latest = { metric = "newest", curve = [[-5, 0], [40, 100]], missing = "last", half_life_days = 3, max_age_days = 2, input = { type = "nps_answered" } }
happy = { metric = "happy", curve = [[-100, 0], [100, 100]], missing = "neutral", max_age_days = 6 }
reply = { metric = "reply", curve = [[0, 100], [90, 0]], max_age_days = 9 }
tickets = { metric = "tickets", curve = [[0, 100], [3, 0]] }
past_due = { metric = "past_due", curve = [[0, 100], [30, 0]], missing = "worst" }
milestones = { metric = "milestones", curve = [[0, 0], [1, 100]] }
trend = { metric = "slope", curve = [[-1, 0], [1, 100]] }
[weights]
voices = { voice = 2, latest = 1, happy = 1, reply = 1 }
[[profiles]]
name = "young"
when = [{ age_days_below = 15 }, { stage = "onboarding", ever_used = false }]
groups = { outcome = { weight = 3, measures = { milestones = 3, use = 1 } }, voices = { weight = 1, measures = "voices" } }
[[profiles]]
name = "large"
when = [{ seats = { ge = 20 }, status = ["paying", "leaving"] }, { amount = { gt = 100000 } }, { roles.seller = { exists = true }, kind = { not = "partner" } }]
groups = { outcome = { weight = 7, measures = { use = 1, people = 2, trend = 1 } }, voices = { weight = 2, measures = "voices" }, money = { weight = 1, measures = { past_due = 1, tickets = 0 } } }
[[profiles]]
name = "standard"
groups = { outcome = { weight = 8, measures = { use = 1, people = 2, trend = 0 } }, voices = { weight = 2, measures = { voice = 2, latest = 1, tickets = 3 } } }
"#;

const OTHER: &str = "globex";
/// Days on which something happens.
const DAYS: i64 = 60;

/// What one draw makes: two accounts, of which one may go into the other.
struct World {
    names: Names,
    events: Vec<Event>,
    settings: Settings,
    tenant: Tenant,
}

impl World {
    /// Events of one source are those of the other account, which is merged at an hour, if at all.
    fn new(drafts: &[Draft], merged_at: Option<i64>) -> Self {
        let names = Names::new();
        let mut events = events(&names, drafts);
        for event in &mut events {
            if names.text(event.source) == "crm" {
                event.subject = Subject::Account(names.intern(OTHER));
            }
            // A closed account has no score, and one draw in two would close it.
            if event.kind == EventType::AccountClosed {
                event.kind = EventType::NpsAnswered;
            }
        }
        if let (Some(hour), Some(like)) = (merged_at, events.first()) {
            let into = (names.intern("into_account"), Value::Text(ACCOUNT.into()));
            let merge = Event {
                id: "merge".into(),
                subject: Subject::Account(names.intern(OTHER)),
                kind: EventType::AccountMerged,
                occurred_at: hour * HOUR,
                properties: vec![into],
                ..like.clone()
            };
            events.push(merge);
        }
        let tenant = tenant(&names, &events);
        Self { names, events, settings: settings(), tenant }
    }

    fn folded(&self, bounds: Bounds, cuts: &[Micros]) -> Folded<'_> {
        self.folded_in(&self.events, bounds, cuts)
    }

    fn folded_in(&self, events: &[Event], bounds: Bounds, cuts: &[Micros]) -> Folded<'_> {
        let top = "coverage_min = 0.2\n";
        let plan = plan(&format!("{top}{MODEL}{SCORING}"), &self.names, bounds, cuts);
        let mut accounts: BTreeMap<Symbol, Account> = BTreeMap::new();
        for event in events {
            let id = event.account().expect("every event names one");
            accounts.entry(id).or_insert_with(|| Account::new(id)).apply(&plan, &self.names, event);
        }
        Folded { world: self, plan, accounts }
    }
}

struct Folded<'w> {
    world: &'w World,
    plan: Plan,
    accounts: BTreeMap<Symbol, Account>,
}

impl Folded<'_> {
    fn context(&self) -> Context<'_> {
        let World { names, settings, tenant, .. } = self.world;
        Context { plan: &self.plan, settings, tenant, names, accounts: &self.accounts }
    }

    fn at(&self, account: &str, as_of: Micros) -> AccountAt<'_> {
        AccountAt::new(self.context(), self.world.names.intern(account), as_of)
    }

    fn health(&self, account: &str, as_of: Micros) -> Result<Health, Inexact> {
        health(&self.at(account, as_of))
    }

    fn exact(&self, account: &str, as_of: Micros) -> Health {
        self.health(account, as_of).expect("state without bounds is exact")
    }
}

fn merged_at() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(0..24 * DAYS)
}

/// Instants within days, and one end of a day.
fn instants() -> impl Strategy<Value = Vec<Micros>> {
    let within = prop::collection::vec((24..24 * (DAYS + 2)).prop_map(|hour| hour * HOUR + 1), 2..4);
    (within, 1..DAYS + 2).prop_map(|(mut instants, day)| {
        instants.push(day * 24 * HOUR);
        instants
    })
}

/// Equal to the last bit: `==` takes a zero for another.
fn bits(health: &Health) -> (Option<u64>, u64, Vec<(u64, u64)>) {
    let measures = health.figures.iter().flat_map(|figures| &figures.weighed.measures);
    let measures = measures.map(|measure| (measure.weight.to_bits(), measure.contribution.to_bits()));
    (health.score().map(f64::to_bits), health.coverage().to_bits(), measures.collect())
}

fn measures(health: &Health) -> &[MeasureScore] {
    health.figures.as_ref().map_or(&[], |figures| &figures.weighed.measures)
}

/// The groups of the profile that answers.
fn groups<'f>(folded: &'f Folded<'_>, figures: &Figures) -> &'f [Group] {
    &folded.plan.model.scoring.as_ref().expect("it was parsed").profiles[figures.profile].groups
}

/// Σ p̄·Δe of what counts at both ends, and the contributions of what came or went.
fn rest(from: &Health, to: &Health) -> f64 {
    let by_measure = |health: &Health| -> BTreeMap<usize, (f64, f64)> {
        let used = measures(health)
            .iter()
            .filter_map(|measure| Some((measure.measure, (measure.weight, measure.measured.points?))));
        used.collect()
    };
    let (before, after) = (by_measure(from), by_measure(to));
    let mut rest = 0.0;
    for (measure, (weight, points)) in &after {
        rest += match before.get(measure) {
            Some((weight_before, points_before)) => (points + points_before) / 2.0 * (weight - weight_before),
            None => weight * points,
        };
    }
    let went = before.iter().filter(|(measure, _)| !after.contains_key(measure));
    rest - went.map(|(_, (weight, points))| weight * points).sum::<f64>()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_a_score_is_made_of_sums_to_it(
        drafts in drafts(), merged_at in merged_at(), instants in instants()
    ) {
        let world = World::new(&drafts, merged_at);
        let folded = world.folded(Bounds::NONE, &instants);
        for as_of in instants {
            let health = folded.exact(ACCOUNT, as_of);
            let Some(figures) = &health.figures else { continue };
            let Weighed { groups: scored, measures, .. } = &figures.weighed;
            let declared = groups(&folded, figures);
            // Coverage: Σ over present measures of their share of the group, and of the group's share of all.
            let all: f64 = declared.iter().map(|group| group.weight).sum();
            let mut coverage = 0.0;
            for (group, scored) in declared.iter().zip(scored) {
                let of_group: f64 = group.measures.iter().map(|weighted| weighted.weight).sum();
                let own = || measures.iter().filter(|measure| measure.group == scored.group);
                for (weighted, measure) in group.measures.iter().zip(own()) {
                    prop_assert_eq!(weighted.measure, measure.measure, "each stands once, in the order of the file");
                    if measure.measured.present && of_group > 0.0 {
                        coverage += group.weight / all * weighted.weight / of_group;
                    }
                    prop_assert!(measure.measured.points.is_some() || measure.contribution == 0.0);
                }
                let contributed: f64 = own().map(|measure| measure.contribution).sum();
                prop_assert!((contributed - scored.weight * scored.score.unwrap_or(0.0)).abs() <= 1e-9);
            }
            prop_assert!((health.coverage() - coverage).abs() <= 1e-9, "{} is not {coverage}", health.coverage());
            let Some(score) = health.score() else { continue };
            let sum: f64 = measures.iter().map(|measure| measure.contribution).sum();
            prop_assert!((score - sum).abs() <= 1e-9 && (0.0..=100.0).contains(&score), "{score} is not {sum}");
            let weights: f64 = measures.iter().map(|measure| measure.weight).sum();
            prop_assert!((weights - 1.0).abs() <= 1e-9, "{weights} is not all of the weight");
            let weights: f64 = scored.iter().map(|group| group.weight).sum();
            prop_assert!((weights - 1.0).abs() <= 1e-9, "{weights} is not all of the weight");
        }
    }

    #[test]
    fn what_moved_a_score_sums_to_the_difference(
        drafts in drafts(), merged_at in merged_at(), from in 24..24 * DAYS, later in 1..24 * DAYS
    ) {
        let world = World::new(&drafts, merged_at);
        let (from, to) = (from * HOUR + 1, (from + later) * HOUR + 1);
        let folded = world.folded(Bounds::NONE, &[from, to]);
        let (from, to) = (folded.exact(ACCOUNT, from), folded.exact(ACCOUNT, to));
        let (Some(before), Some(after)) = (from.score(), to.score()) else {
            prop_assert!(changes(&from, &to).is_empty());
            return Err(TestCaseError::reject("no score at one end"));
        };
        for (from, to, difference) in [(&from, &to, after - before), (&to, &from, before - after)] {
            let changes = changes(from, to);
            let sum: f64 = changes.iter().map(|change| change.points).sum();
            prop_assert!((sum - difference).abs() <= 1e-9, "{sum} is not {difference}");
            let (last, lines) = changes.split_last().expect("the rest is always there");
            prop_assert_eq!((last.measure, last.cause), (None, Cause::Rest));
            prop_assert!(lines.iter().all(|line| line.measure.is_some() && line.cause != Cause::Rest));
            // Both scores are rounded to 9 decimals.
            let rest = rest(from, to);
            prop_assert!((last.points - rest).abs() <= 1.1e-9, "{} is not {rest}", last.points);
        }
    }

    #[test]
    fn arrival_changes_no_bit_of_health(
        drafts in drafts(), merged_at in merged_at(), instants in instants(), at in any::<prop::sample::Index>()
    ) {
        let world = World::new(&drafts, merged_at);
        let turned = turned(&world.events, at);
        prop_assert_eq!(&world.tenant, &tenant(&world.names, &turned));
        let one = world.folded(Bounds::NONE, &instants);
        let other = world.folded_in(&turned, Bounds::NONE, &instants);
        for as_of in instants {
            for account in [ACCOUNT, OTHER] {
                let (one, other) = (one.exact(account, as_of), other.exact(account, as_of));
                prop_assert_eq!(bits(&one), bits(&other));
                prop_assert_eq!(one, other);
            }
        }
    }

    #[test]
    fn a_walk_over_days_gives_what_each_day_gives_alone(drafts in drafts(), merged_at in merged_at()) {
        let world = World::new(&drafts, merged_at);
        let folded = world.folded(Bounds::NONE, &[]);
        let calendar = Calendar::utc();
        for account in [ACCOUNT, OTHER] {
            let (mut walk, mut days) = (Walk::new(), Vec::new());
            for day in (0..DAYS as i32 + 2).map(Day) {
                let account_at = folded.at(account, calendar.end(day));
                let walked = walk.step(&account_at).expect("state without bounds is exact");
                prop_assert_eq!(&walked, &folded.exact(account, calendar.end(day)), "{:?}", day);
                if account_at.first_day().is_some() {
                    days.push((day, walked));
                }
            }
            // The ends of days, from the middle of life on, are the same answers again.
            for from in [0, 31] {
                let mut told = Vec::new();
                let account = world.names.intern(account);
                let walked = history(folded.context(), account, Day(from), Day(DAYS as i32 + 1), |day, health| {
                    told.push((day, health));
                });
                prop_assert_eq!(walked, Ok(()));
                let expected: Vec<_> = days.iter().filter(|(day, _)| *day >= Day(from)).cloned().collect();
                prop_assert_eq!(told, expected);
            }
        }
    }

    #[test]
    fn bounded_state_answers_as_unbounded_or_says_that_it_cannot(
        drafts in drafts(), merged_at in merged_at(), instants in instants()
    ) {
        let world = World::new(&drafts, merged_at);
        let whole = world.folded(Bounds::NONE, &instants);
        for bounds in [Bounds::LIVE, NARROW] {
            let folded = world.folded(bounds, &[]);
            for as_of in &instants {
                for account in [ACCOUNT, OTHER] {
                    if let Ok(health) = folded.health(account, *as_of) {
                        prop_assert_eq!(health, whole.exact(account, *as_of), "{:?} at {}", bounds, as_of);
                    }
                }
            }
            // After all events, and at ends of days of two months, the bounds of live state hold everything.
            let ends = [DAYS + 1, DAYS, DAYS / 2].map(|day| (day + 1) * 24 * HOUR);
            for as_of in ends.into_iter().filter(|_| bounds == Bounds::LIVE) {
                prop_assert_eq!(folded.health(ACCOUNT, as_of), Ok(whole.exact(ACCOUNT, as_of)));
            }
        }
    }
}
