//! Calls of librdkafka that the safe client lacks: fetching in batches, the leader epoch of a record, the id of a topic,
//! commits with their result, and the client's log.
//!
//! All unsafe code of the crate is here. Fetched records stay inside [`Fetcher`], which frees them before the client.
#![expect(
    unsafe_code,
    reason = "the safe client has no batch call, no leader epoch, no topic id and no commit queue"
)]

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{IsError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka_sys as sys;

/// Most records taken from the client's queue at once. Only pointers are held here; until then the bytes count in the
/// queue's memory limit.
const TAKEN_MAX: usize = 1024;

/// Log level of librdkafka (syslog numbers) of debugging lines.
const LEVEL_DEBUG: i32 = 7;

/// Sends the client's log to the log of the program until [`Fetcher`] handles it.
pub struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(level as i32, facility, line);
    }

    fn error(&self, error: rdkafka::error::KafkaError, reason: &str) {
        tracing::warn!(target: "kafka", %error, reason, "client error");
    }
}

impl ConsumerContext for Context {}

fn log(level: i32, facility: &str, line: &str) {
    match level {
        ..=3 => tracing::error!(target: "kafka", facility, "{line}"),
        4 => tracing::warn!(target: "kafka", facility, "{line}"),
        5 | 6 => tracing::info!(target: "kafka", facility, "{line}"),
        _ => tracing::trace!(target: "kafka", facility, "{line}"),
    }
}

/// A reference to one of the client's queues, released on drop.
struct Queue(NonNull<sys::RDKafkaQueue>);

// SAFETY: librdkafka's queues may be used and released from any thread.
unsafe impl Send for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a call that hands out one reference, given back only here.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

impl Queue {
    fn new(client: *mut sys::RDKafka) -> Self {
        // SAFETY: `client` is alive: its owner is borrowed by every caller.
        let queue = unsafe { sys::rd_kafka_queue_new(client) };
        Self(NonNull::new(queue).expect("rd_kafka_queue_new always makes a queue"))
    }

    fn poll(&self, wait: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; a null answer means none.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.0.as_ptr(), millis(wait)) }).map(Event)
    }
}

/// A response or log line of the client, freed on drop.
struct Event(NonNull<sys::RDKafkaEvent>);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event was handed to us by `rd_kafka_queue_poll` and is freed once.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

fn millis(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}

/// What the client reports besides records.
#[derive(Debug)]
pub enum ClientEvent {
    /// The id of a topic that the client's fetches use from now on.
    TopicId {
        /// The name of the topic.
        topic: String,
        /// The id of the topic.
        id: TopicId,
    },
    /// The result of a [`Fetcher::commit`].
    Committed(Result<(), RDKafkaErrorCode>),
    /// The client logged a warning or an error, which is already in the log of the program.
    ErrorLogged(String),
}

/// The id of a topic: 128 random bits, written as Kafka's tools do (URL-safe base64, 22 characters).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TopicId(Box<str>);

impl TopicId {
    /// The id of a text in either alphabet of base64, with or without padding.
    pub fn new(base64: &str) -> Self {
        let plain: String = base64
            .trim_end_matches('=')
            .chars()
            .map(|c| match c {
                '+' => '-',
                '/' => '_',
                c => c,
            })
            .collect();
        Self(plain.into())
    }

    /// The id in URL-safe base64 without padding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A topic's id and its number of partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// The id of the topic.
    pub id: TopicId,
    /// The number of partitions, which are numbered from 0.
    pub partitions: i32,
}

/// The name of a topic and its description, or why the broker has none.
pub type Description = (String, Result<Described, RDKafkaErrorCode>);

/// Fetches records and client events. Field order is release order: records, then queues, then the client.
pub struct Fetcher {
    taken: Batch,
    records: Queue,
    events: Queue,
    consumer: BaseConsumer<Context>,
}

/// Fetched records, in the order of the client's queue.
struct Batch(VecDeque<NonNull<sys::RDKafkaMessage>>);

// SAFETY: a record is only data with counted references to its client's structures, all of them thread-safe.
unsafe impl Send for Batch {}

