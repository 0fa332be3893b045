//! Tables of figures on standard output.

use std::io::{self, Write as _};

use comfy_table::{CellAlignment, Table, presets};

use crate::pair::{Pair, Spread, cpu_ns, wall_ns};

/// A table that grows row by row and is printed as Markdown, so that it can be pasted into a page.
pub struct Report {
    title: String,
    table: Table,
    notes: Vec<String>,
}

impl Report {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header(columns);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self { title: title.into(), table, notes: Vec::new() }
    }

    /// A table of pairs that are compared by processor time.
    pub fn of_cpu(title: impl Into<String>) -> Self {
        Self::new(title, &["CPU ns each: median (least–greatest)", "ours", "beside", "ours ÷ beside", "aim"])
    }

    /// A row of [`Report::of_cpu`].
    pub fn pair(&mut self, what: &str, pair: &Pair, aim: &str) {
        self.row(&[
            what.to_owned(),
            cpu_ns(&pair.ours).to_string(),
            cpu_ns(&pair.peer).to_string(),
            pair.cpu_ratio().to_string(),
            aim.to_owned(),
        ]);
    }

    /// A row of any table.
    pub fn row(&mut self, cells: &[String]) {
        self.table.add_row(cells);
    }

    /// A line below the table.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Prints it.
    ///
    /// # Panics
    /// When standard output is closed.
    pub fn print(&self) {
        let mut out = io::stdout().lock();
        let mut print = || {
            writeln!(out, "\n### {}\n\n{}", self.title, self.table)?;
            self.notes.iter().try_for_each(|note| writeln!(out, "\n{note}"))
        };
        print().expect("standard output takes the table");
    }
}

/// Events in a second of one core, from processor time for one.
pub fn per_core_second(ns: Spread) -> String {
    let millions = |ns: f64| 1e3 / ns;
    let Spread { least, median, greatest } = ns;
    format!("{:.2} M ({:.2}–{:.2})", millions(median), millions(greatest), millions(least))
}

/// Both sides' times on the wall and their ratio, in µs.
pub fn wall_cells(pair: &Pair) -> [String; 3] {
    let us = |spread: Spread| spread.map(|ns| ns / 1e3).to_string();
    [us(wall_ns(&pair.ours)), us(wall_ns(&pair.peer)), pair.wall_ratio().to_string()]
}
