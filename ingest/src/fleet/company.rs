//! Invents companies: name, size, country, industry and account manager.

use super::scenario::Scenario;
use super::season::{COUNTRIES, Country, Rhythm};
use crate::random::Random;

/// Fewest usage and value events of a week without holidays.
pub(super) const WEEKLY_EVENTS_MIN: f64 = 3.0;
/// Standard deviation of the logarithm of the weekly events.
const WEEKLY_EVENTS_SPREAD: f64 = 1.5;

const FIRST_WORDS: [&str; 48] = [
    "Amber", "Anvil", "Birch", "Bluefin", "Bright", "Cedar", "Cinder", "Clear", "Cobalt", "Copper", "Coral",
    "Crane", "Delta", "Drift", "Ember", "Falcon", "Fern", "Flint", "Garnet", "Granite", "Harbour", "Hazel",
    "Heron", "Indigo", "Iron", "Juniper", "Kestrel", "Lantern", "Larch", "Linden", "Maple", "Marble",
    "Meadow", "North", "Oak", "Opal", "Osprey", "Pine", "Quartz", "Raven", "Ridge", "Sable", "Slate",
    "Sparrow", "Summit", "Thistle", "Umber", "Willow",
];
const SECOND_WORDS: [&str; 36] = [
    "Analytics",
    "Apparel",
    "Automation",
    "Biotech",
    "Brewing",
    "Capital",
    "Ceramics",
    "Clinics",
    "Dairy",
    "Design",
    "Devices",
    "Dynamics",
    "Energy",
    "Foods",
    "Freight",
    "Games",
    "Health",
    "Hotels",
    "Instruments",
    "Insurance",
    "Learning",
    "Logistics",
    "Marine",
    "Media",
    "Mobility",
    "Motors",
    "Optics",
    "Packaging",
    "Pharma",
    "Press",
    "Robotics",
    "Seeds",
    "Software",
    "Telecom",
    "Textiles",
    "Timber",
];
const INDUSTRIES: [&str; 8] =
    ["manufacturing", "software", "retail", "healthcare", "finance", "transport", "media", "energy"];
const MANAGERS: [&str; 8] = [
    "mira.tanaka",
    "jonas.weber",
    "amelie.roche",
    "oliver.hughes",
    "sofia.lindqvist",
    "daniel.ortega",
    "priya.nair",
    "lucas.devries",
];
const GIVEN_NAMES: [&str; 40] = [
    "ada", "alba", "anton", "bela", "bo", "cara", "carl", "dina", "edgar", "elif", "emil", "erik", "fay",
    "felix", "gia", "hana", "hugo", "ida", "ivan", "jana", "joel", "kai", "karin", "lena", "leo", "lina",
    "maja", "marco", "nils", "noor", "olga", "otto", "paula", "rafael", "rosa", "samir", "tara", "theo",
    "vera", "yuki",
];
const FAMILY_NAMES: [&str; 45] = [
    "abel", "adler", "baker", "bauer", "berg", "blanc", "cole", "costa", "dahl", "diaz", "ekberg", "evans",
    "falk", "ferrari", "fischer", "garcia", "grant", "haas", "hill", "ito", "jansen", "jensen", "keller",
    "kim", "klein", "lang", "lopez", "lund", "marsh", "meyer", "mori", "novak", "olsen", "park", "petit",
    "reed", "rossi", "sato", "silva", "stein", "torres", "vidal", "wolf", "young", "zhang",
];

/// An invented company, the customer behind one account.
#[derive(Clone, Debug)]
pub(super) struct Company {
    /// The account's id: the name in lower case with hyphens.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) country: Country,
    /// The index of its country in [`COUNTRIES`].
    pub(super) country_no: usize,
    pub(super) industry: &'static str,
    pub(super) rhythm: Rhythm,
    pub(super) weekly_events: f64,
    pub(super) people: u32,
    pub(super) seats: u32,
    /// The vendor's account manager who looks after it.
    pub(super) manager: &'static str,
}

