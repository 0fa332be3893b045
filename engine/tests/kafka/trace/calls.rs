//! Reading a trace: which frames were written and synced when, and what left the process in between.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tidewatch_engine::serve::token::parse_position;

/// What `strace -e` is told: how the log is written and synced, and how anything leaves by a socket.
pub const TRACED: &str = "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg";
/// The key of Kafka's request that commits offsets, and the first version with compact lengths.
const OFFSET_COMMIT: u16 = 8;
const COMPACT_SINCE: u16 = 8;
/// Digits of a position's token.
const TOKEN_DIGITS: usize = 74;

/// What the log holds.
#[derive(Default)]
pub struct Laid {
    /// The last sequence of each frame, by its place in the only segment.
    pub frames: BTreeMap<u64, u64>,
    /// The sequence of each record of the topic, by its offset.
    pub events: BTreeMap<i64, u64>,
}

/// What a trace shows.
#[derive(PartialEq, Eq, Default, Debug)]
pub struct Seen {
    /// Frames written.
    pub frames: usize,
    /// Syncs of the log.
    pub syncs: usize,
    /// Answers that name a position.
    pub answers: usize,
    /// Commits of offsets.
    pub commits: usize,
}

/// The log as far as the trace was read.
#[derive(Default)]
struct Progress {
    /// Places that were written, by the line in which the write ended.
    written: BTreeMap<u64, usize>,
    synced: BTreeSet<u64>,
}

impl Progress {
    /// The last sequence up to which every frame is synced.
    fn durable_seq(&self, laid: &Laid) -> u64 {
        laid.frames
            .iter()
            .take_while(|(place, _)| self.synced.contains(place))
            .last()
            .map_or(0, |(_, seq)| *seq)
    }
}

/// Goes through a trace; says which line lets something out too early.
pub fn judge(trace: &str, topic: &str, laid: &Laid) -> Result<Seen, String> {
    let (mut seen, mut progress) = (Seen::default(), Progress::default());
    // Calls that other threads interrupted: the thread's, with the line in which it began.
    let mut begun: HashMap<&str, (usize, &str)> = HashMap::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.trim_start().split_once(' ') else { continue };
        let rest = rest.trim_start();
        let (since, call) = match rest.strip_prefix("<... ") {
            Some(_) => begun.remove(thread).ok_or(format!("line {at} ends what did not begin: {line}"))?,
            None => (at, rest),
        };
        let is_begin = since == at;
        let is_log = path(call).is_some_and(|path| path.contains("/log/") && path.ends_with(".seg"));
        if is_begin && !is_log {
            // What a call sends may be gone as soon as the call begins.
            let bytes = sent(call);
            for (what, seq) in references(&bytes, topic, laid, &mut seen) {
                let durable = progress.durable_seq(laid);
                if seq > durable {
                    return Err(format!(
                        "line {at}: {what} refers to sequence {seq}, durable is {durable}: {line}"
                    ));
                }
            }
        }
        if rest.ends_with("<unfinished ...>") {
            begun.insert(thread, (at, rest));
            continue;
        }
        // Results of resumed calls stand in a column of their own.
        let result = rest.rsplit_once(" = ").map_or("", |(_, result)| result);
        if is_log && call.starts_with("pwrite64(") {
            let call = call.split(" <unfinished").next().unwrap_or(call);
            let arguments = call.rsplit_once(['"', '.']).map_or("", |(_, arguments)| arguments);
            let mut numbers =
                arguments.split([',', ')', '<']).map(str::trim).filter_map(|word| word.parse().ok());
            let (_, place): (u64, u64) =
                numbers.next().zip(numbers.next()).ok_or(format!("line {at}: {call}"))?;
            seen.frames += usize::from(progress.written.insert(place, at).is_none());
        } else if is_log && call.starts_with("f") && result.starts_with('0') {
            seen.syncs += 1;
            let before =
                progress.written.iter().filter(|(_, written)| **written < since).map(|(place, _)| *place);
            progress.synced.extend(before);
        }
    }
    Ok(seen)
}

/// The file a call is about: `-y` adds it to its number.
fn path(call: &str) -> Option<String> {
    let (named, _) = call.split_once('<')?.1.split_once('>')?;
    String::from_utf8(bytes(named)).ok()
}

/// The bytes in a call's texts.
fn sent(call: &str) -> Vec<u8> {
    call.split('"').skip(1).step_by(2).flat_map(bytes).collect()
}

/// The bytes of a text, which `-xx` writes as `\x00`.
fn bytes(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits.filter_map(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok()).collect()
}

