//! How usage varies over the year: weekends, public holidays and the quiet days around Christmas.

use jiff::civil::{Date, Weekday};

/// A country, with the time zone, currency and public holidays of its companies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Country {
    /// The ISO 3166 code, two letters.
    pub(super) code: &'static str,
    /// The vendor's sales region: EMEA, AMER or APAC.
    pub(super) region: &'static str,
    /// The IANA name of its time zone.
    pub(super) zone: &'static str,
    /// The ISO 4217 code of its currency.
    pub(super) currency: &'static str,
    /// The legal form at the end of a company's name.
    pub(super) form: &'static str,
    /// Public holidays on the same date every year: (month, day).
    fixed: &'static [(i8, i8)],
    /// Public holidays in days from Easter Sunday.
    from_easter: &'static [i32],
}

/// The countries of the fleet's companies.
pub(super) const COUNTRIES: [Country; 8] = [
    Country {
        code: "DE",
        region: "EMEA",
        zone: "Europe/Berlin",
        currency: "EUR",
        form: "GmbH",
        fixed: &[(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)],
        from_easter: &[-2, 1, 39, 50],
    },
    Country {
        code: "US",
        region: "AMER",
        zone: "America/New_York",
        currency: "USD",
        form: "Inc.",
        fixed: &[(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)],
        from_easter: &[],
    },
    Country {
        code: "GB",
        region: "EMEA",
        zone: "Europe/London",
        currency: "GBP",
        form: "Ltd",
        fixed: &[(1, 1), (12, 25), (12, 26)],
        from_easter: &[-2, 1],
    },
    Country {
        code: "FR",
        region: "EMEA",
        zone: "Europe/Paris",
        currency: "EUR",
        form: "SAS",
        fixed: &[(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)],
        from_easter: &[1, 39, 50],
    },
    Country {
        code: "NL",
        region: "EMEA",
        zone: "Europe/Amsterdam",
        currency: "EUR",
        form: "BV",
        fixed: &[(1, 1), (4, 27), (12, 25), (12, 26)],
        from_easter: &[1, 39, 50],
    },
    Country {
        code: "JP",
        region: "APAC",
        zone: "Asia/Tokyo",
        currency: "JPY",
        form: "KK",
        fixed: &[(1, 1), (2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (11, 3), (11, 23)],
        from_easter: &[],
    },
    Country {
        code: "US",
        region: "AMER",
        zone: "America/Los_Angeles",
        currency: "USD",
        form: "LLC",
        fixed: &[(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)],
        from_easter: &[],
    },
    Country {
        code: "SE",
        region: "EMEA",
        zone: "Europe/Stockholm",
        currency: "SEK",
        form: "AB",
        fixed: &[(1, 1), (1, 6), (5, 1), (6, 6), (12, 25), (12, 26)],
        from_easter: &[-2, 1, 39],
    },
];

/// How a customer's usage is spread over the week and the day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rhythm {
    /// Offices: Monday to Friday in working hours.
    Business,
    /// People at home: evenings and weekends.
    Consumer,
    /// Programs: every hour of every day alike.
    Machine,
    /// A few days a month, and then a lot.
    Sporadic,
}

/// Share of days on which a sporadic account uses the product at all.
pub(super) const SPORADIC_SHARE: f64 = 0.2;

impl Rhythm {
    /// Every rhythm with its share of the fleet.
    pub(super) const SHARES: [(Self, u32); 4] =
        [(Self::Business, 60), (Self::Consumer, 15), (Self::Machine, 13), (Self::Sporadic, 12)];

