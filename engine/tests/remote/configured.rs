//! What commands take from a configuration file, and how a demo ends that is interrupted.
#![expect(clippy::disallowed_methods, reason = "an operator writes files and looks at directories")]

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::child;
use crate::places::{Directory, Place as _, Said, Server, program};
use crate::wait::wait_until;

fn said(arguments: &[&str]) -> Said {
    Said::from(child::output(program().args(arguments)))
}

fn write(root: &Path, name: &str, text: &str) -> String {
    let path = root.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A record with a property of this many bytes.
fn record(id: &str, bytes: usize) -> String {
    let text = "x".repeat(bytes);
    format!(
        r#"{{"id":"{id}","account":"acme","type":"note","occurred_at":"2024-02-01T00:00:00Z","properties":{{"text":"{text}"}}}}"#
    )
}

#[test]
fn files_are_read_under_the_limits_of_a_configuration() {
    let root = TempDir::new().unwrap();
    let file = write(root.path(), "events.ndjson", &format!("{}\n{}\n", record("1", 60), record("2", 65)));
    let narrow = write(root.path(), "narrow.toml", "[limits]\ntext_bytes_max = 64\n");
    let data = Directory(root.path().join("data"));

    let checked = said(&["mapping", "check", "--config", &narrow, &file]);
    assert!(checked.stdout.contains("line 2: REFUSED") && !checked.stdout.contains("line 1: REFUSED"));
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);

    let import = ["import", "--source", "app", "--json", "--config", &narrow, &file];
    let summary = data.says(&import);
    assert!(summary.contains(r#""new":1"#) && summary.contains(r#""over_limit":1"#), "{summary}");
    let again = ["deadletters", "replay", "--json"];
    let with_narrow = [again.as_slice(), &["--config", &narrow]].concat();
    assert!(data.says(&with_narrow).contains(r#""refused":1"#));
    assert!(data.says(&again).contains(r#""resolved":1"#));

    let out_of_range = write(root.path(), "wrong.toml", "[limits]\ntext_bytes_max = 1\n");
    let refused = data.run(&["import", "--source", "app", "--config", &out_of_range, &file]);
    assert!(refused.code == Some(1) && refused.stderr.contains("text_bytes_max = 1"), "{}", refused.stderr);

    let mut server = Server::start(data.0.clone());
    let refused = server.run(&import);
    assert!(refused.code == Some(1) && refused.stderr.contains("of a running engine"), "{}", refused.stderr);
    server.stop();
}

#[test]
fn a_configuration_whose_mapping_is_not_there_is_not_sound() {
    let root = TempDir::new().unwrap();
    let source = "[[sources]]\nname = 'app'\nkind = 'kafka'\nbrokers = 'localhost:9092'\ntopics = ['t']\n\
                  format = 'mapped'\nmapping = 'feed.toml'\n";
    let config = write(root.path(), "tidewatch.toml", source);
    let unsound = said(&["check-config", "--config", &config]);
    assert!(unsound.code == Some(1) && unsound.stderr.contains("feed.toml"), "{}", unsound.stderr);

    let mapping = include_str!("../../../deploy/mappings/events-jsonl.toml");
    write(root.path(), "feed.toml", mapping);
    let sound = said(&["check-config", "--config", &config]);
    assert!(sound.code == Some(0) && sound.stdout.contains("JSON mapped by"), "{}", sound.stderr);
}

#[test]
fn an_interrupted_demo_leaves_no_directory_behind() {
    let root = TempDir::new().unwrap();
    let demo = program()
        .args(["demo", "--accounts", "3", "--live-days", "1000", "--day-ms", "10"])
        .env("TMPDIR", root.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let is_empty = || std::fs::read_dir(root.path()).unwrap().next().is_none();
    wait_until("a demo works in a temporary directory", || (!is_empty()).then_some(()).ok_or("nothing"));
    let asked = Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let said = Said::from(child::output_of(demo));
    assert!(said.code == Some(1) && said.stderr.contains("interrupted"), "{}", said.stderr);
    assert!(is_empty());
}
