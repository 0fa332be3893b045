//! Draws the events of the customer journey: account facts, people, milestones, surveys, meetings and CRM notes.

use jiff::ToSpan;

use super::account_day::AccountDay;
use super::company::{Company, person};
use super::scenario::{AccountTruth, Scenario};
use super::simulated_event::{JsonEvent, System};
use crate::random::Random;

/// Most people that are named by `user_identified` on an account's first day.
const IDENTIFIED_MAX: u32 = 40;
/// Milestones with the day of an account's life on which they are usually reached.
const MILESTONES: [(&str, i32); 5] =
    [("kickoff", 5), ("configured", 15), ("trained", 26), ("live", 40), ("first_value", 52)];
/// The day of an account's life on which its onboarding ends, if it is not late.
const ADOPTED_AFTER_DAYS: i32 = 60;
/// Answers to one round of the NPS survey, at most.
const NPS_ANSWERS_MAX: u64 = 6;

/// The course of one customer relationship, as the CRM records it.
#[derive(Clone, Debug)]
pub(super) struct Journey {
    /// Days by which this account's surveys and meetings are shifted, so that the fleet's do not fall on one day.
    offset: i32,
    /// Days that this account is late with its milestones.
    late_days: i32,
    manager: &'static str,
}

impl Journey {
    pub(super) fn new(company: &Company, random: &mut Random) -> Self {
        Self { offset: random.below(91) as i32, late_days: random.below(14) as i32, manager: company.manager }
    }

    /// Appends what becomes known on the first day: facts, stage, milestones of the past, people.
    pub(super) fn first_day(
        &self,
        company: &Company,
        truth: &AccountTruth,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        let scenario = truth.scenario;
        let deployment = if scenario == Scenario::OnPremise { "on_premise" } else { "cloud" };
        let facts = JsonEvent::new(System::Crm, "account_updated")
            .text("name", &company.name)
            .text("kind", "customer")
            .text("tier", company.tier())
            .text("segment", company.segment())
            .text("industry", company.industry)
            .plain("size", company.people * 7)
            .plain("seats", company.seats)
            .text("country", company.country.code)
            .text("region", company.country.region)
            .text("time_zone", company.country.zone)
            .text("currency", company.country.currency)
            .text("usage_rhythm", if company.weekly_events < 15.0 { "weekly" } else { "daily" })
            .text("deployment", deployment)
            .owner(company.manager);
        today.emit(today.opening_time(0), facts);
        let stage = if scenario.is_new() { "onboarding" } else { "adopted" };
        today.emit(today.opening_time(1), JsonEvent::new(System::Crm, "stage_changed").text("stage", stage));
        if !scenario.is_new() {
            // Brought on board before the fleet began: the migration of their history says so.
            for (milestone, _) in MILESTONES {
                let event = JsonEvent::new(System::Crm, "milestone_reached").text("milestone", milestone);
                today.emit(today.opening_time(12), event);
            }
        }
        for number in 0..company.people.min(IDENTIFIED_MAX) {
            let name = person(number);
            let title = ["analyst", "team lead", "engineer", "director"][random.weighted(&[50, 25, 20, 5])];
            let mut event = JsonEvent::new(System::App, "user_identified")
                .user(&name)
                .text("email", &format!("{name}@{}.example", company.id))
                .text("title", title);
            if random.chance(0.1) {
                event = event.text("previous_user", &format!("visitor-{}", random.below(1_000_000)));
            }
            today.emit(today.opening_time(20 + i64::from(number)), event);
        }
        let sponsor = JsonEvent::new(System::Crm, "stakeholder_changed").user(&person(0));
        today.emit(today.opening_time(15), sponsor.text("role", "champion").text("state", "joined"));
    }

    /// Appends today's CRM and survey events. Satisfaction is 1 normally and lower for accounts about to churn.
    pub(super) fn day(
        &mut self,
        company: &Company,
        truth: &AccountTruth,
        age_days: i32,
        satisfaction: f64,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        if truth.scenario.is_new() {
            self.onboard(age_days, random, today);
        }
        let turn_days = (today.date - truth.turn).get_days();
        if truth.scenario == Scenario::KeyUserLeaves && turn_days == 0 {
            let leaver = person(0);
            today.emit_in_office_hours(random, JsonEvent::new(System::App, "user_deactivated").user(&leaver));
            let left = JsonEvent::new(System::Crm, "stakeholder_changed").user(&leaver);
            today.emit_in_office_hours(random, left.text("role", "champion").text("state", "left"));
        }
        self.survey(company, satisfaction, random, today);
        self.touchpoints_and_goals(company, age_days, satisfaction, random, today);
        self.crm_records(company, truth, random, today);
    }

