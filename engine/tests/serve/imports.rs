//! Imports: what a client sends, what the engine makes of it, and what it refuses.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tidewatch_proto::v1;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use v1::import_records_request::Part;
use v1::import_records_response::Answer;

use crate::support::{Served, refused, usage};

const DIGEST: &str = "00112233445566778899aabbccddeeff";

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An import as a client holds it.
struct Import {
    to: Option<mpsc::Sender<v1::ImportRecordsRequest>>,
    answers: Streaming<v1::ImportRecordsResponse>,
}

fn opening(request_id: &str, source: &str, mapping: &str) -> Part {
    Part::Opening(v1::ImportOpening {
        request_id: request_id.into(),
        on_behalf_of: "ann".into(),
        source: source.into(),
        mapping: mapping.into(),
    })
}

impl Import {
    async fn begin(served: &Served, first: Part) -> Result<Self, Status> {
        let (to, parts) = mpsc::channel(8);
        to.send(v1::ImportRecordsRequest { part: Some(first) }).await.unwrap();
        let answers = served.imports().import_records(ReceiverStream::new(parts)).await?.into_inner();
        Ok(Self { to: Some(to), answers })
    }

    async fn open(served: &Served, request_id: &str) -> (Self, v1::ImportOpened) {
        let mut import = Self::begin(served, opening(request_id, "pushed", "")).await.unwrap();
        let Answer::Opened(opened) = import.next().await.unwrap() else { panic!("it was not opened") };
        (import, opened)
    }

    async fn next(&mut self) -> Result<Answer, Status> {
        let answer = timeout(PATIENCE, self.answers.message()).await;
        let answer = answer.unwrap_or_else(|_| panic!("an import was not answered within {PATIENCE:?}"))?;
        Ok(answer.expect("an answer").answer.expect("it says something"))
    }

    async fn send(&self, part: Part) {
        let message = v1::ImportRecordsRequest { part: Some(part) };
        self.to.as_ref().unwrap().send(message).await.unwrap();
    }

    async fn end(mut self) -> Result<v1::ImportSummary, Status> {
        self.to = None;
        match self.next().await? {
            Answer::Summary(summary) => Ok(summary),
            Answer::Opened(_) => panic!("it was opened twice"),
        }
    }
}

/// A batch of whole lines after `from_line` lines of ten bytes each.
fn batch(from_line: u64, lines: &[String]) -> v1::ImportBatch {
    let record = |(line, original): (u64, &String)| v1::ImportRecord {
        line,
        original: original.as_bytes().to_vec(),
        whole_bytes: 0,
    };
    let to_line = from_line + lines.len() as u64;
    v1::ImportBatch {
        digest: DIGEST.into(),
        from_byte: 10 * from_line,
        from_line,
        to_byte: 10 * to_line,
        to_line,
        records: (from_line + 1..).zip(lines).map(record).collect(),
    }
}

