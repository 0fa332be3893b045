//! Computes the keyed hash that identifies an event for deduplication.
//!
//! The hash is keyed with a secret of the data directory, so that nobody who chooses ids can choose collisions.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// The secret of a data directory.
pub type Secret = [u8; 16];

/// Computes deduplication keys for one tenant of one data directory.
#[derive(Clone)]
pub struct Identity {
    /// Has taken the tenant already.
    tenant: SipHasher13,
}

/// Keys of different kinds never meet.
#[derive(Clone, Copy)]
enum Kind {
    Event = 1,
    DeadLetter = 2,
}

impl Identity {
    /// The keys of `tenant` under the directory's secret.
    pub fn new(secret: &Secret, tenant: &str) -> Self {
        let mut hasher = SipHasher13::new_with_key(secret);
        text(&mut hasher, tenant.as_bytes());
        Self { tenant: hasher }
    }

    /// The key of an event: (tenant, source, generation, id).
    pub fn event(&self, source: &str, generation: u32, id: &str) -> u128 {
        self.key(Kind::Event, source, generation, id.as_bytes())
    }

    /// The key of a dead letter: (tenant, source, generation, original bytes). The same bytes twice are one dead letter;
    /// of a record that is cut the length of the whole counts too.
    pub fn dead_letter(&self, source: &str, generation: u32, kept: &[u8], whole_bytes: u64) -> u128 {
        let mut hasher = self.hasher(Kind::DeadLetter, source, generation, kept);
        if (kept.len() as u64) < whole_bytes {
            hasher.write(&whole_bytes.to_le_bytes());
        }
        hasher.finish128().as_u128()
    }

    fn key(&self, kind: Kind, source: &str, generation: u32, rest: &[u8]) -> u128 {
        self.hasher(kind, source, generation, rest).finish128().as_u128()
    }

    fn hasher(&self, kind: Kind, source: &str, generation: u32, rest: &[u8]) -> SipHasher13 {
        let mut hasher = self.tenant;
        hasher.write(&[kind as u8]);
        text(&mut hasher, source.as_bytes());
        hasher.write(&generation.to_le_bytes());
        text(&mut hasher, rest);
        hasher
    }
}

fn text(hasher: &mut SipHasher13, bytes: &[u8]) {
    hasher.write(&(bytes.len() as u64).to_le_bytes());
    hasher.write(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_identity_changes_its_key() {
        let identity = Identity::new(&[7; 16], "main");
        let keys = [
            identity.event("crm", 0, "1"),
            identity.event("crm", 1, "1"),
            identity.event("crm", 0, "2"),
            identity.event("cr", 0, "m1"),
            identity.dead_letter("crm", 0, b"1", 1),
            identity.dead_letter("crm", 0, b"1", 2),
            Identity::new(&[7; 16], "other").event("crm", 0, "1"),
            Identity::new(&[8; 16], "main").event("crm", 0, "1"),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "key {at} is not its own");
        }
        assert_eq!(keys[0], identity.event("crm", 0, "1"));
    }
}
