//! From files to metrics, as a user sees it: restarts, idempotency, orders and threads change nothing.

use tidewatch_engine::read::scan::AsOf;
use tidewatch_engine::write::sequencer::{Command, CommandError};
use tidewatch_ingest::reject::Reason;
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::settings::Settings;

use crate::support::{Answer, Shard, import, in_memory};
use crate::wait::wait_until;

const MODEL: &str = "
[metrics]
today = { agg = 'count', window = 1 }
uses = { agg = 'count', filter = { type = 'usage' } }
";

/// Four weeks of three companies: usage, value, tickets, money, facts, a merge, and events that wait for a link.
fn company_lines() -> Vec<String> {
    let mut lines = Vec::new();
    for day in 1..=28 {
        for (account, users) in [("acme", 5), ("globex", 2), ("initech", 1)] {
            for user in 0..users {
                lines.push(format!(
                    r#"{{"id":"{account}-u-{day}-{user}","account":"{account}","user":"u{user}","type":"usage","occurred_at":"2024-02-{day:02}T{:02}:30:00Z","properties":{{"feature":"f{}"}}}}"#,
                    (user * 5 + day) % 24,
                    (user + day) % 3,
                ));
            }
            lines.push(format!(
                r#"{{"id":"{account}-v-{day}","account":"{account}","type":"value","quantity":"{day}.25","occurred_at":"2024-02-{day:02}T23:59:59.999999Z","properties":{{"metric":"reports"}}}}"#
            ));
        }
        lines.push(format!(
            r#"{{"id":"t-{day}","account":"acme","type":"ticket_opened","occurred_at":"2024-02-{day:02}T08:00:00Z","properties":{{"ticket_id":"T{day}"}}}}"#
        ));
        lines.push(format!(
            r#"{{"id":"p-{day}","user":"u{day}@example.org","type":"usage","occurred_at":"2024-02-{day:02}T09:00:00Z","properties":{{"feature":"f1"}}}}"#
        ));
        lines.push(format!(
            r#"{{"id":"r-{day}","ref":{{"system":"crm","id":"{}"}},"type":"touchpoint_held","occurred_at":"2024-02-{day:02}T10:00:00Z","properties":{{"kind":"call"}}}}"#,
            day % 4
        ));
    }
    lines.push(r#"{"id":"s-1","account":"globex","type":"subscription_started","occurred_at":"2024-02-01T00:00:00Z","amount":120000,"currency":"EUR","properties":{"subscription_id":"S1","amount_per":"year","term_start":"2024-02-01","term_end":"2025-01-31","seats":4}}"#.into());
    lines.push(r#"{"id":"a-1","account":"acme","type":"account_updated","occurred_at":"2024-02-03T00:00:00Z","properties":{"segment":"smb","seats":10}}"#.into());
    lines.push(r#"{"id":"m-1","account":"initech","type":"account_merged","occurred_at":"2024-02-20T12:00:00Z","properties":{"into_account":"acme"}}"#.into());
    lines
}

/// A fixed shuffle: every line moves.
fn shuffled(lines: &[String], step: usize) -> Vec<String> {
    (0..lines.len()).map(|at| lines[(at * step + 7) % lines.len()].clone()).collect()
}

fn coprime(len: usize, wish: usize) -> usize {
    let divides = |a: usize, b: usize| (2..=a.min(b)).any(|d| a.is_multiple_of(d) && b.is_multiple_of(d));
    (wish..).find(|step| !divides(*step, len)).unwrap()
}

#[test]
fn the_same_events_give_the_same_digest_however_they_come() {
    let lines = company_lines();
    let whole = Shard::new();
    let ingested = whole.import_lines("app", &lines);
    assert_eq!(ingested.receipt.accepted, lines.len() as u64);
    let digest = whole.digest(1);
    assert_eq!((whole.digest(2), whole.digest(7)), (digest.clone(), digest.clone()), "W changes nothing");

    for wish in [5, 101, lines.len() - 2] {
        let moved = Shard::new();
        moved.import_lines("app", &shuffled(&lines, coprime(lines.len(), wish)));
        assert_eq!(moved.digest(2), digest, "shuffled by {wish}");
    }

    let split = Shard::new();
    for part in lines.chunks(37).rev() {
        split.import_lines("app", part);
    }
    let again = split.import_lines("app", &lines);
    assert_eq!((again.receipt.accepted, again.receipt.duplicates), (0, lines.len() as u64));
    assert_eq!(split.digest(2), digest, "split, backwards, and then all of it again");
}

#[test]
fn a_running_engine_shows_what_a_rebuild_shows() {
    let lines = company_lines();
    let shard = Shard::new();
    let engine = shard.open(3);
    for part in lines.chunks(50) {
        let file = shard.file(part);
        import(&engine, "app", None, &[file]).unwrap();
    }
    let durable = *engine.durable().borrow();
    let mut published = engine.published().unwrap().watch();
    wait_until("a view of all that is durable", || {
        let seen = *published.borrow_and_update();
        (seen >= durable).then_some(()).ok_or(seen)
    });
    let view = engine.view().unwrap();
    let live =
        tidewatch_engine::read::digest::of_view(&view, &engine.history(), AsOf::Last, 2).unwrap().to_string();
    engine.shutdown().unwrap();
    assert_eq!(shard.digest(2), live);
}

#[test]
fn a_file_imported_again_is_not_read_again_and_another_name_is_another_source() {
    let lines = company_lines();
    let shard = Shard::new();
    let file = shard.file(&lines);
    shard.import("app", None, std::slice::from_ref(&file));
    let again = shard.import("app", None, std::slice::from_ref(&file));
    assert_eq!((again.receipt.accepted, again.receipt.duplicates), (0, 0), "its checkpoint is at its end");
    let other = shard.import("backfill", None, &[file]);
    assert_eq!(other.receipt.accepted, lines.len() as u64);
}

#[test]
fn refused_lines_become_dead_letters_once() {
    let shard = Shard::new();
    let good = r#"{"id":"1","account":"acme","type":"usage","occurred_at":"2024-02-01T00:00:00Z","properties":{"feature":"a"}}"#;
    let lines = [
        good,
        "not json",
        r#"{"id":"1","account":"acme","type":"usage","occurred_at":"2024-02-01T00:00:00Z","properties":{"feature":"b"}}"#,
        r#"{"properties":{"feature":"a"},"occurred_at":"2024-02-01T00:00:00.000Z","type":"usage","account":"acme","id":"1"}"#,
        r#"{"id":"9","account":"acme","type":"usage","occurred_at":"2999-01-01T00:00:00Z","properties":{"feature":"a"}}"#,
        "not json",
        r#"{"id":"m","account":"acme","type":"account_merged","occurred_at":"2024-02-01T00:00:00Z","properties":{"into_account":"acme"}}"#,
    ]
    .map(str::to_owned);
    let receipt = shard.import_lines("app", &lines).receipt;
    assert_eq!((receipt.accepted, receipt.duplicates, receipt.repeated_dead_letters), (1, 1, 1));
    let rejected: Vec<(Reason, u64)> = receipt.rejected.into_iter().collect();
    let once = [Reason::NotJson, Reason::FromTheFuture, Reason::IdConflict, Reason::MergeCycle];
    assert_eq!(rejected, once.map(|reason| (reason, 1)));
    let receipt =
        shard.import_lines("app", &[&lines[..], &["".to_owned(), good.to_owned()]].concat()).receipt;
    assert_eq!((receipt.rejected_count(), receipt.repeated_dead_letters), (0, 5), "after a restart as well");
}

#[test]
fn a_zone_adopted_after_the_events_holds_for_them() {
    let shard = Shard::new();
    shard.import_lines("app", &company_lines());
    let today = |shard: &Shard| shard.metrics(MODEL, &["2024-02-10"], Some(&["globex"]))[0].2[0].clone();
    assert_eq!(today(&shard), Some(Scalar::Integer(3)));
    let digest = shard.digest(2);
    let zone = |zone: &str| {
        let settings = Settings { zone: zone.into(), ..Settings::default() };
        Command::Adopt(Box::new(settings.into()))
    };
    shard.submit(zone("Asia/Tokyo"));
    // The day ends nine hours sooner.
    let (_, as_of, values) = shard.metrics(MODEL, &["2024-02-10"], Some(&["globex"])).remove(0);
    assert_eq!(as_of, 1_707_577_200_000_000);
    assert_eq!(values[0], Some(Scalar::Integer(2)), "the value of the 9th and the first use of the 10th");
    assert_ne!(shard.digest(2), digest);
    let first = Shard::new();
    first.submit(zone("Asia/Tokyo"));
    first.import_lines("app", &company_lines());
    assert_eq!(first.digest(2), shard.digest(2), "before or after the events is the same");
    shard.submit(zone("UTC"));
    assert_eq!(shard.digest(2), digest, "and back");
}

#[test]
fn a_live_engine_folds_anew_under_another_zone() {
    let shard = Shard::new();
    shard.import_lines("app", &company_lines());
    let engine = shard.open(2);
    let settings = Settings { zone: "America/New_York".into(), ..Settings::default() };
    let position = engine.submit(Command::Adopt(Box::new(settings.into())), None).unwrap();
    let view = wait_until("a view under the new settings", || {
        let view = engine.view().unwrap();
        if view.shows(position.seq) { Ok(view) } else { Err(view.position.seq) }
    });
    assert_eq!(&*view.control_state.settings.zone, "America/New_York");
    let live =
        tidewatch_engine::read::digest::of_view(&view, &engine.history(), AsOf::Last, 1).unwrap().to_string();
    engine.shutdown().unwrap();
    assert_eq!(shard.digest(2), live);
}

#[test]
fn a_reset_takes_back_what_a_source_brought_and_reads_it_again() {
    let lines = company_lines();
    let shard = Shard::new();
    let file = shard.file(&lines);
    shard.import("app", None, std::slice::from_ref(&file));
    let digest = shard.digest(2);
    shard.submit(Command::ResetSource { source: "app".into(), mapping_digest: "".into() });
    let uses = shard.metrics(MODEL, &["2024-02-28"], Some(&["acme"]))[0].2[1].clone();
    assert_eq!(uses, None, "nothing of it counts, and no type is fed");
    let again = shard.import("app", None, &[file]);
    assert_eq!(again.receipt.accepted, lines.len() as u64);
    assert_eq!(shard.digest(2), digest);
}

#[test]
fn another_mapping_is_refused_once_and_loudly() {
    let shard = Shard::new();
    let lines = [r#"{"kind":"usage","who":"acme","when":"2024-02-01T00:00:00Z","n":"1"}"#.to_owned()];
    let file = shard.file(&lines);
    shard.import_lines("app", &company_lines());
    let mapping =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/mappings/nab-activity.toml");
    let mapping = std::fs::read_to_string(mapping).unwrap();
    let engine = shard.open(1);
    let refused = import(&engine, "app", Some(&mapping), &[file]).unwrap_err();
    let is_loud = matches!(
        &refused,
        tidewatch_engine::app::EngineError::Command(CommandError::MappingChanged { name, .. }) if &**name == "app"
    );
    assert!(is_loud, "{refused}");
    engine.shutdown().unwrap();
}

#[test]
fn merged_accounts_answer_together_and_are_left_out_of_all() {
    let shard = Shard::new();
    shard.import_lines("app", &company_lines());
    let before = shard.metrics(MODEL, &["2024-02-20T12:00:00Z"], None);
    let after = shard.metrics(MODEL, &["2024-02-28"], None);
    let accounts = |answers: &[Answer]| answers.iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>();
    assert_eq!(accounts(&before), ["acme", "globex", "initech"]);
    assert_eq!(accounts(&after), ["acme", "globex"]);
    assert_eq!(after[0].2[1], Some(Scalar::Integer(28 * 6)), "past windows count both");
    let merged = shard.metrics(MODEL, &["2024-02-28"], Some(&["initech"]));
    assert_eq!(merged, [after[0].clone()], "asked by its old name it answers under its survivor's");
    let last = shard.metrics(MODEL, &["last"], Some(&["globex"]));
    assert_eq!(last[0].1, 1_709_164_800_000_000, "one microsecond after the newest event");
}

#[test]
fn what_memory_answers_is_what_the_log_answers() {
    let shard = Shard::new();
    let old = (0..3).map(|year| {
        format!(
            r#"{{"id":"old-{year}","account":"acme","user":"u9","type":"usage","occurred_at":"202{}-06-01T00:00:00Z","properties":{{"feature":"f1"}}}}"#,
            year
        )
    });
    let lines: Vec<String> = company_lines().into_iter().chain(old).collect();
    shard.import_lines("app", &lines);
    let asked =
        ["2022-06-01", "2023-12-31", "2024-02-01", "2024-02-14", "2024-02-20", "2024-02-28", "2024-04-01"];
    let within_a_day = "2024-02-14T12:00:00Z";
    let cold = shard.metrics(tidewatch_projections::model::DEFAULT, &asked, None);
    let engine = shard.open(2);
    let view = engine.view().unwrap();
    let all: Vec<usize> = (0..view.plan.model.metrics.len()).collect();
    let goals_met = view.plan.model.metrics.iter().position(|metric| metric.name == "goals_met").unwrap();
    let others: Vec<usize> = all.iter().copied().filter(|index| *index != goals_met).collect();
    let (mut answered, mut answered_others) = (0, 0);
    for (account, as_of, values) in &cold {
        let account = view.names.find(account).unwrap();
        let name = view.names.text(account);
        if let Some(hot) = in_memory(&view, account, *as_of, &all) {
            assert_eq!(&hot, values, "{name} at {as_of}");
            answered += 1;
        }
        if let Some(hot) = in_memory(&view, account, *as_of, &others) {
            let values: Vec<_> = others.iter().map(|index| values[*index].clone()).collect();
            assert_eq!(hot, values, "{name} at {as_of}");
            answered_others += 1;
        }
    }
    assert!(answered >= 12, "recent ends of days come from memory, {answered} did");
    assert!(answered_others > answered, "goals_met looks back a year; without it memory knows more");
    let acme = view.names.find("acme").unwrap();
    let AsOf::At(within_a_day) = AsOf::parse(within_a_day).unwrap() else { panic!("an instant") };
    assert_eq!(in_memory(&view, acme, within_a_day, &all), None);
    engine.shutdown().unwrap();
}

#[test]
fn a_survivor_known_by_its_merge_alone_is_listed_from_the_merge_on() {
    let shard = Shard::new();
    shard.import_lines(
        "app",
        &[
            r#"{"id":"1","account":"acme","type":"usage","occurred_at":"2024-02-01T00:00:00Z","properties":{"feature":"a"}}"#,
            r#"{"id":"2","account":"acme","type":"account_merged","occurred_at":"2024-02-03T00:00:00Z","properties":{"into_account":"holding"}}"#,
            r#"{"id":"3","account":"globex","type":"account_merged","occurred_at":"2024-02-03T00:00:00Z","properties":{}}"#,
        ]
        .map(str::to_owned),
    );
    let uses = |as_of: &str| {
        let rows =
            shard.metrics("[metrics]\nuses = { agg = 'count', filter = { type = 'usage' } }", &[as_of], None);
        rows.into_iter().map(|(account, _, values)| (account, values[0].clone())).collect::<Vec<_>>()
    };
    let row = |account: &str, uses| (account.to_owned(), Some(Scalar::Integer(uses)));
    assert_eq!(uses("2024-02-02"), [row("acme", 1)], "no event names the others yet");
    assert_eq!(uses("2024-02-03"), [row("globex", 0), row("holding", 1)], "merged into nobody is not merged");
}
