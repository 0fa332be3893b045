//! Reads the events of some accounts out of a frame, and tells which accounts its sub-blocks are about, without decoding
//! the rest.

use tidewatch_projections::event::Event;
use tidewatch_projections::names::{Names, Symbol};

use super::bytes::{Bytes, Malformed, malformed};
use super::dictionary::{SparseDictionary, split_texts};
use super::entry::pass_other;
use super::event::{Before, EventHead, KIND_EVENT, KIND_MASK, take_event};
use super::frame::{FrameHeader, RawFrame, SubBlock, inflate_sub_block};

/// The events of some accounts in a frame, in the order of their sequences.
#[derive(Clone, PartialEq, Debug)]
pub struct Excerpt {
    /// What the whole frame says about itself.
    pub header: FrameHeader,
    /// Events with their sequences.
    pub events: Vec<(u64, Event)>,
}

/// What an account is looked up by: the CRC-32C of its id. Accounts that share one cost a reader some time and are told
/// apart by their ids.
pub(crate) fn account_key(id: &[u8]) -> u32 {
    crc32c::crc32c(id)
}

/// So few accounts are compared with each string of a frame; lengths differ mostly, which is less work than a checksum.
const COMPARED_MAX: usize = 8;

/// The accounts whose events are sought, by id.
pub(crate) struct SoughtAccounts<'a> {
    /// Sorted by key.
    accounts: Vec<(u32, &'a str)>,
}

impl<'a> SoughtAccounts<'a> {
    /// These accounts of a table of names.
    pub(crate) fn new(names: &'a Names, accounts: &[Symbol]) -> Self {
        let text = |account: &Symbol| names.text(*account);
        let mut accounts: Vec<_> =
            accounts.iter().map(text).map(|id| (account_key(id.as_bytes()), id)).collect();
        accounts.sort_unstable();
        accounts.dedup();
        Self { accounts }
    }

    /// What they are looked up by, sorted.
    pub(crate) fn keys(&self) -> Vec<u32> {
        let mut keys: Vec<u32> = self.accounts.iter().map(|(key, _)| *key).collect();
        keys.dedup();
        keys
    }

    fn contain(&self, id: &[u8]) -> bool {
        if self.accounts.len() <= COMPARED_MAX {
            return self.accounts.iter().any(|(_, other)| other.as_bytes() == id);
        }
        let key = account_key(id);
        let from = self.accounts.partition_point(|(other, _)| *other < key);
        self.accounts[from..]
            .iter()
            .take_while(|(other, _)| *other == key)
            .any(|(_, other)| other.as_bytes() == id)
    }
}

impl RawFrame {
    /// Calls `each` with every sub-block, by its place in the frame, and the id of every account that an event in it names;
    /// once for each pair.
    pub(crate) fn each_account(&self, mut each: impl FnMut(u32, &[u8])) -> Result<(), Malformed> {
        let dictionary = self.dictionary_texts()?;
        let texts = split_texts(&dictionary)?;
        // By number in the dictionary: the place of the last sub-block that named it, and one; 0 for none.
        let mut named_by = vec![0; texts.len()];
        let mut raw = Vec::new();
        for (place, sub_block) in (0u32..).zip(self.sub_blocks()) {
            each_event(&sub_block?, &mut raw, |head, _, _| {
                if let Some(number) = head.account {
                    let Some(last) = named_by.get_mut(number) else { return malformed("account") };
                    if std::mem::replace(last, place + 1) != place + 1 {
                        each(place, texts[number]);
                    }
                }
                Ok(Taken::No)
            })?;
        }
        Ok(())
    }

