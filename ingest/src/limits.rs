//! Limits of one record, so that hostile or broken input costs bounded memory and becomes a dead letter.

use serde::{Deserialize, Serialize};

/// Limits that the decoders enforce. A record that exceeds one is rejected; the detail names the limit and the value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Longest record in bytes (1 MiB). Of a longer one the first bytes up to this limit are kept in the dead letter.
    pub record_bytes_max: usize,
    /// Deepest nesting of objects and lists, the record itself being 1 (16).
    pub depth_max: usize,
    /// Longest text of a property in bytes of UTF-8 (64 KiB).
    pub text_bytes_max: usize,
    /// Longest id, name or key in bytes of UTF-8 (512): source, id, account, user, product, type, feature, metric,
    /// reference, and every key of an object.
    pub id_bytes_max: usize,
    /// Most fields of one object (256).
    pub fields_max: usize,
    /// Most items of one list (4,096).
    pub items_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 1 << 20,
            depth_max: 16,
            text_bytes_max: 64 << 10,
            id_bytes_max: 512,
            fields_max: 256,
            items_max: 4096,
        }
    }
}

/// Largest `depth_max` that can be set: the parser recurses once per level.
pub const DEPTH_CEILING: usize = 64;
/// Largest `id_bytes_max` that can be set: ids are stored in the log's dictionaries.
pub const ID_BYTES_CEILING: usize = 64 << 10;
/// Largest `record_bytes_max` and `text_bytes_max` that can be set.
pub const RECORD_BYTES_CEILING: usize = 64 << 20;

/// A limit outside the range that the decoders can keep.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("limit {name} = {value} is outside {least} to {most}; choose a value inside")]
pub struct LimitOutOfRange {
    /// The name of the setting.
    pub name: &'static str,
    /// The value it was set to.
    pub value: usize,
    /// The least value allowed.
    pub least: usize,
    /// The greatest value allowed.
    pub most: usize,
}

impl Limits {
    /// Checks that every limit lies in its range.
    ///
    /// # Errors
    /// The first limit outside, with its range.
    pub fn check(&self) -> Result<(), LimitOutOfRange> {
        let ranges = [
            ("record_bytes_max", self.record_bytes_max, 64, RECORD_BYTES_CEILING),
            ("depth_max", self.depth_max, 3, DEPTH_CEILING),
            ("text_bytes_max", self.text_bytes_max, 64, RECORD_BYTES_CEILING),
            ("id_bytes_max", self.id_bytes_max, 64, ID_BYTES_CEILING),
            ("fields_max", self.fields_max, 16, 1 << 16),
            ("items_max", self.items_max, 1, 1 << 20),
        ];
        match ranges.into_iter().find(|(_, value, least, most)| value < least || value > most) {
            Some((name, value, least, most)) => Err(LimitOutOfRange { name, value, least, most }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_outside_its_range_is_named_with_the_range() {
        assert_eq!(Limits::default().check(), Ok(()));
        let error = Limits { depth_max: 65, ..Limits::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "limit depth_max = 65 is outside 3 to 64; choose a value inside");
    }
}
