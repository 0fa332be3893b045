//! A source that is reset is read again, and only that one.

use std::time::Duration;

use crate::broker::shared;
use crate::program::Program;

const EVENTS: usize = 90;
/// How long something may take that happens by itself …
const PATIENCE: Duration = Duration::from_secs(60);
/// … and how often it is looked at.
const PAUSE: Duration = Duration::from_millis(100);

fn line(number: usize) -> String {
    // Every third event brings no id, and a few are no events.
    let id = if number.is_multiple_of(3) { String::new() } else { format!(r#""id":"{number}","#) };
    let day = 1 + number % 28;
    let feature = if number % 10 == 9 { "" } else { "export" };
    format!(
        r#"{{{id}"account":"a{}","user":"u{}","type":"usage","occurred_at":"2024-02-{day:02}T10:00:00Z","properties":{{"feature":"{feature}"}}}}"#,
        number % 4,
        number % 7
    )
}

#[test]
fn a_reset_source_is_read_again_and_another_one_of_the_same_topic_is_not() {
    let broker = shared();
    let topic = broker.topic("reset", 3);
    for partition in 0..3 {
        broker.produce(&topic, partition, (0..EVENTS).filter(|at| at % 3 == partition as usize).map(line));
    }
    let program =
        Program::new().with_source(broker, "app", &topic, "").with_source(broker, "copy", &topic, "");
    program.serve_until_caught_up().unwrap();
    let count = |source: &str, generation: u32| {
        program.accepted().iter().filter(|(of, at, _)| of == source && *at == generation).count()
    };
    let good = EVENTS - EVENTS / 10;
    assert_eq!((count("app", 0), count("copy", 0)), (good, good), "each has its own progress");
    let digest = program.shard.digest(2);

    program.serve_until_caught_up().unwrap();
    assert_eq!(program.accepted().len(), 2 * good, "nothing is read twice");

    program.command(&["source", "reset", "app"]);
    assert_ne!(program.shard.digest(2), digest, "nothing of it counts");
    program.serve_until_caught_up().unwrap();
    assert_eq!(program.shard.digest(2), digest);
    assert_eq!((count("app", 0), count("app", 1), count("copy", 0)), (good, good, good));
    assert_eq!(count("copy", 1), 0);
    let again: Vec<String> =
        program.accepted().into_iter().filter(|(_, at, _)| *at == 1).map(|(_, _, id)| id).collect();
    let first: Vec<String> = program
        .accepted()
        .into_iter()
        .filter(|(of, at, _)| of == "app" && *at == 0)
        .map(|(_, _, id)| id)
        .collect();
    let sorted = |mut ids: Vec<String>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(again), sorted(first), "events without an id have the same place");
}

#[test]
fn a_source_reset_while_it_is_read_is_read_again_by_itself() {
    let broker = shared();
    let topic = broker.topic("reset-running", 2);
    for partition in 0..2 {
        broker.produce(&topic, partition, (0..EVENTS).filter(|at| at % 2 == partition as usize).map(line));
    }
    let program = Program::new().with_source(broker, "app", &topic, "");
    program.serve_until_caught_up().unwrap();
    let digest = program.shard.digest(2);
    let good = EVENTS - EVENTS / 10;

    let running = program.serve();
    running.command(&["source", "reset", "app"]);
    let mut waited = Duration::ZERO;
    while running.command(&["digest"]).trim() != digest {
        assert!(waited < PATIENCE, "it was not read again: {}", running.command(&["source", "list"]));
        waited += PAUSE;
        std::thread::sleep(PAUSE);
    }
    broker.produce(&topic, 0, std::iter::once(line(EVENTS)));
    while running.command(&["digest"]).trim() == digest {
        assert!(waited < PATIENCE, "it is not read on: {}", running.command(&["source", "list"]));
        waited += PAUSE;
        std::thread::sleep(PAUSE);
    }
    running.stop();
    let of_generation = |generation| program.accepted().iter().filter(|(_, at, _)| *at == generation).count();
    assert_eq!((of_generation(0), of_generation(1)), (good, good + 1));
}
