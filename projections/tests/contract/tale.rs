//! Events of a tenant in the making, and what is true after them.

use std::collections::BTreeMap;
use std::ops::Range;

use tidewatch_projections::account::Account;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::context::Context;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Actor, Currency, Event, Micros, Money, Subject};
use tidewatch_projections::health::{Health, MeasureScore, health};
use tidewatch_projections::model::Model;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::settings::Settings;
use tidewatch_projections::tenant::Tenant;
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::EventType;

pub const HOUR: Micros = 3_600_000_000;
pub const DAY: Micros = 24 * HOUR;

/// Events of a tenant in the making; times are days since the epoch, at noon.
#[derive(Default)]
pub struct Tale {
    pub names: Names,
    events: Vec<Event>,
    pub settings: Settings,
}

impl Tale {
    /// Adds an event of `account` at noon of a day and gives it for more to be said.
    pub fn tell(
        &mut self,
        account: &str,
        day: i64,
        kind: EventType,
        properties: &[(&str, Value)],
    ) -> &mut Event {
        let mut properties: Vec<_> =
            properties.iter().map(|(key, value)| (self.names.intern(key), value.clone())).collect();
        properties.sort_by(|(a, _), (b, _)| self.names.text(*a).cmp(self.names.text(*b)));
        self.events.push(Event {
            source: self.names.intern("app"),
            generation: 0,
            id: self.events.len().to_string().into(),
            subject: Subject::Account(self.names.intern(account)),
            user: None,
            actor: Actor::Person,
            product: None,
            kind,
            occurred_at: day * DAY + 12 * HOUR,
            quantity: None,
            amount: None,
            feature: None,
            metric: None,
            properties,
            unknown: Box::default(),
        });
        self.events.last_mut().expect("one was just added")
    }

    pub fn use_daily(&mut self, account: &str, days: Range<i64>) {
        days.for_each(|day| _ = self.tell(account, day, EventType::Usage, &[]));
    }

    /// An event that starts a life and says figures, which [`METRICS`] names.
    pub fn say(&mut self, account: &str, day: i64, figures: &[(&str, i64)]) -> &mut Event {
        let figures: Vec<_> = figures.iter().map(|(name, figure)| (*name, number(*figure))).collect();
        self.tell(account, day, EventType::ReferralMade, &figures)
    }

    /// A fact of an account.
    pub fn state(&mut self, account: &str, day: i64, fact: &str, value: Value) {
        self.tell(account, day, EventType::AccountUpdated, &[(fact, value)]);
    }

    /// Tells of a subscription `id`: `dates` are properties that name days.
    pub fn subscription(
        &mut self,
        account: &str,
        day: i64,
        kind: EventType,
        id: &str,
        dates: &[(&str, i32)],
        properties: &[(&str, Value)],
    ) -> &mut Event {
        let mut all = vec![("subscription_id", text(id))];
        all.extend(dates.iter().map(|(key, day)| (*key, text(&Day(*day).to_text()))));
        all.extend(properties.iter().cloned());
        self.tell(account, day, kind, &all)
    }

    /// Tells of a subscription `id` that starts on a day and runs to the 365th.
    pub fn serve(&mut self, account: &str, day: i64, id: &str) -> &mut Event {
        let start = i32::try_from(day).expect("a day of the story");
        let term = [("term_start", start), ("term_end", 365)];
        self.subscription(account, day, EventType::SubscriptionStarted, id, &term, &[])
    }

