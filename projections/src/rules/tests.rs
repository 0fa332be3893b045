//! The grammar of rule files: what it takes, and how it tells what it does not.

use super::inhibition::Inhibited;
use super::kind::{Drop, Renewal, Scope};
use super::metric_tests::Bound;
use super::receiver::{Address, Kept, ReceiverKind, TOPIC};
use super::shared::Missing;
use super::*;
use crate::model::places::Places;
use crate::severity::Severity;
use crate::vocabulary::Status;

fn rules(text: &str) -> Rules {
    Rules::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn kind(rule: &str) -> Kind {
    rules(&format!("[rules]\nx = {rule}")).rules.remove(0).kind
}

fn error(text: &str) -> String {
    Rules::parse(text).expect_err(text).to_string()
}

#[test]
fn the_default_rules_read() {
    let rules = rules(DEFAULT);
    assert_eq!((rules.name.as_str(), rules.version), ("default", 1));
    assert_eq!((rules.live_horizon_days, rules.learning_days), (3, 14));
    assert_eq!(rules.storm, Storm { accounts_min: 8, share_min: 0.01 });
    let names: Vec<&str> = rules.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "activity_drop",
            "service_drop",
            "health_band",
            "health_fall",
            "payment_trouble",
            "support_trouble",
            "seats_unused",
            "detractor",
            "onboarding_stalled",
            "notice_given",
            "renewal_at_risk",
            "key_user_gone",
            "touchpoint_overdue",
            "expansion_signal",
        ],
        "in the order of the file"
    );
    let Kind::Drop(Drop { scope, alpha, drop_min, segment_by, .. }) = &rules.rules[0].kind else { panic!() };
    assert_eq!(
        (*scope, *alpha, *drop_min, segment_by.as_deref()),
        (Scope::Account, 1e-3, 0.4, Some("segment"))
    );
    let Kind::Drop(service) = &rules.rules[1].kind else { panic!() };
    assert_eq!((service.scope, service.alpha), (Scope::Service, 1e-4));
    let renewal = Renewal {
        stages: vec![(270, Severity::Low), (180, Severity::Medium), (90, Severity::High)],
        contact_days: 60,
    };
    assert_eq!(rules.rule("renewal_at_risk").unwrap().kind, Kind::Renewal(renewal));
    let notice = rules.rule("notice_given").unwrap();
    assert_eq!((notice.severity, notice.hold_days), (Some(Severity::High), 1));
    assert_eq!(notice.statuses, [Status::Paying, Status::Leaving]);
    assert_eq!(rules.rule("seats_unused").unwrap().hold_days, 28);
    assert_eq!(rules.rule("activity_drop").unwrap().severity, None, "the detector's own");
    assert_eq!(
        rules.metrics(),
        [
            "escalations",
            "failed_payments",
            "first_reply",
            "past_due_days",
            "people_per_seat",
            "reopened",
            "usage_change",
        ]
    );
    let [notice, drop] = rules.inhibitions.as_slice() else { panic!("{:?}", rules.inhibitions) };
    assert_eq!((notice.by.as_str(), &notice.inhibited), ("notice_given", &Inhibited::All));
    assert!(drop.inhibits("health_fall") && !drop.inhibits("gone_silent"));
    assert!(rules.routes.is_empty() && rules.receivers.is_empty());
}

#[test]
fn every_metric_of_the_default_rules_is_one_of_the_default_model() {
    let model = crate::model::Model::parse(crate::model::DEFAULT).unwrap();
    let rules = rules(DEFAULT);
    let lacking: Vec<&str> = rules
        .metrics()
        .into_iter()
        .filter(|name| !model.metrics.iter().any(|metric| metric.name == *name))
        .collect();
    assert_eq!(lacking, [""; 0]);
}

#[test]
fn each_kind_of_rule_reads() {
    assert!(matches!(
        kind("{ points = 15, within_days = 14, severity = 'low' }"),
        Kind::Points { points: 15.0, within_days: 14 }
    ));
    let Kind::Metrics(tests) = kind("{ all = [{ metric = 'a', ge = 1, lt = 2.5 }], severity = 'low' }")
    else {
        panic!()
    };
    assert!(tests.is_all);
    assert_eq!(tests.tests[0].bounds, [(Bound::Ge, 1.0), (Bound::Lt, 2.5)]);
    let bands = kind("{ band = { red = 'critical', 'at risk' = 'low' } }");
    assert_eq!(
        bands,
        Kind::Band(vec![("red".into(), Severity::Critical), ("at risk".into(), Severity::Low)])
    );
    assert!(matches!(kind("{ event = { type = 'nps_answered' }, severity = 'low' }"), Kind::Event(_)));
    assert!(matches!(
        kind("{ milestone_overdue_days = 0, severity = 'low' }"),
        Kind::MilestoneOverdue { days: 0 }
    ));
    assert!(matches!(
        kind("{ share_min = 0.3, silent_days = 10, severity = 'high' }"),
        Kind::KeyUser { silent_days: 10, .. }
    ));
    assert_eq!(
        kind("{ every_days = { A = 30 }, severity = 'low' }"),
        Kind::Touchpoint(vec![("A".into(), 30)])
    );
}