impl Batch {
    fn pop(&mut self) {
        if let Some(message) = self.0.pop_front() {
            // SAFETY: the record is ours since it was taken and leaves the deque before it is freed.
            unsafe { sys::rd_kafka_message_destroy(message.as_ptr()) }
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        while !self.0.is_empty() {
            self.pop();
        }
    }
}

impl Fetcher {
    /// Creates the client. It reads only the partitions assigned to [`Fetcher::consumer`] and never joins a group.
    ///
    /// # Errors
    /// When an option is unknown or librdkafka rejects its value.
    pub fn open(config: &ClientConfig) -> KafkaResult<Self> {
        let consumer: BaseConsumer<Context> = config.create_with_context(Context)?;
        let client = consumer.client().native_ptr();
        let events = Queue::new(client);
        // SAFETY: client and queue are alive; librdkafka keeps its own reference to the queue.
        unsafe { sys::rd_kafka_set_log_queue(client, events.0.as_ptr()) };
        // SAFETY: the client is alive; a consumer with a group always has this queue.
        let records = NonNull::new(unsafe { sys::rd_kafka_queue_get_consumer(client) })
            .expect("a consumer with a group has a queue");
        // Events that came before are not for the batch call, which knows records and errors only.
        while consumer.poll(Duration::ZERO).is_some() {}
        Ok(Self { taken: Batch(VecDeque::new()), records: Queue(records), events, consumer })
    }

    /// The safe client, for assignments. Never poll it: its queue is read here.
    pub fn consumer(&self) -> &BaseConsumer<Context> {
        &self.consumer
    }

    /// Takes records from the client's queue if none are left, waiting at most `wait` for the first.
    pub fn fill(&mut self, wait: Duration) {
        if !self.taken.0.is_empty() {
            return;
        }
        // The call waits until all it may take has come, so waiting is done for a single record.
        if self.take(1, wait) == 1 {
            self.take(TAKEN_MAX, Duration::ZERO);
        }
    }

    fn take(&mut self, count_max: usize, wait: Duration) -> usize {
        let mut buffer = [ptr::null_mut(); TAKEN_MAX];
        let room = &mut buffer[..count_max];
        // SAFETY: the queue is alive and `room` has space for as many pointers as we say. Nothing subscribes, so no
        // rebalance can be served here, and commits answer on the events queue.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.records.0.as_ptr(),
                millis(wait),
                room.as_mut_ptr(),
                room.len(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        self.taken.0.extend(room[..count].iter().filter_map(|message| NonNull::new(*message)));
        count
    }

    /// The first fetched record, if any.
    pub fn front(&self) -> Option<Record<'_>> {
        // SAFETY: records in the deque are alive, and the borrow of `self` keeps them there.
        self.taken.0.front().map(|message| Record(unsafe { message.as_ref() }))
    }

    /// Frees the first fetched record.
    pub fn pop(&mut self) {
        self.taken.pop();
    }

    /// The number of records in the client's queue, without those already taken.
    pub fn queued(&self) -> usize {
        // SAFETY: the queue is alive.
        unsafe { sys::rd_kafka_queue_length(self.records.0.as_ptr()) }
    }

    /// Commits these offsets for the group; the result arrives as a [`ClientEvent`].
    ///
    /// # Errors
    /// When the request could not be made.
    pub fn commit(&self, offsets: &TopicPartitionList) -> Result<(), RDKafkaErrorCode> {
        // SAFETY: client, list and queue are alive; the list is copied; no callback is given.
        let code = unsafe {
            sys::rd_kafka_commit_queue(
                self.consumer.client().native_ptr(),
                offsets.ptr(),
                self.events.0.as_ptr(),
                None,
                ptr::null_mut(),
            )
        };
        if code.is_error() { Err(code.into()) } else { Ok(()) }
    }

