//! Queues inputs by priority: commands first, then live sources, then bulk imports with at most a quarter of the bytes while
//! live waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

/// The three queues.
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

    /// The input whose turn it is.
    pub fn take(&mut self) -> Option<Input> {
        if let Some(command) = self.commands.pop_front() {
            return Some(command);
        }
        if self.live.inputs.is_empty() || self.bulk.inputs.is_empty() {
            (self.live.given_bytes, self.bulk.given_bytes) = (0, 0);
            return self.live.pop().or_else(|| self.bulk.pop());
        }
        let next_bytes = self.bulk.inputs.front().map_or(0, |(_, bytes)| *bytes);
        let bulk_bytes = self.bulk.given_bytes + next_bytes;
        match bulk_bytes <= (self.live.given_bytes + bulk_bytes) / 4 {
            true => self.bulk.pop(),
            false => self.live.pop(),
        }
    }
}

/// What the sequencer's thread does next.
#[derive(Debug)]
pub enum Next {
    /// Take this.
    Input(Input),
    /// The writer waits and there is something to write.
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
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closed {
            return Err(InboxClosed);
        }
        state.queues.push(priority, input, bytes);
        self.ready.notify_one();
        Ok(())
    }

    /// The writer has nothing to do.
    pub fn writer_free(&self) {
        self.state().is_writer_free = true;
        self.ready.notify_one();
    }

    /// The next thing to do, after at most `wait`. `is_filled` says whether there is something to write.
    pub fn next(&self, is_filled: bool, wait: Duration) -> Next {
        let mut state = self.state();
        loop {
            if is_filled && state.is_writer_free {
                state.is_writer_free = false;
                return Next::WriterFree;
            }
            if let Some(input) = state.queues.take() {
                self.room.notify_all();
                return Next::Input(input);
            }
            if state.is_closed {
                return Next::Closed;
            }
            let (again, timeout) =
                self.ready.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            state = again;
            if timeout.timed_out() {
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
            .map(|input| match input {
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

    #[test]
    fn a_full_lane_refuses_and_an_empty_one_takes_anything() {
        let mut queues = Queues::default();
        assert!(queues.has_room(Priority::Bulk, 10 * QUEUE_BYTES_MAX));
        queues.push(Priority::Bulk, marked(0), QUEUE_BYTES_MAX);
        assert!(!queues.has_room(Priority::Bulk, 1));
        assert!(queues.has_room(Priority::Live, QUEUE_BYTES_MAX));
    }
}