#[test]
fn a_rule_takes_what_it_does_not_say_from_the_defaults() {
    let rules = rules(
        "[defaults]\nstatuses = ['trial']\nhold_days = 2\nmissing = 'ok'\n[rules]\n\
         a = { points = 1, within_days = 7, severity = 'low' }\n\
         b = { points = 1, within_days = 7, severity = 'low', hold_days = 5, cooldown_days = 0, missing = 'alert', \
         when = [{ tier = 'A' }], playbook = { title = 'Call', steps = ['ring', 'note'], due_working_days = 2 } }",
    );
    let [a, b] = rules.rules.as_slice() else { panic!("{rules:?}") };
    assert_eq!(
        (a.statuses.as_slice(), a.hold_days, a.keep_days, a.cooldown_days),
        ([Status::Trial].as_slice(), 2, 3, 28)
    );
    assert_eq!((a.missing, b.missing), (Missing::Ok, Missing::Alert));
    assert_eq!((b.hold_days, b.cooldown_days, b.when.is_some()), (5, 0, true));
    let playbook = b.playbook.as_ref().unwrap();
    assert_eq!((playbook.steps.len(), playbook.due_working_days, playbook.link.as_str()), (2, Some(2), ""));
}

#[test]
fn routes_and_receivers_read() {
    let rules = rules(
        "[rules]\nfall = { points = 1, within_days = 7, severity = 'low' }\n\
         [[routes]]\nreceiver = 'cs'\nrule = ['fall', 'gone_silent', 'storm']\nseverity = ['high', 'critical']\ntier = 'A'\nrole = 'owner'\n\
         [[routes]]\nreceiver = 'feed'\n\
         [receivers.cs]\nkind = 'webhook'\nurl = 'https://cs.example.com/hooks'\nsecret_file = 'webhook.key'\n\
         [receivers.chat]\nkind = 'slack'\nurl_env = 'SLACK_HOOK'\nper_minute_max = 10\n\
         [receivers.feed]\nkind = 'kafka'\nbrokers = ['localhost:9092']\ngive_up_days = 1",
    );
    let [first, second] = rules.routes.as_slice() else { panic!("{rules:?}") };
    assert_eq!(
        (first.rules.len(), first.severities.as_slice()),
        (3, [Severity::High, Severity::Critical].as_slice())
    );
    assert_eq!((first.tiers.as_slice(), first.role.as_deref()), (["A".to_owned()].as_slice(), Some("owner")));
    assert!(second.rules.is_empty() && second.role.is_none());
    let [cs, chat, feed] = rules.receivers.as_slice() else { panic!("{rules:?}") };
    let ReceiverKind::Webhook { url, secret } = &cs.kind else { panic!("{cs:?}") };
    assert_eq!(url, &Address::Plain("https://cs.example.com/hooks".into()));
    assert_eq!((secret, cs.give_up_days), (&Kept::File("webhook.key".into()), 3));
    assert_eq!(chat.kind, ReceiverKind::Slack { url: Address::Kept(Kept::Variable("SLACK_HOOK".into())) });
    assert!(matches!(&feed.kind, ReceiverKind::Kafka { topic, .. } if topic == TOPIC));
    assert_eq!((chat.per_minute_max, feed.per_minute_max, feed.give_up_days), (10, 60, 1));
}