impl Company {
    /// The company with this number. Names are distinct within a seed; past 1,728 they carry a number.
    pub(super) fn generate(
        seed: u64,
        number: usize,
        scenario: Scenario,
        weekly_median: f64,
        weekly_max: f64,
    ) -> Self {
        let mut random = Random::keyed(&[seed, number as u64, 2]);
        let combinations = FIRST_WORDS.len() * SECOND_WORDS.len();
        // 1,111 has no factor in common with the number of combinations, so each comes once.
        let combination =
            (number * 1_111 + Random::keyed(&[seed, 3]).below(combinations as u64) as usize) % combinations;
        let (first, second) =
            (FIRST_WORDS[combination % FIRST_WORDS.len()], SECOND_WORDS[combination / FIRST_WORDS.len()]);
        let ordinal = match number / combinations {
            0 => String::new(),
            round => format!(" {}", round + 1),
        };
        let country_no = random.weighted(&[26, 20, 14, 12, 10, 8, 6, 4]);
        let country = COUNTRIES[country_no];
        let rhythm = Rhythm::SHARES[random.weighted(&Rhythm::SHARES.map(|(_, share)| share))].0;
        let weekly_events =
            random.log_normal(weekly_median, WEEKLY_EVENTS_SPREAD).clamp(WEEKLY_EVENTS_MIN, weekly_max);
        let people = match rhythm {
            Rhythm::Machine => 2.0 + weekly_events / 2_000.0,
            Rhythm::Consumer => 1.0 + weekly_events / 5.0,
            Rhythm::Business | Rhythm::Sporadic => 1.0 + weekly_events / 9.0,
        };
        // An account whose key user leaves needs somebody to stay.
        let people = (people as u32).max(if scenario == Scenario::KeyUserLeaves { 3 } else { 1 });
        Self {
            id: format!("{first}-{second}{ordinal}").to_ascii_lowercase().replace(' ', "-"),
            name: format!("{first} {second}{ordinal} {}", country.form),
            country,
            country_no,
            industry: random.pick(&INDUSTRIES),
            rhythm,
            weekly_events,
            people,
            seats: people + people.div_ceil(3),
            manager: random.pick(&MANAGERS),
        }
    }

    pub(super) fn tier(&self) -> &'static str {
        match self.seats {
            40.. => "A",
            10..40 => "B",
            _ => "C",
        }
    }

    pub(super) fn segment(&self) -> &'static str {
        match self.seats {
            40.. => "enterprise",
            10..40 => "mid-market",
            _ => "small-business",
        }
    }

    /// Another account manager than its own, drawn at random.
    pub(super) fn other_manager(&self, random: &mut Random) -> &'static str {
        let others: Vec<&'static str> =
            MANAGERS.into_iter().filter(|manager| *manager != self.manager).collect();
        random.pick(&others)
    }
}

/// Appends the user id of a company's `number`-th person.
pub(super) fn push_person(number: u32, out: &mut Vec<u8>) {
    let combinations = (GIVEN_NAMES.len() * FAMILY_NAMES.len()) as u32;
    // 1,009 is prime: neighbours in number share neither name.
    let combination = ((u64::from(number) * 1_009) % u64::from(combinations)) as usize;
    out.extend_from_slice(GIVEN_NAMES[combination % GIVEN_NAMES.len()].as_bytes());
    out.push(b'.');
    out.extend_from_slice(FAMILY_NAMES[combination / GIVEN_NAMES.len()].as_bytes());
    if number >= combinations {
        out.extend_from_slice((number / combinations + 1).to_string().as_bytes());
    }
}

/// The user id of a company's `number`-th person.
pub(super) fn person(number: u32) -> String {
    let mut name = Vec::new();
    push_person(number, &mut name);
    String::from_utf8(name).expect("names are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn accounts_and_people_have_names_of_their_own() {
        let ids: BTreeSet<String> =
            (0..4_000).map(|number| Company::generate(9, number, Scenario::Steady, 100.0, 1e4).id).collect();
        assert_eq!(ids.len(), 4_000);
        let people: BTreeSet<String> = (0..4_000).map(person).collect();
        assert_eq!(people.len(), 4_000);
    }

    #[test]
    fn sizes_spread_from_three_a_week_to_very_busy() {
        let sizes =
            (0..2_000).map(|number| Company::generate(1, number, Scenario::Steady, 100.0, 5e3).weekly_events);
        let (least, most) =
            sizes.fold((f64::MAX, 0.0_f64), |(least, most), size| (least.min(size), most.max(size)));
        assert_eq!(least, WEEKLY_EVENTS_MIN);
        assert!(most > 4_000.0, "{most}");
    }
}
