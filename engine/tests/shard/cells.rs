//! Cells of health brought up view by view are those of an evaluation on the spot.

use std::sync::Arc;

use proptest::prelude::*;
use tidewatch_engine::app::Engine;
use tidewatch_engine::cancellation::Cancellation;
use tidewatch_engine::control::adoption::Adoption;
use tidewatch_engine::fold::view::View;
use tidewatch_engine::read::cells::{Cells, Place};
use tidewatch_engine::write::sequencer::Command;
use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::health::cell::Cell;
use tidewatch_projections::model::DEFAULT;

use crate::support::{Shard, import};
use crate::wait::wait_until;

const ACCOUNTS: u8 = 6;

/// Something that changes health.
#[derive(Clone, Debug)]
enum Step {
    /// The owner's judgement of an account on a day.
    Judge { account: u8, day: u8, is_good: bool },
    /// Use of the product by an account on a day.
    Use { account: u8, day: u8 },
    /// One account goes into another.
    Merge { account: u8, into: u8, day: u8 },
    /// Another model.
    Adopt { coverage_min: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let (account, day) = (0..ACCOUNTS, 1u8..28);
    prop_oneof![
        6 => (account.clone(), day.clone(), any::<bool>())
            .prop_map(|(account, day, is_good)| Step::Judge { account, day, is_good }),
        6 => (account.clone(), day.clone()).prop_map(|(account, day)| Step::Use { account, day }),
        2 => (account.clone(), account, day).prop_map(|(account, into, day)| Step::Merge { account, into, day }),
        1 => (0u8..3).prop_map(|coverage_min| Step::Adopt { coverage_min }),
    ]
}

impl Step {
    fn carry_out(&self, shard: &Shard, engine: &Engine, id: usize) {
        // Of the last weeks, so that nothing is too old.
        let today = Calendar::utc().day(engine.now());
        let line = |account: u8, kind: &str, day: u8, properties: &str| {
            let date = today.plus(i64::from(day) - 30).to_text();
            format!(
                r#"{{"id":"{id}","account":"a{account}","user":"u","type":"{kind}","occurred_at":"{date}T12:00:00Z","properties":{{{properties}}}}}"#
            )
        };
        let line = match self {
            Self::Adopt { coverage_min } => {
                let model = DEFAULT.replace(
                    "coverage_min = 0.4",
                    &format!("coverage_min = 0.0{}", u32::from(*coverage_min) + 1),
                );
                assert_ne!(model, DEFAULT);
                engine.submit(Command::Adopt(Box::new(Adoption::of_model(model))), None).unwrap();
                return;
            }
            Self::Judge { account, day, is_good } => {
                let colour = if *is_good { "green" } else { "red" };
                line(*account, "pulse_recorded", *day, &format!(r#""colour":"{colour}""#))
            }
            Self::Use { account, day } => line(*account, "usage", *day, r#""feature":"f""#),
            // One into itself, or in a circle, becomes a dead letter.
            Self::Merge { account, into, day } => {
                line(*account, "account_merged", *day, &format!(r#""into_account":"a{into}""#))
            }
        };
        let file = shard.file(&[line]);
        import(engine, "app", None, &[file]).unwrap();
    }
}

/// A view of all that is durable.
pub fn view(engine: &Engine) -> Arc<View> {
    let durable = *engine.durable().borrow();
    wait_until("a view of all that is durable", || {
        let view = engine.view().unwrap();
        if view.position.seq >= durable { Ok(view) } else { Err(view.position.seq) }
    })
}

/// What is listed of every account, by rising id: its cell, or `None` where another account answers for it. When it changed last
/// is no figure, and within a day a cell may stand at an earlier instant.
fn listed(cells: &Cells) -> Vec<(String, Option<Cell>)> {
    let cell = |place| match place {
        Place::Cell(cell, _) => Some(Cell { as_of: 0, ..cell }),
        Place::Merged => None,
        Place::Inexact(account) => panic!("memory holds all of {account:?}"),
    };
    let name = |account| cells.view.names.text(account).to_owned();
    let mut listed: Vec<_> = cells.all().map(|(account, place)| (name(account.id), cell(place))).collect();
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    listed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn cells_brought_up_step_by_step_are_those_evaluated_on_the_spot(
        steps in prop::collection::vec(step(), 4..14), workers in 1usize..4
    ) {
        let shard = Shard::new();
        let engine = shard.open(workers);
        let waits = Cancellation::default();
        let mut before: Option<Cells> = None;
        for (id, step) in steps.iter().enumerate() {
            step.carry_out(&shard, &engine, id);
            let view = view(&engine);
            let brought_up = Cells::at(Arc::clone(&view), before.as_ref(), &waits).unwrap();
            let on_the_spot = Cells::at(Arc::clone(&view), None, &waits).unwrap();
            prop_assert_eq!(listed(&brought_up), listed(&on_the_spot), "after {:?}", step);
            prop_assert!(brought_up.evaluated <= on_the_spot.evaluated);
            if let Some(before) = &before {
                // A page of an older list is made from newer cells.
                let older = Cells::at(Arc::clone(&before.view), Some(&brought_up), &waits).unwrap();
                prop_assert_eq!(listed(&older), listed(before));
            }
            before = Some(brought_up);
        }
        engine.shutdown().unwrap();
    }
}

/// What is listed of an account.
fn cell(cells: &Cells, account: &str) -> Option<Cell> {
    listed(cells).into_iter().find(|(id, _)| id == account).expect("it has events").1
}

#[test]
fn what_a_merged_account_does_changes_the_cell_of_its_survivor_in_another_part() {
    let shard = Shard::new();
    let engine = shard.open(2);
    let waits = Cancellation::default();
    let mut steps = vec![Step::Adopt { coverage_min: 0 }];
    // Accounts are dealt to the workers in turn, so that one of these is not where a0 is.
    steps.extend((0..4).map(|account| Step::Judge { account, day: 1, is_good: true }));
    steps.extend((1..4).map(|account| Step::Merge { account, into: 0, day: 2 }));
    for (id, step) in steps.iter().enumerate() {
        step.carry_out(&shard, &engine, id);
    }
    let mut before = Cells::at(view(&engine), None, &waits).unwrap();
    for (account, is_good) in [(1, false), (2, true), (3, false)] {
        Step::Judge { account, day: 3 + account, is_good }.carry_out(&shard, &engine, 90 + account as usize);
        let cells = Cells::at(view(&engine), Some(&before), &waits).unwrap();
        assert_ne!(cell(&cells, "a0"), cell(&before, "a0"), "the judgement of a{account} is the newest");
        assert_eq!(cell(&cells, &format!("a{account}")), None);
        before = cells;
    }
    engine.shutdown().unwrap();
}
