//! Every command on both places, and what they say compared byte for byte.
//!
//! What differs with reason is masked and nothing else: positions, because each log has clock entries of its own; times of
//! recording and of running; live instants, which follow each engine's clock; and how a source does, of which a directory
//! at rest knows nothing.

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

/// A directory and a running engine, and the files both are given.
struct Both {
    files: Files,
    directory: Directory,
    server: Server,
}

impl Both {
    fn new() -> Self {
        let files = Files::new();
        let (directory, server) = (Directory(files.path("rest")), Server::start(files.path("run")));
        Self { files, directory, server }
    }

    /// Runs a command on both; the fields named are masked before the answers are compared. Answers the directory's.
    #[track_caller]
    fn alike(&self, arguments: &[&str], masked: &[&str]) -> Said {
        let [rest, run] = [self.directory.run(arguments), self.server.run(arguments)];
        let compared = |said: &Said| {
            let (stdout, stderr) = (mask(&said.stdout, masked), mask_positions(&said.stderr));
            Said { stdout, stderr, code: said.code }
        };
        assert_eq!(compared(&rest), compared(&run), "{arguments:?}");
        rest
    }

    /// The same of a command that succeeds.
    #[track_caller]
    fn both_say(&self, arguments: &[&str], masked: &[&str]) -> String {
        let said = self.alike(arguments, masked);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
        said.stdout
    }
}

/// What an import says of itself and not of its records.
const OF_THE_RUN: &[&str] = &["seconds", "events_per_second", "position"];

/// Replaces the values of some keys by a sign; they are numbers, null or texts without quotes in them.
fn mask(text: &str, keys: &[&str]) -> String {
    let mut masked = mask_positions(text);
    for key in keys {
        let key = format!("\"{key}\":");
        let mut rest = masked.as_str();
        let mut out = String::new();
        while let Some((before, after)) = rest.split_once(&key) {
            let end = match after.strip_prefix('"') {
                Some(text) => 2 + text.find('"').expect("texts end"),
                None => after.find([',', '}']).expect("values end"),
            };
            out += before;
            out += &key;
            out += "…";
            rest = &after[end..];
        }
        masked = out + rest;
    }
    masked
}

