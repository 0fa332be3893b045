//! Places in a segment where events of an account lie, and how a list of them is stored.
//!
//! ```text
//! (offset of a frame − the one before) / 8 · (place of a sub-block − the one before) × 2 + 1 if another of the frame follows …
//! ```

use crate::storage::log::{Bytes, Malformed, malformed, put_varint};

/// Frames start at multiples of this.
const FRAME_ALIGN: u32 = 8;

/// A sub-block of a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    /// Where the frame starts in its segment.
    pub(super) offset: u32,
    /// The sub-block's place in the frame.
    pub(super) sub_block: u32,
}

/// The sub-blocks of one frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FramePlaces {
    pub(super) offset: u32,
    /// Sorted.
    pub(super) places: Vec<u32>,
}

impl FramePlaces {
    /// Sorted places, frame by frame.
    pub(super) fn of(places: &[Place]) -> impl Iterator<Item = Self> {
        places.chunk_by(|one, other| one.offset == other.offset).map(|frame| Self {
            offset: frame[0].offset,
            places: frame.iter().map(|place| place.sub_block).collect(),
        })
    }
}

/// Appends places, which are sorted and each there once.
pub(super) fn put_places(out: &mut Vec<u8>, places: &[Place]) {
    let mut offset = 0;
    for frame in places.chunk_by(|one, other| one.offset == other.offset) {
        put_varint(out, u64::from((frame[0].offset - offset) / FRAME_ALIGN));
        offset = frame[0].offset;
        let mut before = 0;
        for (at, place) in frame.iter().enumerate() {
            let has_more = u64::from(at + 1 < frame.len());
            put_varint(out, u64::from(place.sub_block - before) << 1 | has_more);
            before = place.sub_block;
        }
    }
}

/// Reads places as [`put_places`] wrote them.
pub(super) fn take_places(stored: &[u8], out: &mut Vec<Place>) -> Result<(), Malformed> {
    let mut bytes = Bytes::new(stored);
    let mut offset = 0u64;
    while !bytes.is_empty() {
        let step = bytes.varint("offset of a frame")?;
        offset = step
            .checked_mul(u64::from(FRAME_ALIGN))
            .and_then(|step| offset.checked_add(step))
            .unwrap_or(u64::MAX);
        let Ok(offset) = u32::try_from(offset) else { return malformed("offset of a frame") };
        let mut sub_block = 0u64;
        loop {
            let coded = bytes.varint("place of a sub-block")?;
            sub_block = sub_block.saturating_add(coded >> 1);
            let Ok(sub_block) = u32::try_from(sub_block) else { return malformed("place of a sub-block") };
            out.push(Place { offset, sub_block });
            if coded & 1 == 0 {
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_come_back(drawn in prop::collection::btree_set((0u32..1 << 28, 0u32..5), 0..40)) {
            let places: BTreeSet<Place> =
                drawn.iter().map(|(at, sub_block)| Place { offset: at * FRAME_ALIGN, sub_block: *sub_block }).collect();
            let places: Vec<Place> = places.into_iter().collect();
            let mut stored = Vec::new();
            put_places(&mut stored, &places);
            let mut back = Vec::new();
            take_places(&stored, &mut back).unwrap();
            prop_assert_eq!(&back, &places);
            let frames: Vec<Place> = FramePlaces::of(&places)
                .flat_map(|frame| frame.places.into_iter().map(move |sub_block| Place { offset: frame.offset, sub_block }))
                .collect();
            prop_assert_eq!(frames, places);
        }

        #[test]
        fn hostile_bytes_are_refused_or_read(stored in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut places = Vec::new();
            let _read = take_places(&stored, &mut places);
            prop_assert!(places.len() <= stored.len());
        }
    }
}
