//! Files as sources: what is packed how, what lines become records, and what a second import reads.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidewatch_ingest::batch::{Origin, Outcome, RawBatch};
use tidewatch_ingest::checkpoint::Checkpoint;
use tidewatch_ingest::decode::{Decoder, Format};
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::limits::Limits;
use tidewatch_ingest::source::{Polled, Source, Stopped};
use tidewatch_projections::names::Names;

/// More than any file of these tests has.
const BATCHES_MAX: usize = 1_000;

struct Read {
    /// (line number, content)
    lines: Vec<(u64, String)>,
    digests: Vec<String>,
    checkpoints: Vec<Checkpoint>,
    batches: usize,
}

fn read(source: &mut FileSource, names: &Names, checkpoints: &[Checkpoint]) -> Result<Read, Stopped> {
    source.resume(checkpoints)?;
    let mut read = Read { lines: vec![], digests: vec![], checkpoints: vec![], batches: 0 };
    let mut batch = RawBatch::default();
    loop {
        batch.clear();
        let polled = source.poll(Duration::ZERO, &mut batch)?;
        read.batches += 1;
        assert!(read.batches <= BATCHES_MAX, "it does not end");
        for record in &batch.records {
            let Origin::Line { digest, line } = record.origin else { panic!("a line of a file") };
            read.lines
                .push((line, String::from_utf8_lossy(&batch.payload[record.bytes.clone()]).into_owned()));
            read.digests.push(names.text(digest).to_owned());
        }
        read.checkpoints.append(&mut batch.progress);
        if polled == Polled::Ended {
            return Ok(read);
        }
    }
}

fn source(paths: &[&Path], names: &Arc<Names>) -> FileSource {
    let inputs = paths.iter().map(|path| Input::Path(path.to_path_buf())).collect();
    FileSource::new("shop", Arc::clone(names), inputs, 32)
}

fn file(directory: &tempfile::TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

const CONTENT: &[u8] = b"\xef\xbb\xbf{\"a\":1}\r\n\n  \t\r\n{\"b\":2}\n{\"c\":3}";

fn expected() -> Vec<(u64, String)> {
    vec![(1, "{\"a\":1}".into()), (4, "{\"b\":2}".into()), (5, "{\"c\":3}".into())]
}

#[test]
fn packing_changes_neither_lines_nor_digest() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = CONTENT.split_at(20);
    let members = [gzip(first), gzip(second)].concat();
    let frames = [zstd::encode_all(first, 1).unwrap(), zstd::encode_all(second, 1).unwrap()].concat();
    let mut digests = Vec::new();
    for (name, content) in [("plain", CONTENT), ("gzip", &members), ("zstd", &frames)] {
        let names = Arc::new(Names::new());
        let path = file(&directory, name, content);
        let mut source = source(&[&path], &names);
        let progress = source.progress();
        let read = read(&mut source, &names, &[]).unwrap();
        assert_eq!(read.lines, expected(), "{name}");
        assert_eq!(progress.bytes_done(), progress.bytes_total(), "{name}");
        assert_eq!(progress.bytes_total(), 2 * content.len() as u64);
        assert_eq!(progress.files()[0].blank_lines, 2);
        assert_eq!(progress.files()[0].lines, 5);
        digests.extend(read.digests);
    }
    digests.dedup();
    assert_eq!(digests, [&blake3::hash(CONTENT).to_hex()[..32]]);
}

#[test]
fn an_import_goes_on_after_every_checkpoint_and_a_finished_one_reads_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "events", &gzip(CONTENT));
    let names = Arc::new(Names::new());
    let whole = read(&mut source(&[&path], &names).with_batch_bytes_max(1), &names, &[]).unwrap();
    assert!(whole.batches >= 3 && whole.checkpoints.len() >= 3);
    for checkpoint in &whole.checkpoints {
        let Checkpoint::File(at) = checkpoint else { panic!("a checkpoint of a file") };
        let rest = read(&mut source(&[&path], &names), &names, std::slice::from_ref(checkpoint)).unwrap();
        let after: Vec<_> = expected().into_iter().filter(|(line, _)| *line > at.line).collect();
        assert_eq!(rest.lines, after);
    }
    let last = whole.checkpoints.last().unwrap();
    let again = read(&mut source(&[&path], &names), &names, std::slice::from_ref(last)).unwrap();
    assert_eq!((again.lines.len(), again.checkpoints.len()), (0, 0));
}

#[test]
fn the_same_content_under_another_source_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "events", CONTENT);
    let names = Arc::new(Names::new());
    let whole = read(&mut source(&[&path], &names), &names, &[]).unwrap();
    let mut other = FileSource::new("other", Arc::clone(&names), vec![Input::Path(path)], 32);
    assert_eq!(read(&mut other, &names, &whole.checkpoints).unwrap().lines.len(), 3);
}