    /// The next client event, if there is one. The new id of a topic is reported before any record fetched under it, so
    /// whoever reads all events after [`Fetcher::fill`] knows it before reading the records.
    pub fn client_event(&self) -> Option<ClientEvent> {
        while let Some(event) = self.events.poll(Duration::ZERO) {
            let event = event.0.as_ptr();
            // SAFETY: the event is alive until the end of this turn, and so are the texts it lends.
            unsafe {
                match sys::rd_kafka_event_type(event) {
                    sys::RD_KAFKA_EVENT_OFFSET_COMMIT => {
                        let code = sys::rd_kafka_event_error(event);
                        return Some(ClientEvent::Committed(if code.is_error() {
                            Err(code.into())
                        } else {
                            Ok(())
                        }));
                    }
                    sys::RD_KAFKA_EVENT_LOG => {
                        let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                        if sys::rd_kafka_event_log(event, &raw mut facility, &raw mut line, &raw mut level)
                            != 0
                        {
                            continue;
                        }
                        let (facility, line) = (text(facility), text(line));
                        log(level, &facility, &line);
                        if level < 5 {
                            return Some(ClientEvent::ErrorLogged(format!("{facility}: {line}")));
                        }
                        if level == LEVEL_DEBUG
                            && let Some((topic, id)) = changed_id(&line)
                        {
                            return Some(ClientEvent::TopicId { topic: topic.to_owned(), id });
                        }
                    }
                    _ => {}
                }
            }
        }
        None
    }
}

/// Parses `Topic T changed id from A to B`, which the client logs whenever its fetches use another id, the first one
/// included. The client reports it nowhere else; the broker tests fail if the line changes.
fn changed_id(line: &str) -> Option<(&str, TopicId)> {
    let (before, after) = line.split_once(" changed id from ")?;
    let topic = before.rsplit_once("Topic ").map_or(before, |(_, topic)| topic);
    let (_, id) = after.split_once(" to ")?;
    Some((topic, TopicId::new(id.trim())))
}

/// # Safety
/// `chars` is null or a C string that outlives the call.
unsafe fn text(chars: *const c_char) -> String {
    if chars.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(chars) }.to_string_lossy().into_owned()
}

/// The content of one entry of the queue.
#[derive(Debug)]
pub enum Content<'a> {
    /// The value of a record; `None` for a tombstone.
    Value(Option<&'a [u8]>),
    /// The end of the partition; the offset is the one to be read next.
    End,
    /// The partition cannot be read: error code and reason.
    Failed(RDKafkaErrorCode, String),
}

/// One record or error, borrowed from [`Fetcher::front`].
pub struct Record<'a>(&'a sys::RDKafkaMessage);

impl<'a> Record<'a> {
    /// The value, the end of the partition or the error.
    pub fn content(&self) -> Content<'a> {
        let message = self.0;
        // SAFETY: payload and length describe memory that the record owns; both are null or zero together.
        let bytes = (!message.payload.is_null())
            .then(|| unsafe { std::slice::from_raw_parts(message.payload.cast::<u8>(), message.len) });
        match message.err {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Content::Value(bytes),
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => Content::End,
            code => Content::Failed(
                code.into(),
                bytes.map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default(),
            ),
        }
    }

    /// The name of the topic; empty for an error of the whole client.
    pub fn topic(&self) -> &'a str {
        if self.0.rkt.is_null() {
            return "";
        }
        // SAFETY: the record holds a reference to its topic, whose name lives as long and is ASCII by Kafka's rules.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.0.rkt)) }.to_str().unwrap_or("")
    }

    /// A handle that is equal for records of one topic while the client lives, cheaper to compare than the name.
    pub fn topic_handle(&self) -> usize {
        self.0.rkt.addr()
    }

    /// The number of the partition.
    pub fn partition(&self) -> i32 {
        self.0.partition
    }

    /// The offset of the record in its partition.
    pub fn offset(&self) -> i64 {
        self.0.offset
    }

    /// The leader epoch under which the record was written; -1 when the broker gave none.
    pub fn leader_epoch(&self) -> i32 {
        // SAFETY: the record is alive.
        unsafe { sys::rd_kafka_message_leader_epoch(self.0) }
    }
}

/// Sets the leader epoch of the element at `index`, so that the client checks whether the log was truncated below the offset.
pub fn set_leader_epoch(list: &mut TopicPartitionList, index: usize, epoch: i32) {
    assert!(index < list.count(), "element {index} of {}", list.count());
    // SAFETY: the list is alive, holds `cnt` elements at `elems`, and `index` lies below as just checked.
    unsafe {
        let elements = (*list.ptr()).elems;
        sys::rd_kafka_topic_partition_set_leader_epoch(elements.add(index), epoch);
    }
}