    fn onboard(&self, age_days: i32, random: &mut Random, today: &mut AccountDay<'_>) {
        for (milestone, usual) in MILESTONES {
            // The later steps are later by the whole delay, the first ones by a part of it.
            if age_days == usual + self.late_days * usual / MILESTONES[4].1 {
                let event = JsonEvent::new(System::Crm, "milestone_reached").text("milestone", milestone);
                today.emit_in_office_hours(random, event);
            }
        }
        if age_days == ADOPTED_AFTER_DAYS + self.late_days {
            today.emit_in_office_hours(
                random,
                JsonEvent::new(System::Crm, "stage_changed").text("stage", "adopted"),
            );
        }
    }

    fn survey(&self, company: &Company, satisfaction: f64, random: &mut Random, today: &mut AccountDay<'_>) {
        let day = today.day + self.offset;
        if day % 91 == 0 {
            for _ in 0..random.poisson(f64::from(company.people).sqrt() * 0.6).min(NPS_ANSWERS_MAX) {
                let who = person(random.below(u64::from(company.people)) as u32);
                let score = ((8.2 * satisfaction + 1.6 * random.normal()) as i64).clamp(0, 10);
                let event = JsonEvent::new(System::Surveys, "nps_answered").user(&who).plain("score", score);
                today.emit_in_office_hours(random, event.text("survey", "quarterly").text("role", "user"));
            }
        }
        if day % 30 == 0 {
            // The account manager hears of trouble only in part: that is what makes churn silent.
            let felt = (1.0 + satisfaction) / 2.0 + 0.15 * random.normal();
            let colour = match felt {
                ..0.6 => "red",
                0.6..0.8 => "yellow",
                _ => "green",
            };
            let event =
                JsonEvent::new(System::Crm, "pulse_recorded").user(self.manager).text("colour", colour);
            today.emit_in_office_hours(random, event);
        }
    }

    fn touchpoints_and_goals(
        &self,
        company: &Company,
        age_days: i32,
        satisfaction: f64,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        let every = match company.tier() {
            "A" => 21,
            "B" => 45,
            _ => 90,
        };
        if (today.day + self.offset) % every == 0 {
            let who = person(random.below(u64::from(company.people.min(3))) as u32);
            let (kind, channel) = match (company.tier(), random.below(4)) {
                ("C", _) => ("newsletter", "automatic"),
                (_, 0) => ("business_review", "human"),
                (_, 1) => ("email", "human"),
                _ => ("call", "human"),
            };
            let event =
                JsonEvent::new(System::Crm, "touchpoint_held").text("kind", kind).text("channel", channel);
            today.emit_in_office_hours(random, event.texts("people", &[&who]));
        }
        if age_days % 182 == 30 {
            let due = today.date + 120.days();
            let goal = format!("goal-{}", 1 + age_days / 182);
            let event = JsonEvent::new(System::Crm, "goal_set").text("goal", &goal).plain("due", due);
            today.emit_in_office_hours(random, event);
            if random.chance(0.75 * satisfaction) {
                let met_at =
                    today.midnight + random.between(40, 130) * 24 * super::account_day::MICROS_PER_HOUR;
                today.emit(met_at, JsonEvent::new(System::Crm, "goal_met").text("goal", &goal));
            }
        }
    }

    fn crm_records(
        &mut self,
        company: &Company,
        truth: &AccountTruth,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        if random.chance(1.0 / 120.0) {
            let topic = random.pick(&["single sign-on", "more exports", "mobile app", "data residency"]);
            let event = JsonEvent::new(System::Crm, "request_recorded").user(&person(0)).text("topic", topic);
            today.emit_in_office_hours(random, event);
        }
        let referrals = if truth.scenario == Scenario::Growing { 1.0 / 150.0 } else { 1.0 / 700.0 };
        if random.chance(referrals) {
            today.emit_in_office_hours(random, JsonEvent::new(System::Crm, "referral_made").user(&person(0)));
        }
        if random.chance(1.0 / 500.0) {
            self.manager = company.other_manager(random);
            let event = JsonEvent::new(System::Crm, "account_updated").owner(self.manager);
            today.emit_in_office_hours(random, event);
        }
    }
}
