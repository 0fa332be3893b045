//! Reads of the past as clients meet them: bounded, shared, refused with a hint, ended by deadlines and by clients that go.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tidewatch_engine::clock::monotonic;
use tidewatch_engine::read::admission::{AdmissionLimits, Cost, Counts};
use tidewatch_engine::read::scheduler::{Pending, ScheduleError, Scheduler};
use tidewatch_proto::prost_types::Timestamp;
use tidewatch_proto::v1;
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::support::{Served, date, refused, usage};

const ONE: AdmissionLimits = AdmissionLimits { scans_max: 1, waiting_max: 8, memory_bytes_max: 1 << 30 };

/// How long anything is waited for that should come at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// A place that is taken until the sender is dropped.
fn take_place(scheduler: &Arc<Scheduler>) -> (Sender<()>, Pending<(), ScheduleError>) {
    let (free, freed) = channel();
    let pending = scheduler.ask(None, Cost::default(), move |_| {
        let _freed = freed.recv();
        Ok(())
    });
    (free, pending.unwrap())
}

async fn until(scheduler: &Scheduler, what: &str, is_so: impl Fn(&Counts) -> bool) {
    let wait = async {
        while !is_so(&scheduler.counts()) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let reached = timeout(PATIENCE, wait).await;
    assert!(reached.is_ok(), "{what}: {:?}", scheduler.counts());
}

async fn digest(served: &Served, day: &str, patience: Option<Duration>) -> Result<String, Status> {
    let mut request = Request::new(v1::GetDigestRequest { as_of: date(day), ..Default::default() });
    if let Some(patience) = patience {
        request.set_timeout(patience);
    }
    Ok(served.server().get_digest(request).await?.into_inner().digest)
}

#[tokio::test]
async fn a_read_past_the_budget_is_refused_with_a_hint() {
    let limits = AdmissionLimits { waiting_max: 0, ..ONE };
    let served = Served::under(limits, &[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    let scheduler = &served.stage.scheduler;
    let (free, place) = take_place(scheduler);
    let status = digest(&served, "2024-02-01", None).await.unwrap_err();
    let retry = status.get_error_details().retry_info().unwrap().retry_delay.unwrap();
    assert!((1..=60).contains(&retry.as_secs()), "{retry:?}");
    assert_eq!(refused::<()>(Err(status), Code::ResourceExhausted, "TOO_MANY_LOG_READS")["most"], "1");
    let verified = served.logs().verify_log(v1::VerifyLogRequest {}).await;
    refused(verified.map(|_| ()), Code::ResourceExhausted, "TOO_MANY_LOG_READS");
    drop(free);
    place.answer(None).await.unwrap();
    digest(&served, "2024-02-01", None).await.unwrap();
    assert_eq!(scheduler.counts().refused, 2);
    let info = served.server().get_server_info(v1::GetServerInfoRequest {}).await.unwrap().into_inner();
    let told = info.limits.unwrap();
    assert_eq!(
        (told.past_reads_max, told.past_reads_waiting_max, told.past_memory_bytes_max),
        (1, 0, limits.memory_bytes_max)
    );
}

#[tokio::test]
async fn a_read_that_waits_past_its_deadline_is_answered_and_dropped() {
    let served = Served::under(ONE, &[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    let scheduler = &served.stage.scheduler;
    let (free, place) = take_place(scheduler);
    let began = monotonic();
    let late = digest(&served, "2024-02-01", Some(Duration::from_secs(2))).await;
    refused(late, Code::DeadlineExceeded, "DEADLINE_PASSED");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    until(scheduler, "what nobody waits for never starts", |counts| counts.waiting == 0).await;
    assert_eq!((scheduler.counts().running, scheduler.counts().cancelled), (1, 1));
    drop(free);
    place.answer(None).await.unwrap();
}

#[tokio::test]
async fn equal_questions_at_one_position_share_one_read() {
    let served = Served::under(ONE, &[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    let scheduler = &served.stage.scheduler;
    let (free, place) = take_place(scheduler);
    let digests = async {
        tokio::join!(
            digest(&served, "2024-02-01", None),
            digest(&served, "2024-02-01", None),
            digest(&served, "2024-02-01", None),
            digest(&served, "2024-01-31", None),
        )
    };
    let release = async {
        until(scheduler, "two of three share", |counts| counts.shared == 2 && counts.waiting == 2).await;
        drop(free);
        place.answer(None).await.unwrap();
    };
    let ((one, two, three, other), ()) = tokio::join!(digests, release);
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((two.unwrap(), three.unwrap()), (one.clone(), one.clone()));
    assert_ne!(one, other);
    // At another position the same words are another question.
    let min_position = served.import("crm", &[usage("2", "acme", "2024-02-01T01:00:00Z")]).await;
    let request = v1::GetDigestRequest { as_of: date("2024-02-01"), min_position };
    let later = served.server().get_digest(request).await.unwrap().into_inner().digest;
    assert_ne!(later, one);
    assert_eq!(scheduler.counts().shared, 2);
}

#[tokio::test]
async fn a_client_that_goes_ends_its_read() {
    let served = Served::under(ONE, &[usage("1", "acme", "2024-02-01T00:00:00Z")]).await;
    let scheduler = &served.stage.scheduler;
    let (told, ended) = channel();
    let endless = scheduler.ask(Some([7; 32]), Cost::default(), move |cancellation| {
        while cancellation.check().is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
        told.send(()).unwrap();
        Ok::<(), ScheduleError>(())
    });
    let endless = endless.unwrap();
    let waiting = digest(&served, "2024-02-01", None);
    let gone = timeout(Duration::from_millis(200), waiting).await;
    assert!(gone.is_err(), "the one place was taken");
    until(scheduler, "a read whose client has gone", |counts| counts.waiting == 0).await;
    drop(endless);
    ended.recv_timeout(PATIENCE).unwrap();
    until(scheduler, "its place is free", |counts| counts.running == 0).await;
    assert_eq!(scheduler.counts().cancelled, 2);
    digest(&served, "2024-02-01", None).await.unwrap();
}

#[tokio::test]
async fn a_scan_under_way_stops_once_its_client_has_gone() {
    let account = |number: usize| format!("account-{number}");
    let day = |place: usize| format!("2024-{:02}-{:02}T00:00:00Z", 1 + place / 28, 1 + place % 28);
    let lines: Vec<String> = (0..400 * 50)
        .map(|number| usage(&number.to_string(), &account(number % 400), &day(number / 400)))
        .collect();
    let served = Served::under(ONE, &lines).await;
    let scheduler = &served.stage.scheduler;
    // Another instant each time, so that every one of them is a scan.
    let request = |first: u32| v1::ScanMetricsRequest {
        as_of: (first..first + 64)
            .map(|minute| {
                let at = format!("2024-02-20T{:02}:{:02}:01Z", minute / 60, minute % 60);
                let at: jiff::Timestamp = at.parse().unwrap();
                let at = Timestamp { seconds: at.as_second(), nanos: 0 };
                v1::AsOf { instant: Some(v1::as_of::Instant::At(at)) }
            })
            .collect(),
        ..Default::default()
    };
    let began = monotonic();
    drop(served.metrics().scan_metrics(request(0)).await.unwrap());
    let whole = began.elapsed();
    let mut client = served.metrics();
    let scan = client.scan_metrics(request(64));
    let gone = timeout(whole / 4, scan).await;
    assert!(gone.is_err(), "a scan of {whole:?} was through in a quarter of it");
    let left = monotonic();
    until(scheduler, "the scan ends", |counts| counts.running == 0).await;
    assert!(left.elapsed() < whole / 2, "{:?} after its client had gone, of {whole:?}", left.elapsed());
    assert_eq!(scheduler.counts().cancelled, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reads_at_once_answer_or_are_refused_before_their_deadline() {
    let lines: Vec<String> = (0..2_000)
        .map(|number| usage(&number.to_string(), &(number % 200).to_string(), "2024-02-01T00:00:00Z"))
        .collect();
    let limits = AdmissionLimits { scans_max: 2, waiting_max: 6, memory_bytes_max: 64 << 20 };
    let served = Arc::new(Served::under(limits, &lines).await);
    let scheduler = Arc::clone(&served.stage.scheduler);
    let taken = [take_place(&scheduler), take_place(&scheduler)];
    let patience = Duration::from_secs(20);
    let calls: Vec<_> = (0..40)
        .map(|number| {
            let served = Arc::clone(&served);
            tokio::spawn(async move {
                let began = monotonic();
                let answer =
                    digest(&served, &format!("2024-03-{:02}", 1 + number % 20), Some(patience)).await;
                (answer, began.elapsed())
            })
        })
        .collect();
    until(&scheduler, "every call waits, shares or is refused", |counts| {
        counts.waiting as u64 + counts.shared + counts.refused == 40
    })
    .await;
    let at_most = scheduler.counts();
    for (free, place) in taken {
        drop(free);
        place.answer(None).await.unwrap();
    }
    let (mut answered, mut turned_away) = (0, 0);
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        let Counts { running, waiting, memory_bytes, .. } = scheduler.counts();
        assert!(running <= limits.scans_max && waiting <= limits.waiting_max, "{running} and {waiting}");
        assert!(memory_bytes <= limits.memory_bytes_max || running == 1, "{running}: {memory_bytes} bytes");
        sleep(Duration::from_millis(1)).await;
    }
    for call in calls {
        let (answer, took) = call.await.unwrap();
        assert!(took < patience, "{took:?}");
        match answer {
            Ok(_) => answered += 1,
            Err(status) => {
                assert!(status.get_error_details().retry_info().is_some(), "{status:?}");
                refused::<()>(Err(status), Code::ResourceExhausted, "TOO_MANY_LOG_READS");
                turned_away += 1;
            }
        }
    }
    assert_eq!((answered, turned_away), (6 + at_most.shared, at_most.refused));
    assert!(turned_away > 0, "{at_most:?}");
    until(&scheduler, "everything is let go of", |counts| {
        (counts.running, counts.waiting, counts.memory_bytes) == (0, 0, 0)
    })
    .await;
}