/// Sentences name positions of the log.
fn mask_positions(text: &str) -> String {
    let mut parts = text.split("position ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += "position …";
        out += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out
}

#[test]
fn a_directory_and_a_running_engine_say_the_same() {
    let mut both = Both::new();
    let (events, more) = (fleet(8, 40), odd_lines());
    let first = both.files.write("first.ndjson", events.join("\n"));
    let odd = both.files.write("odd.ndjson", more.join("\n"));
    let other_order = both.files.write("shuffled.ndjson", shuffled(&events).join("\n"));
    let model = both.files.write("model.toml", MODEL);

    // Settings before events, events in files, the same again, the same in another order.
    both.both_say(&["adopt", "--model", &model], &[]);
    let imported = both.both_say(&["import", "--source", "app", "--json", &first, &odd], OF_THE_RUN);
    let imported: Value = serde_json::from_str(&imported).unwrap();
    assert!(imported["new"].as_u64().unwrap() > 1_000, "{imported}");
    assert_eq!(imported["dead_letters"]["id_conflict"], 1, "{imported}");
    let again = both.both_say(&["import", "--source", "app", "--json", &first, &odd], OF_THE_RUN);
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((&again["new"], &again["duplicates"]), (&0.into(), &0.into()), "files are not read twice");
    let digest = both.both_say(&["digest"], &[]);
    let shuffled = both.both_say(&["import", "--source", "app", "--json", &other_order], OF_THE_RUN);
    let shuffled: Value = serde_json::from_str(&shuffled).unwrap();
    assert_eq!((&shuffled["new"], &shuffled["duplicates"]), (&0.into(), &events.len().into()));
    assert_eq!(both.both_say(&["digest"], &[]), digest, "neither order nor repetition counts");

    // A feed whose mapping is wrong, put right.
    let feed = both.files.write("feed.ndjson", feed().join("\n"));
    let broken = both.files.write("broken.toml", BROKEN_MAPPING);
    let fixed = both.files.write("fixed.toml", fixed_mapping());
    let import = ["import", "--source", "feed", "--json", "--mapping", &broken, &feed];
    let refused: Value = serde_json::from_str(&both.both_say(&import, OF_THE_RUN)).unwrap();
    assert_eq!(
        (&refused["new"], &refused["dead_letters"]["missing_field"]),
        (&0.into(), &32.into()),
        "{refused}"
    );
    let other = both.alike(&["import", "--source", "feed", "--mapping", &fixed, &feed], &[]);
    assert!(other.code == Some(1) && other.stderr.contains("was read so far by mapping"), "{other:?}");
    let of_feed = ["--source", "feed"];
    let letters = ["deadletters", "list", "--json", "--limit", "7"];
    let of_letters = &["position", "refused_at"];
    assert_eq!(both.both_say(&[&letters[..], &of_feed].concat(), of_letters).lines().count(), 7);
    both.both_say(&["deadletters", "list", "--json"], of_letters);
    both.both_say(&["deadletters", "count", "--json"], &[]);
    let replay = ["deadletters", "replay", "--json", "--source", "feed", "--mapping", &fixed];
    assert_eq!(both.both_say(&replay, &[]), "{\"resolved\":32,\"new\":32,\"refused\":0,\"cut\":0}\n",);
    both.both_say(&["deadletters", "list", "--json", "--resolved"], of_letters);
    assert_eq!(both.both_say(&["deadletters", "count", "--json", "--source", "feed"], &[]), "{}\n");
    let cut = both.alike(&["deadletters", "replay", "--source", "app"], &[]);
    assert!(cut.code == Some(1) && cut.stderr.contains("1 cannot be replayed"), "{cut:?}");

    // Every reading command, under the zone of then and of now.
    for _ in 0..2 {
        read_everything(&both, &model);
        both.both_say(&["adopt", "--zone", "America/New_York"], &[]);
    }
    let closed = both
        .files
        .write("closed.csv", "scope,from,to\nall,2024-01-15,2024-01-17\naccount:odd,2024-01-09,2024-01-09\n");
    both.both_say(&["adopt", "--closed-days", &closed, "--on-behalf-of", "ann"], &[]);
    let zoned = both.both_say(&["digest"], &[]);
    assert_ne!(zoned, digest);

    // Taken back, and read again.
    let reset = ["source", "reset", "feed", "--mapping", &fixed, "--on-behalf-of", "ann"];
    both.both_say(&reset, &[]);
    assert_ne!(both.both_say(&["digest"], &[]), zoned);
    let import = ["import", "--source", "feed", "--json", "--mapping", &fixed, &feed];
    let reread: Value = serde_json::from_str(&both.both_say(&import, OF_THE_RUN)).unwrap();
    assert_eq!((&reread["new"], &reread["filtered"]), (&32.into(), &8.into()), "{reread}");
    assert_eq!(both.both_say(&["digest"], &[]), zoned);
    both.both_say(&["source", "list", "--json"], &["state", "problem"]);
    both.both_say(&["source", "retire", "feed"], &[]);
    read_the_log(&both);

    // What is refused is refused in the same words.
    for refused in [
        ["get", "nobody"].as_slice(),
        &["timeline", "--account", "nobody"],
        &["source", "retire", "nobody"],
        &["adopt", "--zone", "Europe/Atlantis"],
        &["deadletters", "show", "1"],
        &["import", "--source", "app", "--mapping", &fixed, &first],
        &["import", "--source", "app", "--tenant", "else", &first],
        &["import", "--source", "app", &both.files.path("missing.ndjson").to_string_lossy()],
    ] {
        let said = both.directory.run(refused);
        let over_the_wire = both.server.run(refused);
        assert_eq!((said.code, over_the_wire.code), (Some(1), Some(1)), "{refused:?}");
        if refused.contains(&"--tenant") {
            // One names the directory, the other the engine.
            assert!(said.stderr.contains("\"else\"") && over_the_wire.stderr.contains("\"else\""));
        } else {
            assert_eq!(said.stderr, over_the_wire.stderr, "{refused:?}");
        }
    }

    // The live state is what its log says.
    let live = both.server.says(&["digest"]);
    both.server.stop();
    let left = Directory(both.server.data.clone());
    assert_eq!(left.says(&["digest"]), live);
    left.says(&["rebuild"]);
    assert_eq!(left.says(&["digest"]), live);
}

fn read_everything(both: &Both, model: &str) {
    both.both_say(&["list", "--json"], &["as_of"]);
    both.both_say(&["get", "odd", "--json"], &["as_of"]);
    let timeline = both.both_say(&["timeline", "--account", "odd", "--json"], &["sequence", "recorded_at"]);
    assert_eq!(timeline.lines().count(), 4);
    let ghost = ["metrics", "--model", model, "--as-of", "last", "--account", "odd", "ghost", "--json"];
    let rows = both.both_say(&ghost, &[]);
    let row: Value = serde_json::from_str(rows.lines().nth(1).unwrap()).unwrap();
    assert_eq!(row["account"], "ghost");
    let instants = ["--as-of", "2024-01-20", "--as-of", "2024-01-25T13:30:00Z", "--as-of", "last"];
    both.both_say(&[&["metrics", "--all", "--json"][..], &instants].concat(), &[]);
    both.both_say(&[&["metrics", "--account", "ghost", "odd", "--json"][..], &instants].concat(), &[]);
    both.both_say(&["digest", "--as-of", "2024-01-20"], &[]);

    // Each has its own positions, so each shows its own first letter.
    let shown = |place: &dyn Place| {
        let first = place.says(&["deadletters", "list", "--json", "--limit", "1"]);
        let first: Value = serde_json::from_str(&first).unwrap();
        let shown = place.says(&["deadletters", "show", "--json", &first["position"].to_string()]);
        mask(&shown, &["position", "refused_at"])
    };
    assert_eq!(shown(&both.directory), shown(&both.server));
}

/// The log's entries are alike but for the clock's, for times and positions, and for who asked.
fn read_the_log(both: &Both) {
    let entries = |place: &dyn Place| {
        let entry = |line: &str| {
            let mut entry: Value = serde_json::from_str(line).unwrap();
            let fields = entry.as_object_mut().unwrap();
            ["seq", "frame", "recorded_at", "at"].iter().for_each(|key| drop(fields.remove(*key)));
            let control = fields.get_mut("control").and_then(Value::as_object_mut);
            if let Some(asked_by) = control.and_then(|control| control.remove("asked_by")) {
                assert!(["command line", "anonymous"].contains(&asked_by["actor"].as_str().unwrap()));
                fields.insert("on_behalf_of".into(), asked_by["on_behalf_of"].clone());
            }
            entry
        };
        let dumped = place.says(&["log", "dump"]);
        let is_of_the_clock = |entry: &Value| {
            ["clock_advanced", "wall_advanced"].iter().any(|kind| entry["control"]["kind"] == *kind)
        };
        let is_settled = |entry: &Value| entry["control"]["kind"] == "dead_letters_resolved";
        let mut entries: Vec<Value> =
            dumped.lines().map(entry).filter(|entry| !is_of_the_clock(entry)).collect();
        // Its content is positions.
        entries.iter_mut().filter(|entry| is_settled(entry)).for_each(|entry| entry["control"] = Value::Null);
        entries.iter_mut().for_each(|entry| {
            if let Some(Value::String(detail)) = entry.get_mut("detail") {
                *detail = mask_positions(detail);
            }
        });
        entries
    };
    let (rest, run) = (entries(&both.directory), entries(&both.server));
    assert_eq!(rest.len(), run.len());
    for (rest, run) in rest.iter().zip(&run) {
        assert_eq!(rest, run);
    }
    assert!(rest.iter().any(|entry| entry["on_behalf_of"] == "ann"));

    let counted = |place: &dyn Place| {
        let stat: Value = serde_json::from_str(&place.says(&["log", "stat", "--json"])).unwrap();
        let verified: Value = serde_json::from_str(&place.says(&["log", "verify", "--json"])).unwrap();
        let counts = [&stat["events"], &stat["dead_letters"], &verified["segments"], &verified["damage"]];
        counts.map(Clone::clone)
    };
    assert_eq!(counted(&both.directory), counted(&both.server));
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
