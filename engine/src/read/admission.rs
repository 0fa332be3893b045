//! Admission control of reads of the past: which may start, which wait, which share a scan, which are refused.
//!
//! A scan starts while a place is free and its memory fits beside that of the others. One that fits no budget runs when
//! no other does, so that every admitted scan comes to run. Scans start in the order in which they came, but a small one
//! may pass a large one that waits for memory, a bounded number of times.

use std::time::Duration;

/// How often a waiting scan is passed by later ones before it holds them all back.
const PASSED_MAX: u32 = 16;
/// The shortest wait that a refused caller is told.
const RETRY_LEAST: Duration = Duration::from_secs(1);
/// The longest wait that a refused caller is told.
const RETRY_MOST: Duration = Duration::from_secs(60);

/// How much may be read of the past at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdmissionLimits {
    /// Scans that run at once, at least 1. Half of them, at least one, may be bulk.
    pub scans_max: usize,
    /// Scans that wait for their turn; more are refused.
    pub waiting_max: usize,
    /// What all scans and their answers under way may take by estimate, in bytes. A scan that exceeds it alone runs alone.
    pub memory_bytes_max: u64,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { scans_max: 4, waiting_max: 32, memory_bytes_max: 1 << 30 }
    }
}

/// What a scan takes while it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// Memory while it runs, in bytes.
    pub memory_bytes: u64,
    /// Memory of its answer until the last caller has let go of it, in bytes.
    pub answer_bytes: u64,
    /// It reads the whole log and lasts as long as its caller takes to listen.
    pub is_bulk: bool,
}

/// A scan that was admitted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ScanId(u64);

/// What became of a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admitted {
    /// Its scan may start now.
    Starts(ScanId),
    /// Its scan starts when [`Admission`] says so.
    Waits(ScanId),
    /// It hears the answer of a scan that is admitted already.
    Shares(ScanId),
}

/// As many scans wait as may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused {
    /// After about which time a place will be free.
    pub retry_after: Duration,
}

/// Figures of all scans.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub running: usize,
    pub waiting: usize,
    /// What scans and answers under way take by estimate, in bytes.
    pub memory_bytes: u64,
    /// Questions refused so far.
    pub refused: u64,
    /// Scans that every caller left before their end, so far.
    pub cancelled: u64,
    /// Questions that shared the scan of another one, so far.
    pub shared: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Waiting {
        /// Later scans that started before this one.
        passed: u32,
    },
    Running,
    /// Ended; the answer still takes memory.
    Answered,
}

#[derive(Debug)]
struct Scan<Q> {
    id: ScanId,
    question: Option<Q>,
    cost: Cost,
    callers: usize,
    state: State,
}

impl<Q> Scan<Q> {
    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    fn memory_bytes(&self) -> u64 {
        match self.state {
            State::Waiting { .. } => 0,
            State::Running => self.cost.memory_bytes,
            State::Answered => self.cost.answer_bytes,
        }
    }
}

/// The scans that are admitted. `Q` tells equal questions apart from others.
#[derive(Debug)]
pub struct Admission<Q> {
    limits: AdmissionLimits,
    /// In the order in which they came.
    scans: Vec<Scan<Q>>,
    next_id: u64,
    /// Moving average of how long scans run; zero before the first has ended.
    mean: Duration,
    totals: Counts,
}

impl<Q: PartialEq> Admission<Q> {
    /// Admits under these limits.
    pub fn new(limits: AdmissionLimits) -> Self {
        Self { limits, scans: Vec::new(), next_id: 0, mean: Duration::ZERO, totals: Counts::default() }
    }

    pub fn limits(&self) -> AdmissionLimits {
        self.limits
    }

