//! Draws how the scores of the accounts of a table went over the last weeks, a character for each.

use tidewatch_projections::calendar::{Calendar, Day};
use tidewatch_projections::event::Micros;
use tidewatch_proto::v1;

use super::client::Client;
use crate::read::scan::AsOf;
use crate::serve::convert;
use crate::serve::paging::BATCH_ACCOUNTS_MAX;

/// Characters of a line: the ends of days a week apart, and the instant of the table itself.
const WEEKS: i64 = 8;
/// Rows of the longest table whose scores of the past are asked for.
const ROWS_MAX: usize = 1_000;
/// What the column is called.
pub(super) const HEADER: &str = "8 weeks";

/// One account of a table.
pub(super) struct Row {
    pub account: String,
    /// The instant of its score, exclusive.
    pub as_of: Micros,
    pub score: Option<f64>,
}

/// The lines of the rows of a table, in their order; blank where the table is too long to ask for all of them. Memory answers
/// for ends of days that lie so near.
pub(super) fn lines(client: &Client, calendar: &Calendar, rows: &[Row]) -> anyhow::Result<Vec<String>> {
    let newest = rows.iter().map(|row| row.as_of).max();
    let Some(today) = newest.filter(|_| rows.len() <= ROWS_MAX).map(|at| calendar.day(at - 1)) else {
        return Ok(vec![String::new(); rows.len()]);
    };
    let days: Vec<Day> = (1..WEEKS).rev().map(|week| today.plus(-7 * week)).collect();
    let mut scores: Vec<Vec<Option<f64>>> = vec![Vec::with_capacity(WEEKS as usize); rows.len()];
    for (part, rows) in rows.chunks(BATCH_ACCOUNTS_MAX).enumerate() {
        let request = v1::ScanHealthRequest {
            accounts: rows.iter().map(|row| row.account.clone()).collect(),
            as_of: days.iter().map(|day| convert::as_of(AsOf::EndOf(*day))).collect(),
            ..Default::default()
        };
        // By instant, and of each by account in the order asked.
        let mut place = 0;
        client.each(client.health().scan_health(request), |message| {
            let score = message.health.and_then(|health| health.score);
            scores[part * BATCH_ACCOUNTS_MAX + place % rows.len()].push(score);
            place += 1;
            Ok(())
        })?;
    }
    let now = rows.iter().map(|row| row.score);
    Ok(scores
        .iter()
        .zip(now)
        .map(|(before, now)| before.iter().copied().chain([now]).map(character).collect())
        .collect())
}

/// A score from 0 to 100 in eighths of the height of a line; a blank where there is none.
fn character(score: Option<f64>) -> char {
    const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let Some(score) = score else { return ' ' };
    EIGHTHS[((score / 12.5).floor() as usize).min(EIGHTHS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_holds_twelve_and_a_half_points() {
        let scores =
            [None, Some(0.0), Some(12.4), Some(12.5), Some(40.0), Some(69.9), Some(87.5), Some(100.0)];
        assert_eq!(scores.map(character).iter().collect::<String>(), " ▁▁▂▄▆██");
    }
}