#[test]
fn several_files_are_read_in_order_and_a_copy_only_once() {
    let directory = tempfile::tempdir().unwrap();
    let one = file(&directory, "one", b"{\"a\":1}\n");
    let copy = file(&directory, "copy", &gzip(b"{\"a\":1}\n"));
    let two = file(&directory, "two", b"{\"b\":1}\n");
    let empty = file(&directory, "empty", b"");
    let names = Arc::new(Names::new());
    let read = read(&mut source(&[&one, &empty, &copy, &two], &names), &names, &[]).unwrap();
    assert_eq!(read.lines, [(1, "{\"a\":1}".to_owned()), (1, "{\"b\":1}".to_owned())]);
}

#[test]
fn a_line_past_the_limit_is_one_dead_letter_and_the_next_line_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(24));
    assert_eq!(fits.len(), 32);
    for end in ["\n", "\r\n"] {
        let content = format!("{fits}{end} {fits}{end}{}{end}{fits}", "y".repeat(1_000_000));
        let path = file(&directory, "long", content.as_bytes());
        let names = Arc::new(Names::new());
        let mut source = source(&[&path], &names);
        let mut batch = RawBatch::default();
        source.poll(Duration::ZERO, &mut batch).unwrap();
        let limits = Limits { record_bytes_max: 32, ..Limits::default() };
        let decoded = Decoder::new(Arc::clone(&names), "main", "shop", limits, Format::Native).decode(batch);
        let reasons: Vec<_> = decoded
            .items
            .iter()
            .map(|item| match &item.outcome {
                Outcome::Rejected(rejection) => (rejection.reason.name(), item.bytes.len()),
                outcome => panic!("a rejection, not {outcome:?}"),
            })
            .collect();
        assert_eq!(
            reasons,
            [("missing_field", 32), ("too_large", 32), ("too_large", 32), ("missing_field", 32)],
            "{end:?}"
        );
    }
}

#[test]
fn what_cannot_be_read_stops_by_name_and_the_next_file_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut broken = gzip(&CONTENT.repeat(1000));
    broken.truncate(broken.len() / 2);
    let broken = file(&directory, "broken.gz", &broken);
    let absent = directory.path().join("absent");
    let good = file(&directory, "good", b"{}\n");
    let names = Arc::new(Names::new());
    let mut source = source(&[&absent, &broken, &good], &names);
    for path in [&absent, &broken] {
        let stopped = source.poll(Duration::ZERO, &mut RawBatch::default()).unwrap_err();
        assert_eq!((stopped.cause, &stopped.stream), ("unreadable", &path.display().to_string()));
    }
    assert_eq!(read(&mut source, &names, &[]).unwrap().lines.len(), 1);
}

#[test]
fn a_file_that_changes_while_it_is_read_stops_the_import() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "events", &b"{\"a\":1}\n".repeat(100_000));
    let names = Arc::new(Names::new());
    let mut source = source(&[&path], &names).with_batch_bytes_max(1);
    source.poll(Duration::ZERO, &mut RawBatch::default()).unwrap();
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"b\":1}\n").unwrap();
    let stopped = read(&mut source.with_batch_bytes_max(1 << 20), &names, &[])
        .map(|read| read.lines.len())
        .unwrap_err();
    assert_eq!(stopped.cause, "changed");
}

#[test]
fn a_record_without_an_id_has_the_same_one_on_every_import() {
    let directory = tempfile::tempdir().unwrap();
    let line = b"{\"account\":\"a\",\"type\":\"note\",\"occurred_at\":0}\n";
    let ids = ["one", "two"].map(|name| {
        let path = file(&directory, name, line);
        let names = Arc::new(Names::new());
        let mut source = FileSource::new("shop", Arc::clone(&names), vec![Input::Path(path)], 1 << 20);
        let mut batch = RawBatch::default();
        source.poll(Duration::ZERO, &mut batch).unwrap();
        let decoded = Decoder::new(names, "main", "shop", Limits::default(), Format::Native).decode(batch);
        match &decoded.items[0].outcome {
            Outcome::Event { event, .. } => event.id.to_string(),
            outcome => panic!("an event, not {outcome:?}"),
        }
    });
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0].ends_with(":1") && ids[0].len() == 34, "{}", ids[0]);
}

#[test]
fn of_a_line_past_the_limit_the_beginning_is_kept_and_the_whole_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let names = Arc::new(Names::new());
    for (length, line_end) in [31, 32, 33, 34, 35, 600_000]
        .into_iter()
        .flat_map(|length| ["\n", "\r\n", ""].map(|end| (length, end)))
    {
        let content = [&b"x".repeat(length), line_end.as_bytes()].concat();
        let path = file(&directory, "long.ndjson", &content);
        let mut batch = RawBatch::default();
        source(&[&path], &names).poll(Duration::ZERO, &mut batch).unwrap();
        let [record] = batch.records.as_slice() else { panic!("one line of {length} bytes") };
        assert_eq!((record.bytes.len(), record.whole_bytes), (length.min(33), length as u64), "{line_end:?}");
    }
}