    /// Everything told, in that order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    fn tenant(&self) -> Tenant {
        let mut tenant = Tenant::default();
        self.events.iter().for_each(|event| tenant.observe(&self.names, event));
        tenant
    }

    pub fn plan(&self, metrics: &str) -> Plan {
        self.cut_plan(&format!("[metrics]\n{metrics}"), &[])
    }

    fn cut_plan(&self, model: &str, cuts: &[Micros]) -> Plan {
        let model = Model::parse(model).unwrap_or_else(|error| panic!("{error}\n{model}"));
        Plan::compile(model, &self.names, Calendar::utc(), Bounds::NONE, cuts).expect("few ticket filters")
    }

    pub fn fold(&self, plan: &Plan, account: &str) -> Account {
        let account = self.names.intern(account);
        let mut state = Account::new(account);
        let own = self.events.iter().filter(|event| event.account() == Some(account));
        own.for_each(|event| state.apply(plan, &self.names, event));
        state
    }

    /// All accounts under a model; ends of days, and the instants named, can be asked for.
    pub fn told(&self, model: &str, instants: &[Micros]) -> Told<'_> {
        let plan = self.cut_plan(model, instants);
        let accounts: Vec<Symbol> = self.events.iter().filter_map(Event::account).collect();
        let fold = |account: Symbol| (account, self.fold(&plan, self.names.text(account)));
        let accounts = accounts.into_iter().map(fold).collect();
        Told { tale: self, tenant: self.tenant(), plan, accounts }
    }

    /// The health of an account at the end of a day.
    pub fn health(&self, model: &str, account: &str, day: i64) -> Health {
        self.told(model, &[]).health(account, (day + 1) * DAY)
    }

    /// The score of an account at the end of a day.
    pub fn score(&self, model: &str, account: &str, day: i64) -> Option<f64> {
        self.health(model, account, day).score()
    }

    /// Metrics, in alphabetical order, at the end of a day, of an account and those merged into it by then.
    pub fn at_end_of(&self, day: i64, account: &str, metrics: &str) -> Vec<Option<Scalar>> {
        self.told(&format!("[metrics]\n{metrics}"), &[]).at(account, (day + 1) * DAY).metrics()
    }

    /// The one metric that is declared.
    pub fn value(&self, day: i64, account: &str, metric: &str) -> Option<Scalar> {
        self.at_end_of(day, account, &format!("m = {metric}")).remove(0)
    }
}

/// A tale folded under a model.
pub struct Told<'a> {
    tale: &'a Tale,
    tenant: Tenant,
    pub plan: Plan,
    accounts: BTreeMap<Symbol, Account>,
}

impl Told<'_> {
    pub fn at(&self, account: &str, as_of: Micros) -> AccountAt<'_> {
        let context = Context {
            plan: &self.plan,
            settings: &self.tale.settings,
            tenant: &self.tenant,
            names: &self.tale.names,
            accounts: &self.accounts,
        };
        AccountAt::new(context, self.tale.names.intern(account), as_of)
    }

    pub fn health(&self, account: &str, as_of: Micros) -> Health {
        health(&self.at(account, as_of)).expect("state without bounds is exact")
    }

    /// A measure of a health, by its name.
    pub fn measure<'h>(&self, health: &'h Health, name: &str) -> &'h MeasureScore {
        let scoring = self.plan.model.scoring.as_ref().expect("it was parsed");
        let index = scoring.measures.iter().position(|measure| measure.name == name).expect(name);
        let measures = &health.figures.as_ref().expect("it has figures").weighed.measures;
        measures.iter().find(|measure| measure.measure == index).expect("the profile has it")
    }

    /// The name of the profile of a health.
    pub fn profile(&self, health: &Health) -> Option<&str> {
        let scoring = self.plan.model.scoring.as_ref().expect("it was parsed");
        health.profile().map(|profile| scoring.profiles[profile].name.as_str())
    }
}

/// The newest figures that were said, each a metric of its own.
pub const METRICS: &str = "[metrics]\n\
    x = { agg = 'last', field = 'properties.x' }\n\
    y = { agg = 'last', field = 'properties.y' }\n\
    z = { agg = 'last', field = 'properties.z' }\n\
    today = { agg = 'last', field = 'properties.x', window = 1 }\n";

/// A model in which the score is the newest x that was said, cut to 0 to 100.
pub fn model_of_x() -> String {
    let one = "[[profiles]]\nname = 'all'\ngroups = { all = { weight = 1, measures = { x = 1 } } }\n";
    format!("{METRICS}[measures]\nx = {{ metric = 'x', {AS_SAID} }}\n{one}")
}

/// The same, where x holds for the day it was said on only.
pub fn model_of_today() -> String {
    model_of_x().replace("metric = 'x'", "metric = 'today'")
}

/// A curve that leaves figures from 0 to 100 as they are.
pub const AS_SAID: &str = "curve = [[0, 0], [100, 100]]";

pub fn text(text: &str) -> Value {
    Value::Text(text.into())
}

pub fn number(number: i64) -> Value {
    Value::Number(Decimal::from(number))
}

pub fn money(minor: i64, currency: &str) -> Option<Money> {
    Some(Money { minor, currency: Currency::from_code(currency).expect("a code") })
}
