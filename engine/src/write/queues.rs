//! Queues inputs by priority: commands first, then live sources, then bulk imports with at most a quarter of the bytes while
//! live waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::monotonic;
use crate::write::sequencer::Input;

/// Bytes that may wait in each of the queues `live` and `bulk`; past them who brings more waits.
pub const QUEUE_BYTES_MAX: usize = 16 << 20;

/// Where an input queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Priority {
    /// Acknowledgements, adoptions: rare, small, and somebody waits.
    Command,
    /// Streams and pushes.
    Live,
    /// Imports and replays.
    Bulk,
}

#[derive(Default)]
struct Queue {
    inputs: VecDeque<(Input, usize)>,
    bytes: usize,
    /// Bytes given out since the last time the other queue was empty.
    given_bytes: usize,
}

impl Queue {
    fn push(&mut self, input: Input, bytes: usize) {
        self.inputs.push_back((input, bytes));
        self.bytes += bytes;
    }

    fn pop(&mut self) -> Option<Input> {
        let (input, bytes) = self.inputs.pop_front()?;
        self.bytes -= bytes;
        self.given_bytes += bytes;
        Some(input)
    }
}

#[derive(Default)]
pub struct Queues {
    commands: VecDeque<Input>,
    live: Queue,
    bulk: Queue,
}

impl Queues {
    /// Queues an input that holds `bytes` of memory.
    pub fn push(&mut self, priority: Priority, input: Input, bytes: usize) {
        match priority {
            Priority::Command => self.commands.push_back(input),
            Priority::Live => self.live.push(input, bytes),
            Priority::Bulk => self.bulk.push(input, bytes),
        }
    }

    /// Whether a queue takes more. One input of any size fits into an empty queue.
    pub fn has_room(&self, priority: Priority, bytes: usize) -> bool {
        let fits = |queue: &Queue| queue.inputs.is_empty() || queue.bytes + bytes <= QUEUE_BYTES_MAX;
        match priority {
            Priority::Command => true,
            Priority::Live => fits(&self.live),
            Priority::Bulk => fits(&self.bulk),
        }
    }

    /// The input whose turn it is, and where it queued.
    pub fn take(&mut self) -> Option<(Priority, Input)> {
        let priority = self.turn();
        let input = match priority {
            Priority::Command => self.commands.pop_front(),
            Priority::Live => self.live.pop(),
            Priority::Bulk => self.bulk.pop(),
        };
        input.map(|input| (priority, input))
    }

    fn turn(&mut self) -> Priority {
        if !self.commands.is_empty() {
            return Priority::Command;
        }
        if self.live.inputs.is_empty() || self.bulk.inputs.is_empty() {
            (self.live.given_bytes, self.bulk.given_bytes) = (0, 0);
            return if self.live.inputs.is_empty() { Priority::Bulk } else { Priority::Live };
        }
        let next_bytes = self.bulk.inputs.front().map_or(0, |(_, bytes)| *bytes);
        let bulk_bytes = self.bulk.given_bytes + next_bytes;
        match bulk_bytes <= (self.live.given_bytes + bulk_bytes) / 4 {
            true => Priority::Bulk,
            false => Priority::Live,
        }
    }
}

/// What the sequencer's thread does next.
#[derive(Debug)]
pub enum Next {
    /// Take this, which queued there.
    Input(Priority, Input),
    /// The writer waits and the frame being filled is due.
    WriterFree,
    /// Nothing came for a while.
    Idle,
    /// Nothing will come any more.
    Closed,
}

/// The inbox was closed: the engine shuts down or has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InboxClosed;

/// The queues between the threads that bring inputs and the one that takes them.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    ready: Condvar,
    room: Condvar,
}

#[derive(Default)]
struct State {
    queues: Queues,
    is_writer_free: bool,
    is_closed: bool,
    /// What would wake the one who takes; a thread that is not asleep is not woken, which would cost a system call.
    sleeper: Sleeper,
    /// How many wait for room.
    waiting_for_room: usize,
}

