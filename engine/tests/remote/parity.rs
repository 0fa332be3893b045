//! The commands as an operator uses them one after the other, on a directory at rest; and what could still differ on a
//! running engine: the way to it, and the words of what is refused.

use serde_json::Value;

use crate::child;
use crate::places::{Directory, Files, Place, Said, Server, fleet, program, shuffled};

const MODEL: &str = "[metrics]\n\
    uses = { agg = 'count', filter = { family = 'usage' } }\n\
    uses_30d = { agg = 'count', window = 30, filter = { family = 'usage' } }\n\
    people = { agg = 'active_users', window = 7, filter = { family = 'usage' } }\n\
    change = { agg = 'change', a = 'uses_30d' }\n";

/// Looks for the time in a field that is not there.
const BROKEN_MAPPING: &str = "version = 1\n[defaults]\nid = '$.key'\naccount = '$.org'\nuser = '$.who'\n\
    occurred_at = '$.when'\n[[rules]]\nname = 'use'\nwhen = { what = 'use' }\ntype = 'usage'\n\
    properties = { feature = '$.of' }\n[[rules]]\nname = 'noise'\nwhen = { what = 'noise' }\nskip = true\n";

fn fixed_mapping() -> String {
    BROKEN_MAPPING.replace("$.when", "$.ts")
}