/// What bytes that leave refer to: positions in answers, offsets in commits.
fn references(bytes: &[u8], topic: &str, laid: &Laid, seen: &mut Seen) -> Vec<(&'static str, u64)> {
    let mut found = Vec::new();
    for window in bytes.windows(TOKEN_DIGITS) {
        if let Some(position) = std::str::from_utf8(window).ok().and_then(parse_position) {
            seen.answers += 1;
            found.push(("an answer", position.seq));
        }
    }
    for offset in committed(bytes, topic).filter(|offset| *offset > 0) {
        seen.commits += 1;
        let seq = laid.events.get(&(offset - 1)).copied().unwrap_or(u64::MAX);
        found.push(("a commit", seq));
    }
    found
}

/// The offset that a request commits for the topic's only partition.
fn committed(bytes: &[u8], topic: &str) -> impl Iterator<Item = i64> {
    let short = |at: usize| bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let is_commit = short(4) == Some(OFFSET_COMMIT);
    // After the topic: the number of partitions, the partition, the offset.
    let skipped = if short(6) >= Some(COMPACT_SINCE) { 1 } else { 4 } + 4;
    let named =
        bytes.windows(topic.len()).position(|window| window == topic.as_bytes()).filter(|_| is_commit);
    let offset = named.and_then(|at| bytes.get(at + topic.len() + skipped..)?.first_chunk().copied());
    offset.map(i64::from_be_bytes).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidewatch_engine::position::Position;
    use tidewatch_engine::serve::token::position_token;

    fn answer(seq: u64) -> String {
        let token = position_token(Position { shard: 0, lineage: 7, seq });
        let bytes: String = token.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        format!("7 write(9<socket:[1]>, \"\\x00\\x00{bytes}\", 76) = 76")
    }

    fn laid() -> Laid {
        Laid { frames: [(0, 3), (96, 5)].into(), events: [(0, 1), (1, 2), (2, 4)].into() }
    }

    /// `/log/1.seg`
    const WRITES: [&str; 2] = [
        r#"5 pwrite64(8<\x2f\x6c\x6f\x67\x2f\x31\x2e\x73\x65\x67>, "\x54\x57"..., 96, 0) = 96"#,
        r#"5 pwrite64(8<\x2f\x6c\x6f\x67\x2f\x31\x2e\x73\x65\x67>, "\x54\x57", 96, 96) = 96"#,
    ];
    const SYNC: &str = r"5 fdatasync(8<\x2f\x6c\x6f\x67\x2f\x31\x2e\x73\x65\x67>) = 0";

    fn judged(lines: &[&str]) -> Result<Seen, String> {
        judge(&lines.join("\n"), "t", &laid())
    }

    #[test]
    fn an_answer_after_the_sync_of_its_frame_passes_and_one_before_it_does_not() {
        let (three, four) = (answer(3), answer(4));
        let passed = judged(&[WRITES[0], SYNC, WRITES[1], &three]).unwrap();
        assert_eq!(passed, Seen { frames: 2, syncs: 1, answers: 1, commits: 0 });
        assert!(judged(&[WRITES[0], SYNC, WRITES[1], &four]).unwrap_err().contains("durable is 3"));
        assert!(judged(&[WRITES[0], SYNC, WRITES[1], SYNC, &four]).is_ok());
        assert!(judged(&[WRITES[0], &three]).is_err());
    }

    #[test]
    fn a_sync_covers_what_was_written_before_it_began_once_it_has_ended() {
        let began = SYNC.replace(") = 0", " <unfinished ...>");
        let ended = "5 <... fdatasync resumed>)          = 0";
        let failed = "5 <... fdatasync resumed>) = -1 EIO (Input/output error)";
        let (three, four) = (answer(3), answer(4));
        assert!(judged(&[WRITES[0], &began, ended, &three]).is_ok());
        assert!(judged(&[WRITES[0], &began, &three, ended]).is_err());
        assert!(judged(&[WRITES[0], &began, &WRITES[1].replace("5 ", "6 "), ended, &four]).is_err());
        assert!(judged(&[WRITES[0], &began, failed, &three]).is_err());
    }

    #[test]
    fn a_commit_refers_to_the_record_before_its_offset() {
        let commit = |version: u8, count: &str, offset: u8| {
            let head = format!("\\x00\\x00\\x00\\x30\\x00\\x08\\x00\\x{version:02x}\\x00\\x00\\x74");
            format!(
                "6 sendmsg(4<socket:[2]>, {{msg_iov=[{{iov_base=\"{head}{count}\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x{offset:02x}\\x01\", iov_len=52}}]}}, 0) = 52"
            )
        };
        for (version, count) in [(7, "\\x00\\x00\\x00\\x01"), (9, "\\x02")] {
            let early = commit(version, count, 3);
            assert_eq!(judged(&[WRITES[0], SYNC, &commit(version, count, 2)]).unwrap().commits, 1);
            assert!(
                judged(&[WRITES[0], SYNC, &early]).unwrap_err().contains("a commit refers to sequence 4")
            );
            assert!(judged(&[WRITES[0], WRITES[1], SYNC, &early]).is_ok());
        }
    }
}