#[test]
fn what_is_outside_the_grammar_is_refused_by_name() {
    let cases = [
        (
            "learning_day = 3",
            "the rules: unknown key \"learning_day\"; nearest valid key: \"learning_days\" (valid: ",
        ),
        (
            "storm = { acounts_min = 3 }",
            "storm: unknown key \"acounts_min\"; nearest valid key: \"accounts_min\"",
        ),
        ("storm = { share_min = 2 }", "storm.share_min: 2 is not a share from 0 to 1"),
        (
            "[defaults]\nstatuses = ['payng']",
            "defaults.statuses[0]: \"payng\" is not one of closed, merged, paying",
        ),
        ("[defaults]\nhold_days = 0", "defaults.hold_days: 0 is not a whole number from 1 to 36525"),
        ("[defaults]\nmissing = 'kep'", "(nearest: \"keep\")"),
        (
            "[rules]\nx = { points = 3, within_days = 7 }",
            "rules.x: a rule by \"points\" needs the key \"severity\"",
        ),
        (
            "[rules]\nx = { points = 3, within_day = 7 }",
            "rules.x: unknown key \"within_day\"; nearest valid key: \"within_days\"",
        ),
        (
            "[rules]\nx = { band = { red = 'high' }, within_days = 7 }",
            "rules.x: a rule by \"band\" takes no key \"within_days\"; nearest valid key: \"hold_days\"",
        ),
        (
            "[rules]\nx = { band = { red = 'hihg' } }",
            "rules.x.band.red: \"hihg\" is not one of low, medium, high, critical (nearest: \"high\")",
        ),
        ("[rules]\nx = { band = {} }", "rules.x.band: {} is not a table of bands and severities"),
        (
            "[rules]\nx = { severity = 'low' }",
            "rules.x: nothing says when it fires; give it one of detector, band, points",
        ),
        (
            "[rules]\nx = { band = { red = 'low' }, points = 3 }",
            "rules.x: \"band\" and \"points\" both say when it fires; make two rules of it",
        ),
        (
            "[rules]\nx = { all = [{ metric = 'a' }], severity = 'low' }",
            "rules.x.all[0]: nothing is asked of \"a\"; give it one of ge, gt, le, lt",
        ),
        ("[rules]\nx = { all = [], severity = 'low' }", "rules.x.all: [] is not a list of 1 to 50 tests"),
        (
            "[rules]\nx = { all = [{ metric = 'a', eq = 1 }], severity = 'low' }",
            "rules.x.all[0]: unknown key \"eq\"; nearest valid key: \"ge\"",
        ),
        (
            "[rules]\nx = { detector = 'dorp' }",
            "rules.x.detector: \"dorp\" is not one of drop (nearest: \"drop\")",
        ),
        (
            "[rules]\nx = { detector = 'drop', filter = {}, drop_min = 0.4 }",
            "rules.x: a rule by \"detector\" needs the key \"alpha\"",
        ),
        (
            "[rules]\nx = { detector = 'drop', filter = { famly = 'usage' }, alpha = 1e-3, drop_min = 0.4 }",
            "rules.x.filter: unknown key \"famly\"; nearest valid key: \"family\"",
        ),
        (
            "[rules]\nx = { detector = 'drop', filter = {}, alpha = 0.5, drop_min = 0.4 }",
            "rules.x.alpha: 0.5 is not a probability above 0, at most 0.1",
        ),
        (
            "[rules]\nx = { event = { 'properties.score' = 3 }, severity = 'low' }",
            "rules.x.event: an event needs the key \"type\"",
        ),
        (
            "[rules]\nx = { stages = { soon = 'low' }, contact_days = 60 }",
            "rules.x.stages: the key \"soon\" is no whole number of days above 0",
        ),
        (
            "[rules]\nx = { every_days = { A = 'often' }, severity = 'low' }",
            "rules.x.every_days.A: \"often\" is not a whole number",
        ),
        (
            "[rules]\n'a b' = { band = { red = 'low' } }",
            "rules.a b: the name of a rule consists of letters, digits, _ and -",
        ),
        (
            "[rules]\ngone_silent = { band = { red = 'low' } }",
            "rules.gone_silent: alerts of this name open by themselves",
        ),
        (
            "[rules]\nstorm = { band = { red = 'low' } }",
            "rules.storm: alerts of this name open by themselves",
        ),
        (
            "[rules]\nx = { band = { red = 'low' }, when = [{ tier = [] }] }",
            "rules.x.when[0].tier: [] is not a value",
        ),
        (
            "[rules]\nx = { band = { red = 'low' }, playbook = { titel = 'Call' } }",
            "rules.x.playbook: unknown key \"titel\"; nearest valid key: \"title\"",
        ),
        (
            "[rules]\nfall = { band = { red = 'low' } }\n[inhibit]\nfal = ['*']",
            "inhibit: there is no rule \"fal\"; nearest: \"fall\"",
        ),
        (
            "[rules]\nfall = { band = { red = 'low' } }\n[inhibit]\nfall = ['gone_silnt']",
            "inhibit.fall[0]: there is no rule \"gone_silnt\"; nearest: \"gone_silent\"",
        ),
        (
            "[rules]\nfall = { band = { red = 'low' } }\n[inhibit]\nfall = ['*', 'storm']",
            "inhibit.fall[0]: \"*\" is not a rule: \"*\" stands alone",
        ),
        (
            "[[routes]]\nreceiver = 'sc'\n[receivers.cs]\nkind = 'kafka'",
            "routes[0].receiver: there is no receiver \"sc\"; nearest: \"cs\"",
        ),
        (
            "[[routes]]\nreceiver = 'cs'\nrule = 'strom'\n[receivers.cs]\nkind = 'kafka'",
            "routes[0].rule: there is no rule \"strom\"; nearest: \"storm\"",
        ),
        ("[[routes]]\ntier = 'A'", "routes[0]: a route needs the key \"receiver\""),
        (
            "[receivers.cs]\nkind = 'email'",
            "receivers.cs.kind: \"email\" is not one of webhook, slack, kafka",
        ),
        (
            "[receivers.cs]\nkind = 'webhook'\nurl = 'https://x'",
            "receivers.cs: a receiver of kind \"webhook\" needs one of secret_file, secret_env",
        ),
        (
            "[receivers.cs]\nkind = 'slack'\nurl = 'https://x'\nurl_env = 'X'",
            "receivers.cs: \"url\" and \"url_env\" say the same; give one of them",
        ),
        (
            "[receivers.cs]\nkind = 'slack'\nsecret_env = 'X'",
            "receivers.cs: a receiver of kind \"slack\" takes no key \"secret_env\"",
        ),
        ("name = ", "the file is not valid TOML: "),
    ];
    let others = cases.map(|(text, message)| (text, message, error(text)));
    let others = others.iter().filter(|(_, message, said)| !said.contains(message));
    let told: Vec<String> =
        others.map(|(text, message, said)| format!("{text}\nsays {said}\nnot {message}")).collect();
    assert!(told.is_empty(), "{}", told.join("\n\n"));
}