/// Who takes, while there is nothing for it to do.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Sleeper {
    #[default]
    Awake,
    /// Waits for an input.
    Input,
    /// Waits for an input, or the writer: there is a frame to write.
    InputOrWriter,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an input, waiting while its queue is full.
    ///
    /// # Errors
    /// When the inbox is closed.
    pub fn push(&self, priority: Priority, input: Input, bytes: usize) -> Result<(), InboxClosed> {
        let mut state = self.state();
        while !state.is_closed && !state.queues.has_room(priority, bytes) {
            state.waiting_for_room += 1;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting_for_room -= 1;
        }
        if state.is_closed {
            return Err(InboxClosed);
        }
        state.queues.push(priority, input, bytes);
        if std::mem::take(&mut state.sleeper) != Sleeper::Awake {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// The writer has nothing to do.
    pub fn writer_free(&self) {
        let mut state = self.state();
        state.is_writer_free = true;
        if state.sleeper == Sleeper::InputOrWriter {
            state.sleeper = Sleeper::Awake;
            self.ready.notify_one();
        }
    }

    /// The writer is about to be given something. To be said before it is given, or what the writer says after it were lost.
    pub fn writer_busy(&self) {
        self.state().is_writer_free = false;
    }

    /// The next thing to do, after at most `wait`. `due` says from when on the frame being filled is to be written; `None` while
    /// there is nothing to write.
    pub fn next(&self, due: Option<Instant>, wait: Duration) -> Next {
        let mut state = self.state();
        loop {
            let until_due = due.map(|due| due.saturating_duration_since(monotonic()));
            let is_due = until_due.is_some_and(|left| left.is_zero());
            if is_due && state.is_writer_free {
                return Next::WriterFree;
            }
            if let Some((priority, input)) = state.queues.take() {
                if state.waiting_for_room > 0 {
                    self.room.notify_all();
                }
                return Next::Input(priority, input);
            }
            if state.is_closed {
                return Next::Closed;
            }
            state.sleeper = if is_due { Sleeper::InputOrWriter } else { Sleeper::Input };
            let lingers = until_due.filter(|left| !left.is_zero() && *left < wait);
            let asleep = self.ready.wait_timeout(state, lingers.unwrap_or(wait));
            let (again, timeout) = asleep.unwrap_or_else(PoisonError::into_inner);
            state = again;
            state.sleeper = Sleeper::Awake;
            if timeout.timed_out() && lingers.is_none() {
                return Next::Idle;
            }
        }
    }

    /// Whether nothing more is taken.
    pub fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Takes nothing more; what waits is still given out.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.ready.notify_all();
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(reply_id: u64) -> Input {
        let command = crate::write::sequencer::Command::ResolveDeadLetters { seqs: vec![reply_id] };
        Input::Command { reply_id, command, request: None }
    }

    fn order(queues: &mut Queues) -> Vec<u64> {
        std::iter::from_fn(|| queues.take())
            .map(|(_, input)| match input {
                Input::Command { reply_id, .. } => reply_id,
                other => panic!("only marked inputs were queued, not {other:?}"),
            })
            .collect()
    }

    #[test]
    fn commands_overtake_and_bulk_gets_a_quarter_while_live_waits() {
        let mut queues = Queues::default();
        for reply_id in 0..9 {
            queues.push(Priority::Live, marked(reply_id), 1000);
            queues.push(Priority::Bulk, marked(100 + reply_id), 1000);
        }
        queues.push(Priority::Command, marked(1000), 0);
        let order = order(&mut queues);
        assert_eq!(order[..9], [1000, 0, 1, 2, 100, 3, 4, 5, 101]);
        assert_eq!(order.len(), 19);
    }

    const LONG: Duration = Duration::from_secs(60);
    /// Far more than a thread takes to start and wait; one that takes longer still makes no test fail.
    const TO_FALL_ASLEEP: Duration = Duration::from_millis(20);

    #[test]
    fn a_frame_is_given_to_a_free_writer_once_it_is_due_and_inputs_are_taken_until_then() {
        let inbox = Inbox::default();
        inbox.writer_free();
        inbox.push(Priority::Live, marked(1), 1).unwrap();
        let due = Some(monotonic() + Duration::from_millis(50));
        assert!(matches!(inbox.next(due, LONG), Next::Input(Priority::Live, _)));
        assert!(matches!(inbox.next(due, LONG), Next::WriterFree));
        assert!(due <= Some(monotonic()), "not before it was due");
        inbox.writer_busy();
        assert!(matches!(inbox.next(due, Duration::ZERO), Next::Idle), "the writer has something to do");
        assert!(matches!(inbox.next(None, Duration::ZERO), Next::Idle));
    }

    #[test]
    fn a_frame_that_is_due_comes_before_inputs() {
        let inbox = Inbox::default();
        inbox.writer_free();
        inbox.push(Priority::Command, marked(1), 0).unwrap();
        assert!(matches!(inbox.next(Some(monotonic()), LONG), Next::WriterFree));
        inbox.writer_busy();
        assert!(matches!(inbox.next(Some(monotonic()), LONG), Next::Input(Priority::Command, _)));
    }

    #[test]
    fn whoever_sleeps_is_woken_by_an_input_by_the_writer_and_by_the_end() {
        let wake: [fn(&Inbox); 3] = [
            |inbox| inbox.push(Priority::Bulk, marked(1), 1).expect("it is open"),
            Inbox::writer_free,
            Inbox::close,
        ];
        for (turn, wake) in wake.into_iter().enumerate() {
            let inbox = Inbox::default();
            let next = std::thread::scope(|scope| {
                let taking = scope.spawn(|| inbox.next(Some(monotonic()), LONG));
                std::thread::sleep(TO_FALL_ASLEEP);
                wake(&inbox);
                taking.join().expect("nothing in it panics")
            });
            let is_right = match turn {
                0 => matches!(next, Next::Input(Priority::Bulk, _)),
                1 => matches!(next, Next::WriterFree),
                _ => matches!(next, Next::Closed),
            };
            assert!(is_right, "{turn}: {next:?}");
        }
    }

    #[test]
    fn who_waits_for_room_goes_on_when_there_is_some() {
        let inbox = Inbox::default();
        inbox.push(Priority::Bulk, marked(1), QUEUE_BYTES_MAX).unwrap();
        std::thread::scope(|scope| {
            let pushing = scope.spawn(|| inbox.push(Priority::Bulk, marked(2), 1));
            std::thread::sleep(TO_FALL_ASLEEP);
            assert!(matches!(inbox.next(None, LONG), Next::Input(Priority::Bulk, _)));
            assert_eq!(pushing.join().expect("nothing in it panics"), Ok(()));
        });
        assert!(matches!(inbox.next(None, LONG), Next::Input(Priority::Bulk, _)));
    }

    #[test]
    fn a_full_lane_refuses_and_an_empty_one_takes_anything() {
        let mut queues = Queues::default();
        assert!(queues.has_room(Priority::Bulk, 10 * QUEUE_BYTES_MAX));
        queues.push(Priority::Bulk, marked(0), QUEUE_BYTES_MAX);
        assert!(!queues.has_room(Priority::Bulk, 1));
        assert!(queues.has_room(Priority::Live, QUEUE_BYTES_MAX));
    }
}
