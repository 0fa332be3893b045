//! Models that metrics can be computed from and scores cannot: refused when adopted, and still readable where a version before the
//! check adopted one.

use std::process::{Command as Process, Output};
use std::sync::Arc;

use tidewatch_engine::control::adoption::Adoption;
use tidewatch_engine::control::entry::Control;
use tidewatch_engine::storage::directory::Directory;
use tidewatch_engine::storage::log::{FrameBuilder, LogWriter};
use tidewatch_engine::write::sequencer::Command;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::model::ModelError;
use tidewatch_projections::names::Names;
use tidewatch_projections::scalar::Scalar;

use crate::support::{Shard, in_memory};

const UNSCORED: &str = "
[metrics]
uses = { agg = 'count', filter = { type = 'usage' } }
[measures]
activity = { metric = 'usse', curve = [[0, 0], [10, 100]] }
[[profiles]]
name = 'standard'
groups = { outcome = { weight = 1, measures = { activity = 1 } } }
";
const WHY: &str = "measures.activity.metric: there is no metric \"usse\"; nearest: \"uses\"";

fn shard() -> Shard {
    let shard = Shard::new();
    let line = |day: u32| {
        format!(
            r#"{{"id":"{day}","account":"acme","type":"usage","occurred_at":"2024-02-0{day}T00:00:00Z","properties":{{"feature":"a"}}}}"#
        )
    };
    shard.import_lines("app", &[line(1), line(2), line(3)]);
    shard
}

/// Adopts a model as a version did that did not check it.
fn adopt_unchecked(shard: &Shard, text: &str) {
    let directory = Directory::open(&shard.path()).unwrap();
    let (mut log, opened) =
        LogWriter::open(Arc::clone(directory.disk()), directory.log_options().unwrap()).unwrap();
    let control = Control::ModelAdopted { text: text.into() };
    let mut payload = Vec::new();
    control.encode(None, &mut payload);
    let mut frame = FrameBuilder::new(Arc::new(Names::new()), opened.last_seq + 1);
    frame.push_control(control.kind(), &payload).unwrap();
    log.append(&frame.seal(opened.recorded_at.unwrap() + 1)).unwrap();
    log.sync().unwrap();
    log.close().unwrap();
}

fn program(arguments: &[&str], shard: &Shard) -> Output {
    let mut program = Process::new(env!("CARGO_BIN_EXE_tidewatch"));
    program.args(arguments).arg("--data").arg(shard.path()).output().unwrap()
}

#[test]
fn a_model_that_cannot_be_scored_is_not_adopted() {
    let shard = shard();
    let before = shard.digest(1);
    let engine = shard.open(1);
    let refused = engine.submit(Command::Adopt(Box::new(Adoption::of_model(UNSCORED))), None).unwrap_err();
    assert_eq!(refused.to_string(), format!("the model was not adopted: {WHY}"));
    let metrics_only = "[metrics]\nuses = { agg = 'count' }\n";
    engine.submit(Command::Adopt(Box::new(Adoption::of_model(metrics_only))), None).unwrap();
    engine.shutdown().unwrap();
    assert_ne!(shard.digest(1), before, "a model without a scoring half is adopted");
}

#[test]
fn a_directory_that_adopted_such_a_model_opens_says_so_and_answers_metrics() {
    let shard = shard();
    adopt_unchecked(&shard, UNSCORED);
    let engine = shard.open(2);
    let view = engine.view().unwrap();
    let plan = view.context().plan;
    let Err(error @ ModelError::NoSuchName { .. }) = &plan.model.scoring else { panic!("{:?}", plan.model) };
    assert_eq!(error.to_string(), WHY);
    let acme = view.names.find("acme").unwrap();
    let (live_at, _) = view.live_instant(AccountAt::new(view.context(), acme, i64::MAX).members());
    assert_eq!(in_memory(&view, acme, live_at, &[0]), Some(vec![Some(Scalar::Integer(3))]));
    engine.shutdown().unwrap();

    let asked = program(&["metrics", "--as-of", "last", "--all", "--json"], &shard);
    assert!(
        asked.status.success() && String::from_utf8_lossy(&asked.stdout).contains("\"uses\":3"),
        "{asked:?}"
    );
    for arguments in [["list"].as_slice(), &["digest"], &["rebuild"]] {
        let output = program(arguments, &shard);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        assert!(
            told.contains("the adopted model gives no scores") && told.contains(WHY),
            "{arguments:?}: {told}"
        );
    }

    let mended = UNSCORED.replace("usse", "uses");
    shard.submit(Command::Adopt(Box::new(Adoption::of_model(mended))));
    let told = program(&["digest"], &shard);
    assert!(told.status.success() && told.stderr.is_empty(), "{told:?}");
}