    /// Usage of this day as a multiple of the average day of a week without holidays.
    pub(super) fn factor(self, day: Date, country: Country) -> f64 {
        let weekday = usize::from(day.weekday().to_monday_zero_offset() as u8);
        let week: [f64; 7] = match self {
            Self::Business => [1.4, 1.5, 1.5, 1.4, 1.1, 0.05, 0.05],
            Self::Consumer => [0.8, 0.8, 0.8, 0.9, 1.1, 1.35, 1.25],
            Self::Machine => [1.0; 7],
            Self::Sporadic => [1.3, 1.4, 1.4, 1.4, 1.3, 0.1, 0.1],
        };
        let holiday = if is_holiday(day, country) { self.on_holidays() } else { 1.0 };
        let lull = if is_christmas_lull(day) { self.at_christmas() } else { 1.0 };
        week[weekday] * holiday.min(lull)
    }

    fn on_holidays(self) -> f64 {
        match self {
            Self::Business | Self::Sporadic => 0.06,
            Self::Consumer | Self::Machine => 1.0,
        }
    }

    fn at_christmas(self) -> f64 {
        match self {
            Self::Business | Self::Sporadic => 0.3,
            Self::Consumer => 0.7,
            Self::Machine => 0.9,
        }
    }

    /// Relative usage of the 24 hours of the local day.
    pub(super) fn hours(self) -> [u32; 24] {
        match self {
            Self::Business | Self::Sporadic => {
                [0, 0, 0, 0, 0, 0, 1, 4, 10, 14, 15, 13, 7, 11, 14, 13, 10, 5, 2, 1, 1, 0, 0, 0]
            }
            Self::Consumer => [1, 0, 0, 0, 0, 1, 2, 4, 4, 4, 4, 5, 6, 5, 4, 4, 5, 7, 10, 13, 14, 12, 7, 3],
            Self::Machine => [1; 24],
        }
    }
}

/// Whether the day is a public holiday in the country.
pub(super) fn is_holiday(day: Date, country: Country) -> bool {
    country.fixed.contains(&(day.month(), day.day()))
        || country.from_easter.contains(&(epoch_day(day) - epoch_day(easter(day.year()))))
        || (country.code == "US" && is_thanksgiving(day))
}

/// Whether the day lies in the quiet days from 23 December to 2 January.
pub(super) fn is_christmas_lull(day: Date) -> bool {
    (day.month() == 12 && day.day() >= 23) || (day.month() == 1 && day.day() <= 2)
}

fn is_thanksgiving(day: Date) -> bool {
    day.month() == 11 && day.weekday() == Weekday::Thursday && (22..=28).contains(&day.day())
}

/// Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876).
fn easter(year: i16) -> Date {
    let year = i32::from(year);
    let (golden, century, of_century) = (year % 19, year / 100, year % 100);
    let correction = (century + 8) / 25;
    let epact = (19 * golden + century - century / 4 - (century - correction + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let shifted = epact + weekday - 7 * late + 114;
    Date::new(year as i16, (shifted / 31) as i8, (shifted % 31 + 1) as i8)
        .expect("Easter lies in March or April")
}

/// The number of days since 1970-01-01.
pub(super) fn epoch_day(day: Date) -> i32 {
    (day - Date::constant(1970, 1, 1)).get_days()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn easter_falls_where_the_tables_say() {
        for day in [date(2024, 3, 31), date(2025, 4, 20), date(2026, 4, 5), date(2038, 4, 25)] {
            assert_eq!(easter(day.year()), day);
        }
    }

    #[test]
    fn a_plain_week_averages_one() {
        for (rhythm, _) in Rhythm::SHARES {
            let week = (8..15).map(|day| rhythm.factor(date(2025, 9, day), COUNTRIES[0])).sum::<f64>();
            assert!((week / 7.0 - 1.0).abs() < 0.01, "{rhythm:?}: {week}");
        }
    }

    #[test]
    fn offices_rest_on_their_own_holidays() {
        let unity = date(2025, 10, 3);
        assert!(Rhythm::Business.factor(unity, COUNTRIES[0]) < 0.1);
        assert!(Rhythm::Business.factor(unity, COUNTRIES[1]) > 1.0);
        assert!(is_holiday(date(2025, 11, 27), COUNTRIES[1]));
    }
}