    /// The events of these accounts, from the sub-blocks at these places or from all.
    pub(crate) fn events_of(
        &self,
        names: &Names,
        sought: &SoughtAccounts<'_>,
        places: Option<&[u32]>,
    ) -> Result<Vec<(u64, Event)>, Malformed> {
        let mut events = Vec::new();
        let dictionary = self.dictionary_texts()?;
        let texts = split_texts(&dictionary)?;
        let is_sought: Vec<bool> = texts.iter().map(|text| sought.contain(text)).collect();
        if !is_sought.contains(&true) {
            return Ok(events);
        }
        let dictionary = SparseDictionary::new(texts, names);
        let mut raw = Vec::new();
        for (place, sub_block) in (0u32..).zip(self.sub_blocks()) {
            let sub_block = sub_block?;
            if places.is_some_and(|places| places.binary_search(&place).is_err()) {
                continue;
            }
            let first_seq = self.header.first_seq + u64::from(sub_block.first_index);
            each_event(&sub_block, &mut raw, |head, index, (tag, bytes, before)| {
                if head.account.is_none_or(|number| is_sought.get(number) != Some(&true)) {
                    return Ok(Taken::No);
                }
                let event = take_event(tag, bytes, &dictionary, before)?;
                events.push((first_seq + u64::from(index), event));
                Ok(Taken::Yes)
            })?;
        }
        Ok(events)
    }
}

/// Whether an event was decoded, or is still to be passed over.
enum Taken {
    Yes,
    No,
}