/// The ids and partition counts of topics, in the order given; an error for a topic that the broker does not have.
///
/// # Errors
/// When the broker did not answer within `wait`.
pub fn describe_topics<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topics: &[String],
    wait: Duration,
) -> Result<Vec<Description>, RDKafkaErrorCode> {
    let client = consumer.client().native_ptr();
    let queue = Queue::new(client);
    let names: Vec<CString> = topics
        .iter()
        .map(|topic| CString::new(topic.as_str()).map_err(|_| RDKafkaErrorCode::InvalidTopic))
        .collect::<Result<_, _>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the names outlive the call, which copies them, as the request copies the collection.
    unsafe {
        let collection = sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        sys::rd_kafka_DescribeTopics(client, collection, ptr::null(), queue.0.as_ptr());
        sys::rd_kafka_TopicCollection_destroy(collection);
    }
    let event = queue.poll(wait).ok_or(RDKafkaErrorCode::OperationTimedOut)?;
    let event = event.0.as_ptr();
    // SAFETY: everything read belongs to the event, which lives until the end of the function.
    unsafe {
        let code = sys::rd_kafka_event_error(event);
        if code.is_error() {
            return Err(code.into());
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let mut count = 0;
        let descriptions = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        Ok((0..count).map(|index| described(*descriptions.add(index))).collect())
    }
}

/// # Safety
/// `description` belongs to a live event.
unsafe fn described(description: *const sys::bindings::rd_kafka_TopicDescription_t) -> Description {
    // SAFETY: the caller's promise; ids and texts live as long as the event.
    unsafe {
        let name = text(sys::rd_kafka_TopicDescription_name(description));
        let code = sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(description));
        if code.is_error() {
            return (name, Err(code.into()));
        }
        let mut partitions = 0;
        sys::rd_kafka_TopicDescription_partitions(description, &raw mut partitions);
        let id = sys::rd_kafka_Uuid_base64str(sys::rd_kafka_TopicDescription_topic_id(description));
        let partitions = i32::try_from(partitions).expect("Kafka numbers partitions with i32");
        (name, Ok(Described { id: TopicId::new(&text(id)), partitions }))
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::config::FromClientConfig;
    use rdkafka::topic_partition_list::Offset;

    use super::*;

    #[test]
    fn the_line_about_a_changed_id_is_read() {
        let line = "[thrd:main]: Topic a.b changed id from AAAAAAAAAAAAAAAAAAAAAA to k+/dznwpThOFkvNWSIwDgA";
        let (topic, id) = changed_id(line).unwrap();
        assert_eq!((topic, id.as_str()), ("a.b", "k-_dznwpThOFkvNWSIwDgA"));
        assert!(changed_id("[thrd:main]: Topic a partition count changed from 1 to 2").is_none());
    }

    #[test]
    fn both_alphabets_of_base64_name_the_same_id() {
        assert_eq!(TopicId::new("k+/dznwpThOFkvNWSIwDgA=="), TopicId::new("k-_dznwpThOFkvNWSIwDgA"));
    }

    #[test]
    fn an_epoch_set_in_a_list_stays_with_its_element() {
        let mut list = TopicPartitionList::new();
        for partition in 0..3 {
            list.add_partition_offset("t", partition, Offset::Offset(7)).unwrap();
        }
        set_leader_epoch(&mut list, 1, 42);
        // SAFETY: the list is alive and has three elements.
        let epochs: Vec<i32> = (0..3)
            .map(|index| unsafe {
                sys::rd_kafka_topic_partition_get_leader_epoch((*list.ptr()).elems.add(index))
            })
            .collect();
        assert_eq!(epochs, [-1, 42, -1]);
    }

    #[test]
    fn asking_nobody_for_topics_is_an_error_and_not_a_wait() {
        let consumer =
            BaseConsumer::from_config(ClientConfig::new().set("bootstrap.servers", "127.0.0.1:1")).unwrap();
        let answer = describe_topics(&consumer, &["t".to_owned()], Duration::from_millis(50));
        assert_eq!(answer, Err(RDKafkaErrorCode::OperationTimedOut));
    }

    #[test]
    fn a_feed_without_a_broker_gives_nothing_and_closes() {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set("group.id", "g");
        let mut fetcher = Fetcher::open(&config).unwrap();
        fetcher.fill(Duration::from_millis(10));
        assert!(fetcher.front().is_none());
        assert_eq!(fetcher.queued(), 0);
    }
}
