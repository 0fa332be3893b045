//! Draws support tickets: a ticket's whole course, from opening to rating, is drawn on the day it opens.

use super::account_day::{AccountDay, MICROS_PER_HOUR};
use super::company::{Company, person};
use super::scenario::Scenario;
use super::simulated_event::{JsonEvent, System};
use crate::random::Random;

const AGENTS: [&str; 5] = ["agent.kim", "agent.silva", "agent.berg", "agent.novak", "agent.reed"];
const HOURS_PER_DAY: f64 = 24.0;
/// No ticket stays open longer than this, in hours.
const RESOLVED_WITHIN_HOURS: f64 = 40.0 * HOURS_PER_DAY;

/// The tickets of one account, numbered from 1.
#[derive(Clone, Default, Debug)]
pub(super) struct HelpDesk {
    tickets: u32,
}

impl HelpDesk {
    /// Draws the tickets that open today. Satisfaction is 1 normally; below 1 more tickets escalate and ratings are worse.
    pub(super) fn day(
        &mut self,
        company: &Company,
        scenario: Scenario,
        satisfaction: f64,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        // Those who leave silently do not write either.
        let eagerness = if scenario.churns() && satisfaction < 1.0 { 0.4 } else { 1.0 };
        let expected = (0.02 + f64::from(company.people) / 1_500.0).min(1.5) * eagerness;
        for _ in 0..random.poisson(expected) {
            self.open(company, satisfaction, random, today);
        }
    }

    fn open(
        &mut self,
        company: &Company,
        satisfaction: f64,
        random: &mut Random,
        today: &mut AccountDay<'_>,
    ) {
        self.tickets += 1;
        let id = format!("t{}-{}", today.account, self.tickets);
        let agent = random.pick(&AGENTS);
        let customer = person(random.below(u64::from(company.people)) as u32);
        let priority = ["low", "normal", "high", "urgent"][random.weighted(&[20, 55, 20, 5])];
        let channel = ["email", "chat", "phone"][random.weighted(&[60, 30, 10])];
        let about = |kind: &str| JsonEvent::new(System::Desk, kind).text("ticket_id", &id);
        let opened_at = today.office_time(random);
        let after = |hours: f64| opened_at + (hours * MICROS_PER_HOUR as f64) as i64 / 1_000 * 1_000;
        let patience = match company.tier() {
            "A" => 1.5,
            "B" => 4.0,
            _ => 9.0,
        };
        let first_reply = random.log_normal(patience, 0.8).min(RESOLVED_WITHIN_HOURS / 4.0);
        let resolved = first_reply + random.log_normal(18.0, 1.0).min(RESOLVED_WITHIN_HOURS / 2.0);

        let opened =
            about("ticket_opened").user(&customer).text("priority", priority).text("channel", channel);
        today.emit(opened_at, opened);
        if channel == "chat" {
            today.emit(after(0.01), about("ticket_replied").text("by", "bot").plain("public", true));
        }
        let replied = about("ticket_replied").text("by", "agent").plain("public", true).text("agent", agent);
        today.emit(after(first_reply), replied.plain("handle_s", random.between(60, 1_800)));
        let answered = about("ticket_replied").user(&customer).text("by", "customer").plain("public", true);
        today.emit(after(first_reply + (resolved - first_reply) * 0.4), answered);
        if random.chance(0.4) {
            let updated = about("ticket_updated").text("agent", agent);
            today.emit(after(first_reply + (resolved - first_reply) * 0.6), updated);
        }
        if random.chance(0.06 / satisfaction) {
            today.emit(after(first_reply + (resolved - first_reply) * 0.5), about("ticket_escalated"));
            if random.chance(0.7) {
                today.emit(after(first_reply + (resolved - first_reply) * 0.8), about("ticket_deescalated"));
            }
        }
        today.emit(after(resolved), about("ticket_resolved").text("agent", agent));
        let mut settled = resolved;
        if random.chance(0.07 / satisfaction) {
            today.emit(after(settled + 5.0), about("ticket_reopened").user(&customer));
            settled += 5.0 + random.log_normal(12.0, 0.7).min(RESOLVED_WITHIN_HOURS / 4.0);
            today.emit(after(settled), about("ticket_resolved").text("agent", agent));
        }
        today.emit(after(settled + 3.0 * HOURS_PER_DAY), about("ticket_closed"));
        if random.chance(0.4) {
            let bad = (8.0 / satisfaction) as u32;
            let rating = ["great", "okay", "bad"][random.weighted(&[70, 20, bad])];
            today.emit(after(settled + 2.0), about("ticket_rated").user(&customer).text("rating", rating));
        }
        if random.chance(0.2) {
            let score =
                (5 - random.weighted(&[55, 28, 10, 4, 3]) as i64).min((5.0 * satisfaction) as i64).max(1);
            let csat = JsonEvent::new(System::Surveys, "csat_answered").user(&customer).plain("score", score);
            today.emit(after(settled + 26.0), csat.text("survey", "after-ticket").text("ticket_id", &id));
        }
    }
}