    /// Takes a question in; one without a `question` shares no scan.
    ///
    /// # Errors
    /// When it would have to wait and as many wait as may.
    pub fn ask(&mut self, question: Option<Q>, cost: Cost) -> Result<Admitted, Refused> {
        let is_equal = |scan: &&mut Scan<Q>| {
            // Nobody heard what a scan without callers found: it was told to stop.
            scan.callers > 0 && scan.state != State::Answered && scan.question == question
        };
        if question.is_some()
            && let Some(scan) = self.scans.iter_mut().find(is_equal)
        {
            scan.callers += 1;
            self.totals.shared += 1;
            return Ok(Admitted::Shares(scan.id));
        }
        let id = ScanId(self.next_id);
        self.next_id += 1;
        self.scans.push(Scan { id, question, cost, callers: 1, state: State::Waiting { passed: 0 } });
        // Whoever could start before this one has done so already.
        if self.start().contains(&id) {
            return Ok(Admitted::Starts(id));
        }
        if self.count(Scan::is_waiting) > self.limits.waiting_max {
            self.scans.pop();
            self.totals.refused += 1;
            return Err(Refused { retry_after: self.retry_after() });
        }
        Ok(Admitted::Waits(id))
    }

    /// A caller waits no more. Answers whether the running scan is to be told to stop, because it was the last one.
    pub fn leave(&mut self, id: ScanId) -> bool {
        let Some(place) = self.scans.iter().position(|scan| scan.id == id) else { return false };
        let scan = &mut self.scans[place];
        scan.callers = scan.callers.saturating_sub(1);
        if scan.callers > 0 || scan.state == State::Answered {
            return false;
        }
        self.totals.cancelled += 1;
        if scan.is_waiting() {
            self.scans.remove(place);
            return false;
        }
        true
    }

    /// A running scan ended after some time; its answer takes memory until [`Admission::release`], if it has one.
    pub fn finish(&mut self, id: ScanId, took: Duration, has_answer: bool) {
        if let Some(scan) = self.scans.iter_mut().find(|scan| scan.id == id) {
            scan.state = State::Answered;
            // One that was told to stop says nothing of how long others take.
            if scan.callers > 0 {
                self.mean = if self.mean.is_zero() { took } else { (self.mean * 3 + took) / 4 };
            }
        }
        if !has_answer {
            self.release(id);
        }
    }

    /// The answer of a scan is gone.
    pub fn release(&mut self, id: ScanId) {
        self.scans.retain(|scan| scan.id != id);
    }

    /// Whether a scan waits, runs, or has an answer that takes memory.
    pub fn is_known(&self, id: ScanId) -> bool {
        self.scans.iter().any(|scan| scan.id == id)
    }

    /// The waiting scans that may start now, and count as running from here on.
    pub fn start(&mut self) -> Vec<ScanId> {
        let mut started = Vec::new();
        for place in 0..self.scans.len() {
            let State::Waiting { passed } = self.scans[place].state else { continue };
            if self.fits(self.scans[place].cost) {
                self.scans[place].state = State::Running;
                started.push(self.scans[place].id);
                for earlier in &mut self.scans[..place] {
                    if let State::Waiting { passed } = &mut earlier.state {
                        *passed += 1;
                    }
                }
            } else if passed >= PASSED_MAX {
                break;
            }
        }
        started
    }

    /// Figures of all scans.
    pub fn counts(&self) -> Counts {
        Counts {
            running: self.running(),
            waiting: self.count(Scan::is_waiting),
            memory_bytes: self.memory_bytes(),
            ..self.totals
        }
    }

    fn fits(&self, cost: Cost) -> bool {
        let limits = &self.limits;
        let bulk = self.count(|scan| scan.state == State::Running && scan.cost.is_bulk);
        if self.running() >= limits.scans_max || cost.is_bulk && bulk >= (limits.scans_max / 2).max(1) {
            return false;
        }
        let needed_bytes = self.memory_bytes().saturating_add(cost.memory_bytes);
        needed_bytes <= limits.memory_bytes_max || self.running() == 0
    }

    fn running(&self) -> usize {
        self.count(|scan| scan.state == State::Running)
    }

    fn count(&self, is_counted: impl Fn(&Scan<Q>) -> bool) -> usize {
        self.scans.iter().filter(|scan| is_counted(scan)).count()
    }

    fn memory_bytes(&self) -> u64 {
        self.scans.iter().map(Scan::memory_bytes).fold(0, u64::saturating_add)
    }