/// Native lines that are no plain events: no id, unknown fields, no JSON, a conflict, blank ones, one past the limit.
fn odd_lines() -> Vec<String> {
    let usage = |rest: &str, more: &str| {
        format!(
            r#"{{"account":"odd","type":"usage","occurred_at":"2024-01-09T08:00:00Z","user":"ann"{rest},"properties":{{"feature":"export"{more}}}}}"#
        )
    };
    vec![
        usage("", ""),
        usage(r#","extra":{"kept":[1,2.50]}"#, ""),
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        usage(r#","id":"c1""#, ""),
        usage(r#","id":"c1","product":"other""#, ""),
        "   ".to_owned(),
        format!("{}\r", usage(r#","id":"c2""#, "")),
        r#"{"account":"odd","type":"usage"}"#.to_owned(),
        usage("", &format!(r#","note":"{}""#, "x".repeat(1 << 20))),
        usage(r#","id":"p1""#, "").replace(r#""account":"odd""#, r#""ref":{"system":"crm","id":"77"}"#),
    ]
}

fn feed() -> Vec<String> {
    let record = |at: usize| {
        let what = if at.is_multiple_of(5) { "noise" } else { "use" };
        format!(
            r#"{{"key":"k{at}","what":"{what}","org":"globex","who":"u{}","of":"export","ts":"2024-02-{:02}T07:00:00Z"}}"#,
            at % 3,
            1 + at % 28
        )
    };
    (0..40).map(record).collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn commands_on_a_directory() {
    let files = Files::new();
    let directory = Directory(files.path("rest"));
    let (events, more) = (fleet(8, 40), odd_lines());
    let first = files.write("first.ndjson", events.join("\n"));
    let odd = files.write("odd.ndjson", more.join("\n"));
    let other_order = files.write("shuffled.ndjson", shuffled(&events).join("\n"));
    let model = files.write("model.toml", MODEL);

    // Settings before events, events in files, the same again, the same in another order.
    directory.says(&["adopt", "--model", &model]);
    let import = ["import", "--source", "app", "--json", &first, &odd];
    let imported = json(&directory.says(&import));
    assert!(imported["new"].as_u64().unwrap() > 1_000, "{imported}");
    assert_eq!(imported["dead_letters"]["id_conflict"], 1, "{imported}");
    let again = json(&directory.says(&import));
    assert_eq!((&again["new"], &again["duplicates"]), (&0.into(), &0.into()), "files are not read twice");
    let digest = directory.says(&["digest"]);
    let shuffled = json(&directory.says(&["import", "--source", "app", "--json", &other_order]));
    assert_eq!((&shuffled["new"], &shuffled["duplicates"]), (&0.into(), &events.len().into()));
    assert_eq!(directory.says(&["digest"]), digest, "neither order nor repetition counts");

    // A feed whose mapping is wrong, put right.
    let feed = files.write("feed.ndjson", feed().join("\n"));
    let broken = files.write("broken.toml", BROKEN_MAPPING);
    let fixed = files.write("fixed.toml", fixed_mapping());
    let refused =
        json(&directory.says(&["import", "--source", "feed", "--json", "--mapping", &broken, &feed]));
    let missing = &refused["dead_letters"]["missing_field"];
    assert_eq!((&refused["new"], missing), (&0.into(), &32.into()), "{refused}");
    let other = directory.run(&["import", "--source", "feed", "--mapping", &fixed, &feed]);
    assert!(other.code == Some(1) && other.stderr.contains("was read so far by mapping"), "{other:?}");
    let letters = ["deadletters", "list", "--json", "--limit", "7", "--source", "feed"];
    let listed = directory.run(&letters);
    assert_eq!(listed.stdout.lines().count(), 7);
    assert!(listed.stderr.contains("there are more dead letters"), "{listed:?}");
    let letter = json(listed.stdout.lines().next().unwrap())["position"].to_string();
    let shown = json(&directory.says(&["deadletters", "show", "--json", &letter]));
    assert_eq!((&shown["reason"], &shown["resolved"]), (&"missing_field".into(), &false.into()));
    let replay = ["deadletters", "replay", "--json", "--source", "feed", "--mapping", &fixed];
    assert_eq!(directory.says(&replay), "{\"resolved\":32,\"new\":32,\"refused\":0,\"cut\":0}\n");
    assert_eq!(directory.says(&["deadletters", "count", "--json", "--source", "feed"]), "{}\n");
    let with_resolved = directory.says(&["deadletters", "count", "--json", "--source", "feed", "--resolved"]);
    assert_eq!(json(&with_resolved)["missing_field"], 32);
    let cut = directory.run(&["deadletters", "replay", "--source", "app"]);
    assert!(cut.code == Some(1) && cut.stderr.contains("1 cannot be replayed"), "{cut:?}");

    // What an account is and did, and metrics of one that no event names.
    assert_eq!(json(&directory.says(&["get", "odd", "--json"]))["account"], "odd");
    let listed = directory.says(&["list", "--json"]).lines().count();
    assert!(listed > 5, "{listed}");
    let table = directory.says(&["list", "--limit", "3"]);
    let last = format!("3 of {listed} accounts, worst score first");
    assert_eq!(table.lines().last(), Some(last.as_str()));
    assert_eq!(directory.says(&["timeline", "--account", "odd", "--json"]).lines().count(), 4);
    let newest = directory.run(&["timeline", "--account", "odd", "--json", "--limit", "1"]);
    assert!(newest.stdout.lines().count() == 1 && newest.stderr.contains("there are older events"));
    let of_both = ["metrics", "--model", &model, "--as-of", "last", "--account", "odd", "ghost", "--json"];
    let rows: Vec<Value> = directory.says(&of_both).lines().map(json).collect();
    assert_eq!((&rows[0]["account"], &rows[0]["metrics"]["uses"]), (&"odd".into(), &4.into()), "{rows:?}");
    assert_eq!(rows[1]["account"], "ghost");

    // Settings change the figures, and who adopted them is kept.
    let closed = files
        .write("closed.csv", "scope,from,to\nall,2024-01-15,2024-01-17\naccount:odd,2024-01-09,2024-01-09\n");
    directory.says(&["adopt", "--zone", "America/New_York"]);
    directory.says(&["adopt", "--closed-days", &closed, "--on-behalf-of", "ann"]);
    let zoned = directory.says(&["digest"]);
    assert_ne!(zoned, digest);

    // Taken back, and read again.
    directory.says(&["source", "reset", "feed", "--mapping", &fixed, "--on-behalf-of", "ann"]);
    assert_ne!(directory.says(&["digest"]), zoned);
    let reread = json(&directory.says(&["import", "--source", "feed", "--json", "--mapping", &fixed, &feed]));
    assert_eq!((&reread["new"], &reread["filtered"]), (&32.into(), &8.into()), "{reread}");
    assert_eq!(directory.says(&["digest"]), zoned);
    directory.says(&["source", "retire", "feed"]);
    let sources: Vec<Value> = directory.says(&["source", "list", "--json"]).lines().map(json).collect();
    assert_eq!((&sources[1]["source"], &sources[1]["generation"]), (&"feed".into(), &1.into()));
    assert!(sources[1]["state"].is_null(), "nobody runs it");
    asked_by_the_command_line(&directory);

    directory.says(&["rebuild"]);
    assert_eq!(directory.says(&["digest"]), zoned);
}

/// Every change of a directory at rest was asked for by the command line, on behalf of whom it said.
fn asked_by_the_command_line(directory: &Directory) {
    let dumped = directory.says(&["log", "dump"]);
    let asked: Vec<Value> = dumped.lines().map(|line| json(line)["control"]["asked_by"].clone()).collect();
    let asked: Vec<&Value> = asked.iter().filter(|asked| !asked.is_null()).collect();
    assert!(asked.len() > 5 && asked.iter().all(|asked| asked["actor"] == "command line"), "{asked:?}");
    assert!(asked.iter().any(|asked| asked["on_behalf_of"] == "ann"));
}

/// A directory and a running engine with the same events.
struct Both {
    files: Files,
    directory: Directory,
    server: Server,
    events: String,
}

impl Both {
    fn new() -> Self {
        let files = Files::new();
        let (directory, server) = (Directory(files.path("rest")), Server::start(files.path("run")));
        let events = files.write("events.ndjson", [fleet(4, 10), odd_lines()].concat().join("\n"));
        for place in [&directory as &dyn Place, &server] {
            place.says(&["import", "--source", "app", &events]);
        }
        Self { files, directory, server, events }
    }
}

#[test]
fn a_running_engine_answers_and_refuses_in_the_words_of_a_directory() {
    let mut both = Both::new();
    let model = both.files.write("model.toml", MODEL);
    let fixed = both.files.write("fixed.toml", fixed_mapping());
    let events = both.events.clone();
    for (asked, code) in [
        (["digest"].as_slice(), 0),
        (&["metrics", "--all", "--json", "--as-of", "2024-01-05", "--as-of", "last"], 0),
        (&["metrics", "--account", "ghost", "odd", "--as-of", "last", "--model", &model], 0),
        (&["deadletters", "count"], 0),
        (&["get", "nobody"], 1),
        (&["timeline", "--account", "nobody"], 1),
        (&["source", "retire", "nobody"], 1),
        (&["adopt", "--zone", "Europe/Atlantis"], 1),
        (&["deadletters", "show", "1"], 1),
        (&["import", "--source", "app", "--mapping", &fixed, &events], 1),
        (&["import", "--source", "app", &both.files.path("missing.ndjson").to_string_lossy()], 1),
    ] {
        let [rest, run] = [both.directory.run(asked), both.server.run(asked)];
        assert_eq!(rest, run, "{asked:?}");
        assert_eq!(rest.code, Some(code), "{asked:?}: {rest:?}");
    }
    // One names the directory, the other the engine.
    for place in [&both.directory as &dyn Place, &both.server] {
        let refused = place.run(&["import", "--source", "app", "--tenant", "else", &both.events]);
        assert!(refused.code == Some(1) && refused.stderr.contains("\"else\""), "{refused:?}");
    }
    let nobody = both.server.named();
    both.server.stop();
    let gone = Said::from(child::output(program().arg("digest").args(nobody)));
    assert!(gone.code == Some(1) && gone.stderr.contains("no engine answers at"), "{gone:?}");
}

#[test]
fn both_places_at_once_are_refused_and_the_environment_is_only_a_default() {
    let both = Both::new();
    let named = [both.directory.named(), both.server.named()].concat();
    let refused = Said::from(child::output(program().arg("digest").args(&named)));
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("give one of them"), "{}", refused.stderr);
    let nobody = both.files.path("nobody");
    let mut by_default = program();
    by_default.args(["digest", "--server", both.server.address()]).env("TIDEWATCH_DATA", nobody);
    assert_eq!(Said::from(child::output(&mut by_default)).stdout, both.server.says(&["digest"]));
    let neither = Said::from(child::output(program().arg("digest")));
    assert_eq!(neither.code, Some(2), "{}", neither.stderr);
}