fn lines() -> Vec<String> {
    let nameless = usage("", "acme", "2024-02-01T10:00:00Z").replace(r#""id":"","#, "");
    vec![usage("1", "acme", "2024-02-01T00:00:00Z"), nameless, "{".to_owned()]
}

#[tokio::test]
async fn records_are_taken_once_and_a_repetition_is_answered_as_the_first_time() {
    let served = Served::new(&[]).await;
    let (import, opened) = Import::open(&served, "r1").await;
    assert_eq!((opened.files.len(), opened.record_bytes_max), (0, 1 << 20));
    import.send(Part::Batch(batch(0, &lines()))).await;
    let first = import.end().await.unwrap();
    assert_eq!((first.accepted, first.duplicates, first.dead_letters.len()), (2, 0, 1));

    let (import, opened) = Import::open(&served, "r2").await;
    let at = v1::FileProgress { digest: DIGEST.into(), byte: 30, line: 3 };
    assert_eq!(opened.files, [at]);
    import
        .send(Part::Batch(batch(
            3,
            &[usage("2", "acme", "2024-02-02T00:00:00Z"), usage("1", "acme", "2024-02-01T00:00:00Z")],
        )))
        .await;
    let second = import.end().await.unwrap();
    assert_eq!((second.accepted, second.duplicates), (1, 1));

    let (import, _) = Import::open(&served, "r1").await;
    assert_eq!(import.end().await.unwrap(), first);
    let other = Import::begin(&served, opening("r1", "else", "")).await.unwrap().next().await;
    refused(other, Code::AlreadyExists, "REQUEST_ID_REUSED");

    // The line is the id of the event that brings none.
    let min_position = second.position.unwrap().token;
    let timeline = v1::GetTimelineRequest { account: "acme".into(), min_position, ..Default::default() };
    let timeline = served.accounts().get_timeline(timeline).await.unwrap().into_inner();
    let ids: Vec<String> = timeline.entries.into_iter().map(|entry| entry.event.unwrap().id).collect();
    assert_eq!(ids, ["2", &format!("{DIGEST}:2"), "1"]);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_what_came_before_it_stays() {
    let served = Served::new(&[]).await;
    let (import, _) = Import::open(&served, "r1").await;
    import.send(Part::Batch(batch(0, &lines()[..1]))).await;
    import.send(Part::Batch(batch(5, &lines()[..1]))).await;
    refused(import.end().await, Code::InvalidArgument, "INVALID_IMPORT");
    let (import, opened) = Import::open(&served, "r2").await;
    assert_eq!(opened.files[0].line, 1);
    import.send(opening("r2", "pushed", "")).await;
    refused(import.end().await, Code::InvalidArgument, "INVALID_IMPORT");

    let begun = async |first| Import::begin(&served, first).await.map(|_| ());
    let invalid = Code::InvalidArgument;
    refused(begun(Part::Batch(batch(0, &[]))).await, invalid, "INVALID_IMPORT");
    refused(begun(opening("", "pushed", "")).await, invalid, "REQUEST_ID_MISSING");
    refused(begun(opening("r", "", "")).await, invalid, "INVALID_SOURCE");
    refused(begun(opening("r", "pushed", "version = 9")).await, invalid, "INVALID_MAPPING");
    let metadata =
        refused(begun(opening("r", "pushed", &"#".repeat((1 << 20) + 1))).await, invalid, "TOO_LONG");
    assert_eq!(metadata["most"], (1 << 20).to_string());
    let mapping = "version = 1\n[[rules]]\ntype = \"usage\"\naccount = \"$.a\"\noccurred_at = \"$.t\"\n";
    let mut other = Import::begin(&served, opening("r3", "pushed", mapping)).await.unwrap();
    refused(other.next().await, Code::FailedPrecondition, "MAPPING_CHANGED");
}

#[tokio::test]
async fn a_reset_a_stop_and_too_many_imports_are_told() {
    let served = Served::new(&[]).await;
    let (import, _) = Import::open(&served, "r1").await;
    let reset =
        v1::ResetSourceRequest { request_id: "r2".into(), source: "pushed".into(), ..Default::default() };
    served.sources().reset_source(reset).await.unwrap();
    import.send(Part::Batch(batch(0, &lines()))).await;
    refused(import.end().await, Code::Aborted, "SOURCE_WAS_RESET");

    let mut running = Vec::new();
    for number in 0..8 {
        running.push(Import::open(&served, &format!("m{number}")).await.0);
    }
    let metadata = refused(
        Import::begin(&served, opening("m8", "pushed", "")).await.map(|_| ()),
        Code::ResourceExhausted,
        "TOO_MANY_IMPORTS",
    );
    assert_eq!(metadata["most"], "8");
    served.stop.store(true, Ordering::Relaxed);
    for mut import in running {
        refused(import.next().await, Code::Unavailable, "ENGINE_STOPPED");
    }
}

#[tokio::test]
async fn a_client_that_goes_leaves_its_place_to_others() {
    let served = Served::new(&[]).await;
    for number in 0..20 {
        let mut refusals = 0;
        let opened = async {
            loop {
                match Import::begin(&served, opening(&format!("r{number}"), "pushed", "")).await {
                    Ok(mut import) => match import.next().await.unwrap() {
                        Answer::Opened(_) => break import,
                        Answer::Summary(summary) => panic!("{summary:?}"),
                    },
                    // The one before is just going.
                    Err(status) if status.code() == Code::ResourceExhausted => refusals += 1,
                    Err(status) => panic!("{status:?}"),
                }
                tokio::task::yield_now().await;
            }
        };
        let opened = timeout(PATIENCE, opened).await;
        drop(opened.unwrap_or_else(|_| panic!("no place within {PATIENCE:?}, {refusals} refusals")));
    }
}