    /// How long those ahead take, by the average.
    fn retry_after(&self) -> Duration {
        let ahead = self.count(|scan| scan.state != State::Answered);
        let rounds = u32::try_from(ahead.div_ceil(self.limits.scans_max.max(1))).unwrap_or(u32::MAX);
        self.mean.saturating_mul(rounds).clamp(RETRY_LEAST, RETRY_MOST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: AdmissionLimits = AdmissionLimits { scans_max: 2, waiting_max: 3, memory_bytes_max: 100 };
    const SECOND: Duration = Duration::from_secs(1);

    fn takes(memory_bytes: u64) -> Cost {
        Cost { memory_bytes, ..Cost::default() }
    }

    fn starts(admission: &mut Admission<u8>, question: u8, cost: Cost) -> ScanId {
        match admission.ask(Some(question), cost) {
            Ok(Admitted::Starts(id)) => id,
            other => panic!("{question}: {other:?}"),
        }
    }

    fn waits(admission: &mut Admission<u8>, question: u8, cost: Cost) -> ScanId {
        match admission.ask(Some(question), cost) {
            Ok(Admitted::Waits(id)) => id,
            other => panic!("{question}: {other:?}"),
        }
    }

    #[test]
    fn scans_run_while_places_and_memory_last_then_wait_then_are_refused() {
        let mut admission = Admission::new(LIMITS);
        let first = starts(&mut admission, 1, takes(60));
        let large = waits(&mut admission, 2, takes(50));
        let small = starts(&mut admission, 3, takes(40));
        let others = [4, 5].map(|question| waits(&mut admission, question, takes(1)));
        admission.finish(small, 3 * SECOND, false);
        assert_eq!(admission.start(), [others[0]], "the large one fits no more than before");
        waits(&mut admission, 6, takes(1));
        let refused = admission.ask(Some(7), takes(1)).unwrap_err();
        assert_eq!(refused.retry_after, 9 * SECOND, "three rounds of two, of three seconds each");
        admission.finish(first, 3 * SECOND, false);
        assert_eq!(admission.start(), [large]);
        let counts = admission.counts();
        assert_eq!((counts.running, counts.waiting, counts.memory_bytes, counts.refused), (2, 2, 51, 1));
    }

    #[test]
    fn equal_questions_share_a_scan_until_it_has_ended_or_was_left() {
        let mut admission = Admission::new(LIMITS);
        let id = starts(&mut admission, 1, takes(60));
        assert_eq!(admission.ask(Some(1), takes(60)), Ok(Admitted::Shares(id)));
        assert!(!admission.leave(id), "one caller is left");
        assert!(admission.leave(id), "nobody waits for it");
        let again = waits(&mut admission, 1, takes(60));
        assert_eq!(admission.ask(Some(1), takes(60)), Ok(Admitted::Shares(again)));
        admission.finish(id, SECOND, false);
        assert_eq!(admission.start(), [again]);
        admission.finish(again, SECOND, true);
        assert!(matches!(admission.ask(Some(1), takes(60)), Ok(Admitted::Starts(_))));
        assert_eq!((admission.counts().shared, admission.counts().cancelled), (2, 1));
        let unshared = [admission.ask(None, takes(0)), admission.ask(None, takes(0))];
        assert!(matches!(unshared, [Ok(Admitted::Starts(_)), Ok(Admitted::Waits(_))]), "{unshared:?}");
    }

    #[test]
    fn a_waiting_scan_that_is_left_never_starts() {
        let mut admission = Admission::new(LIMITS);
        let running = [1, 2].map(|question| starts(&mut admission, question, takes(0)));
        let left = waits(&mut admission, 3, takes(0));
        let next = waits(&mut admission, 4, takes(0));
        assert!(!admission.leave(left));
        admission.finish(running[0], SECOND, false);
        assert_eq!(admission.start(), [next]);
        assert!(!admission.leave(left), "it is known no more");
        assert_eq!(admission.counts().cancelled, 1);
    }

    #[test]
    fn a_scan_beyond_the_budget_runs_alone() {
        let mut admission = Admission::new(LIMITS);
        let small = starts(&mut admission, 1, takes(1));
        let huge = waits(&mut admission, 2, takes(1_000));
        admission.finish(small, SECOND, true);
        assert_eq!(admission.start(), [huge], "what is left of an answer holds no scan back for ever");
        waits(&mut admission, 3, takes(1));
    }

    #[test]
    fn an_answer_counts_until_it_is_gone() {
        let mut admission = Admission::new(LIMITS);
        let rows = starts(&mut admission, 1, Cost { memory_bytes: 90, answer_bytes: 50, is_bulk: false });
        admission.finish(rows, SECOND, true);
        starts(&mut admission, 2, takes(40));
        let next = waits(&mut admission, 3, takes(20));
        admission.release(rows);
        assert_eq!(admission.start(), [next]);
    }

    #[test]
    fn half_of_the_places_may_be_bulk() {
        let mut admission = Admission::new(AdmissionLimits { scans_max: 4, ..LIMITS });
        let bulk = Cost { is_bulk: true, ..Cost::default() };
        for question in [1, 2] {
            starts(&mut admission, question, bulk);
        }
        waits(&mut admission, 3, bulk);
        for question in [4, 5] {
            starts(&mut admission, question, takes(1));
        }
    }

    #[test]
    fn a_large_scan_is_passed_a_bounded_number_of_times() {
        let mut admission = Admission::new(LIMITS);
        starts(&mut admission, 0, takes(50));
        let large = waits(&mut admission, 1, takes(60));
        for _ in 0..PASSED_MAX {
            let Ok(Admitted::Starts(small)) = admission.ask(None, takes(1)) else { panic!("held back") };
            admission.finish(small, SECOND, false);
            assert_eq!(admission.start(), []);
        }
        let Ok(Admitted::Waits(held_back)) = admission.ask(None, takes(1)) else { panic!("let past") };
        assert!(!admission.leave(large));
        assert_eq!(admission.start(), [held_back]);
    }

    proptest! {
        /// Whatever comes, limits hold, nothing waits while nothing runs, and everything admitted comes to an end.
        #[test]
        fn limits_hold_and_every_scan_comes_to_run(
            steps in prop::collection::vec((0u8..4, 0u8..6, 0u64..150), 0..200),
        ) {
            let mut admission = Admission::new(LIMITS);
            let (mut running, mut answered) = (Vec::new(), Vec::new());
            for (step, question, bytes) in steps {
                match step {
                    0 | 1 => {
                        let cost = Cost { memory_bytes: bytes, answer_bytes: bytes / 2, is_bulk: question == 0 };
                        if let Ok(Admitted::Starts(id)) = admission.ask(Some(question), cost) {
                            running.push(id);
                        }
                    }
                    2 if !running.is_empty() => {
                        let id = running.remove(usize::from(question) % running.len());
                        admission.finish(id, SECOND, bytes % 2 == 0);
                        if bytes % 2 == 0 {
                            answered.push(id);
                        }
                    }
                    3 if !answered.is_empty() => admission.release(answered.remove(0)),
                    _ => if let Some(scan) = admission.scans.get(usize::from(question)) {
                        admission.leave(scan.id);
                    }
                }
                running.extend(admission.start());
                let counts = admission.counts();
                prop_assert_eq!(counts.running, running.len());
                prop_assert!(counts.running <= LIMITS.scans_max && counts.waiting <= LIMITS.waiting_max);
                prop_assert!(counts.waiting == 0 || counts.running > 0);
                let running_bytes: u64 = admission
                    .scans
                    .iter()
                    .filter(|scan| scan.state == State::Running)
                    .map(Scan::memory_bytes)
                    .sum();
                prop_assert!(running_bytes <= LIMITS.memory_bytes_max || counts.running == 1);
            }
            while let Some(id) = running.pop() {
                admission.finish(id, SECOND, false);
                running.extend(admission.start());
            }
            prop_assert_eq!(admission.counts().waiting, 0);
        }
    }
}
