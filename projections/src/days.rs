//! Cells by day: what a series is made of, whatever it adds up.

use thin_vec::ThinVec;

use crate::calendar::Day;
use crate::names::Names;

/// A part of a day: days are cut where an instant within them is asked about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot {
    /// The day in the reporting zone.
    pub day: Day,
    /// How many of the asked instants of this day lie at or before the slot.
    pub part: u16,
}

impl Slot {
    /// The last slot of a day.
    pub fn end_of(day: Day) -> Self {
        Self { day, part: u16::MAX }
    }
}

/// Something that can be added up in any order.
pub trait Cell: Default + Clone + PartialEq {
    /// Adds another cell of the same series.
    fn merge(&mut self, names: &Names, other: &Self);
}

/// Cells by slot, ascending, and one for everything older than the days kept. An account has many of these, most of them
/// empty.
#[derive(Clone, PartialEq, Debug)]
pub struct Days<C> {
    older: Option<Box<C>>,
    cells: ThinVec<(Slot, C)>,
}

impl<C> Default for Days<C> {
    fn default() -> Self {
        Self { older: None, cells: ThinVec::new() }
    }
}

impl<C: Cell> Days<C> {
    /// The cell of a slot, made when absent.
    pub fn cell(&mut self, slot: Slot) -> &mut C {
        let index = match self.cells.last() {
            Some((last, _)) if *last == slot => self.cells.len() - 1,
            Some((last, _)) if *last > slot => match self.cells.binary_search_by_key(&slot, |(at, _)| *at) {
                Ok(index) => index,
                Err(index) => {
                    self.cells.insert(index, (slot, C::default()));
                    index
                }
            },
            _ => {
                self.cells.push((slot, C::default()));
                self.cells.len() - 1
            }
        };
        &mut self.cells[index].1
    }

    /// The cell of everything older than the days kept, made when absent.
    pub fn older_cell(&mut self) -> &mut C {
        self.older.get_or_insert_default()
    }

    /// Cells from a day to a slot, both included, oldest first.
    pub fn between(&self, first: Day, last: Slot) -> &[(Slot, C)] {
        let from = self.cells.partition_point(|(slot, _)| slot.day < first);
        let to = self.cells.partition_point(|(slot, _)| *slot <= last);
        &self.cells[from.min(to)..to]
    }

    /// What lies before the days kept.
    pub fn older(&self) -> Option<&C> {
        self.older.as_deref()
    }

    /// All cells, oldest first.
    pub fn all(&self) -> &[(Slot, C)] {
        &self.cells
    }

    pub(crate) fn for_each(&mut self, mut change: impl FnMut(&mut C)) {
        self.older.iter_mut().for_each(|older| change(older));
        self.cells.iter_mut().for_each(|(_, cell)| change(cell));
    }

    pub(crate) fn touch(&self) -> usize {
        self.cells.last().map_or(0, |(slot, _)| slot.day.0 as usize)
    }

    /// Moves days before `first` into the older cell.
    pub(crate) fn trim(&mut self, names: &Names, first: Day) {
        if self.cells.first().is_none_or(|(slot, _)| slot.day >= first) {
            return;
        }
        let count = self.cells.partition_point(|(slot, _)| slot.day < first);
        for (_, cell) in self.cells.drain(..count) {
            self.older.get_or_insert_default().merge(names, &cell);
        }
    }
}