/// Calls `each` with the beginning of every event, its index in the sub-block, and what it takes to decode it.
fn each_event(
    sub_block: &SubBlock<'_>,
    raw: &mut Vec<u8>,
    mut each: impl FnMut(&EventHead<'_>, u32, (u8, &mut Bytes<'_>, &mut Before)) -> Result<Taken, Malformed>,
) -> Result<(), Malformed> {
    inflate_sub_block(sub_block, raw)?;
    let mut bytes = Bytes::new(raw);
    let mut before = Before::default();
    for index in 0..sub_block.count {
        let tag = bytes.byte("entry kind")?;
        if tag & KIND_MASK != KIND_EVENT {
            pass_other(tag, &mut bytes)?;
            continue;
        }
        let head = EventHead::read(tag, bytes)?;
        if let Taken::No = each(&head, index, (tag, &mut bytes, &mut before))? {
            bytes = head.pass(&mut before)?;
        }
    }
    if bytes.is_empty() { Ok(()) } else { malformed("end of a sub-block") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tidewatch_ingest::batch::Origin;
    use tidewatch_ingest::reject::Reason;
    use tidewatch_projections::decimal::Decimal;
    use tidewatch_projections::event::{Actor, Currency, Money, Subject};
    use tidewatch_projections::value::Value;
    use tidewatch_projections::vocabulary::EventType;

    use super::*;
    use crate::storage::log::builder::{FrameBuilder, FrameEncoder};
    use crate::storage::log::entry::{DeadLetter, Entry};
    use crate::storage::log::frame::FORMAT;

    const ACCOUNTS: u32 = 6;

    /// An event with whatever an event may have, as these bits say.
    fn event(names: &Names, number: u32, bits: u32) -> Event {
        let has = |bit: u32| bits >> bit & 1 == 1;
        let symbol = |bit: u32, text: &str| has(bit).then(|| names.intern(text));
        let account = names.intern(&format!("account-{}", bits % ACCOUNTS));
        let ids = [
            format!("{number}"),
            format!("event-{number}"),
            format!("{number:032x}"),
            format!("{number:08x}-0000-4000-8000-000000000000"),
        ];
        Event {
            source: names.intern("web"),
            generation: u32::from(has(3)) * 2,
            id: ids[(bits >> 4 & 3) as usize].as_str().into(),
            subject: match bits >> 6 & 7 {
                0 => Subject::User,
                1 => Subject::Ref { system: names.intern("crm"), id: account },
                _ => Subject::Account(account),
            },
            user: symbol(9, "user"),
            actor: Actor::Person,
            product: symbol(10, "product"),
            kind: if has(11) { EventType::Usage } else { EventType::Other(names.intern("moved")) },
            occurred_at: i64::from(bits) * 1_000,
            quantity: has(12).then_some(i64::from(number) * 500_000),
            amount: has(13).then(|| Money { minor: -5, currency: Currency::from_code("EUR").unwrap() }),
            feature: symbol(14, "export"),
            metric: symbol(15, "files"),
            properties: match bits >> 16 & 3 {
                0 => Vec::new(),
                1 => vec![(names.intern("size"), Value::Number(Decimal::new(12_345, -2)))],
                _ => vec![
                    (names.intern("list"), Value::List(vec![Value::Null, Value::Text("a".into())])),
                    (names.intern("object"), Value::Object(vec![("key".into(), Value::Bool(true))])),
                ],
            },
            unknown: if has(18) { b"{\"more\":1}".as_slice().into() } else { Box::default() },
        }
    }

    fn frame(names: &Arc<Names>, entries: &[u32]) -> RawFrame {
        let mut builder = FrameBuilder::new(Arc::clone(names), 11);
        for (number, bits) in (0..).zip(entries) {
            match bits % 13 {
                0 => {
                    builder.push_control(7, &bits.to_le_bytes()).unwrap();
                }
                1 => {
                    let digest = names.intern("digest");
                    let letter = DeadLetter {
                        source: names.intern("web"),
                        reason: Reason::ALL[0],
                        detail: "it is none".into(),
                        origin: Origin::Line { digest, line: 9 },
                        original: bits.to_le_bytes().into(),
                        whole_bytes: 4 + u64::from(bits % 2),
                        at: 5,
                    };
                    builder.push_dead_letter(&letter).unwrap();
                }
                _ => {
                    builder.push_event(&event(names, number, *bits)).unwrap();
                }
            }
        }
        let sealed = builder.seal(99);
        let header = FrameHeader {
            format: FORMAT,
            flags: 0,
            shard: 0,
            lineage: 1,
            frame_no: 1,
            first_seq: sealed.first_seq,
            count: sealed.count,
            previous_crc: 0,
            recorded_at: sealed.recorded_at,
            event_span: None,
            synced_to: 0,
            offset: 0,
            checkpoints_len: 0,
            dictionary_len: 0,
            dictionary_raw_len: 0,
            block_len: 0,
        };
        let mut encoder = FrameEncoder::new();
        encoder.encode(&sealed, &sealed.progress, header);
        let header = FrameHeader::decode(encoder.bytes.first_chunk().unwrap()).unwrap();
        RawFrame::check(header, encoder.bytes, false).unwrap()
    }

    proptest! {
        #[test]
        fn an_excerpt_holds_what_the_whole_frame_holds_of_its_accounts(
            entries in prop::collection::vec(any::<u32>(), 0..700),
            sought in prop::collection::vec(0..ACCOUNTS + 1, 0..3),
        ) {
            let names = Arc::new(Names::new());
            let frame = frame(&names, &entries);
            let sought: Vec<Symbol> =
                sought.iter().map(|number| names.intern(&format!("account-{number}"))).collect();
            let mut whole = Vec::new();
            frame.entries(&names, |seq, entry| {
                if let Entry::Event(event) = entry {
                    whole.push((seq, event));
                }
            }).unwrap();
            let is_sought = |event: &Event| event.account().is_some_and(|account| sought.contains(&account));
            let expected: Vec<_> = whole.iter().filter(|(_, event)| is_sought(event)).cloned().collect();

            let accounts = SoughtAccounts::new(&names, &sought);
            prop_assert_eq!(&frame.events_of(&names, &accounts, None).unwrap(), &expected);

            // The places that name the accounts are enough.
            let (mut places, mut named) = (Vec::new(), std::collections::BTreeSet::new());
            frame.each_account(|place, id| {
                let id = std::str::from_utf8(id).unwrap().to_owned();
                if sought.iter().any(|account| names.text(*account) == id) {
                    places.push(place);
                }
                assert!(named.insert((place, id)), "a pair is given once");
            }).unwrap();
            places.sort_unstable();
            places.dedup();
            prop_assert_eq!(frame.events_of(&names, &accounts, Some(&places)).unwrap(), expected);
            let told: std::collections::BTreeSet<&str> = named.iter().map(|(_, id)| id.as_str()).collect();
            let there: std::collections::BTreeSet<&str> =
                whole.iter().filter_map(|(_, event)| event.account()).map(|account| names.text(account)).collect();
            prop_assert_eq!(told, there);
        }
    }
}