#[test]
fn an_address_with_a_password_is_not_repeated() {
    let said = error("[receivers.cs]\nkind = 'slack'\nurl = 'https://me:pass-word@example.com'");
    assert!(said.starts_with("receivers.cs.url: ") && !said.contains("pass-word"), "{said}");
}

#[test]
fn every_error_is_told_where_it_stands() {
    let text = "vresion = 1\nlearning_days = -1\n[rules]\na = { band = { red = 'lwo' } }\nb = { points = 3 }\n\
                c = { band = { red = 'low' } }\n[inhibit]\nd = ['*']\n[[routes]]\nreceiver = 'x'\n\
                [receivers.x]\nkind = 'fax'\n[receivers.y]\nkind = 'slack'";
    let errors = Rules::read(text).unwrap_err();
    let places = Places::of(text);
    let told: Vec<(Option<usize>, Option<&str>)> =
        errors.iter().map(|error| (places.line_of_error(error), error.path())).collect();
    assert_eq!(
        told,
        [
            (Some(1), Some("the rules")),
            (Some(2), Some("learning_days")),
            (Some(4), Some("rules.a.band.red")),
            (Some(5), Some("rules.b")),
            (Some(8), Some("inhibit")),
            (Some(12), Some("receivers.x.kind")),
            (Some(13), Some("receivers.y")),
        ],
        "{errors:#?}"
    );
    assert_eq!(Rules::read(DEFAULT).err(), None);
}

#[test]
fn the_canonical_bytes_cover_what_a_file_means() {
    let canonical = |text: &str| rules(text).canonical;
    let plain =
        "name = 'r'\nlearning_days = 7\n[rules]\na = { points = 3, within_days = 7, severity = 'low' }";
    let same =
        "# mine\nlearning_days = 7\nname = \"r\"\n[rules.a]\nseverity = 'low'\npoints = 3.0\nwithin_days = 7";
    assert_eq!(canonical(plain), canonical(same));
    for (part, by) in [("'r'", "'s'"), ("= 7", "= 8"), ("points = 3", "points = 4"), ("a =", "b =")] {
        assert_ne!(canonical(plain), canonical(&plain.replacen(part, by, 1)), "{part} became {by}");
    }
}

#[test]
fn a_storm_needs_both_limits() {
    let storm = Storm { accounts_min: 8, share_min: 0.01 };
    for (opening, judged, is) in
        [(7, 100, false), (8, 100, true), (8, 800, true), (8, 801, false), (9, 900, true)]
    {
        assert_eq!(storm.is(opening, judged), is, "{opening} of {judged}");
    }
}
