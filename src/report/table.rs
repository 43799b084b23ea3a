//! Columns of text that fit a width. Cells hold escaped text; colour is put on after the width is settled.

use console::measure_text_width;

use super::text::{Look, Tone, fit};

/// Between two columns.
const GAP: usize = 2;
/// A column that gives way is made no narrower than this while others can be.
const NARROW: usize = 8;
/// Where nothing else helps, every column is cut down to this.
const NARROWEST: usize = 3;

/// How a column behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Left,
    Right,
    /// Left, and cut where the table would be too wide.
    GivesWay,
}

/// A table under construction.
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(String, Option<Tone>)>>,
}

impl Table {
    /// A table with a heading for each column.
    pub fn new(columns: &[(&str, Column)]) -> Self {
        let heading = columns.iter().map(|(name, _)| ((*name).to_owned(), Some(Tone::Quiet))).collect();
        Self { columns: columns.iter().map(|(_, column)| *column).collect(), rows: vec![heading] }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = (String, Option<Tone>)>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines of the table, none wider than the look's columns, none with blanks at its end.
    pub fn lines(&self, look: Look) -> Vec<String> {
        let widths = self.widths(look.columns());
        self.rows.iter().map(|row| self.line(row, &widths, look)).collect()
    }

    fn line(&self, row: &[(String, Option<Tone>)], widths: &[usize], look: Look) -> String {
        let mut line = String::new();
        let mut blanks = 0;
        for (((text, tone), width), column) in row.iter().zip(widths).zip(&self.columns) {
            let text = fit(text, *width);
            let fill = width - measure_text_width(&text);
            let (before, after) = if *column == Column::Right { (fill, 0) } else { (0, fill) };
            if !text.is_empty() {
                line.push_str(&" ".repeat(blanks + before));
                line.push_str(&tone.map_or_else(|| text.clone(), |tone| look.paint(tone, &text)));
                blanks = 0;
            } else {
                blanks += before;
            }
            blanks += after + GAP;
        }
        line
    }

    /// The widest of the columns that may be cut and are wider than the floor.
    fn widest(&self, widths: &[usize], floor: usize, may: impl Fn(&Column) -> bool) -> Option<usize> {
        let columns = widths.iter().zip(&self.columns).enumerate();
        let fit = columns.filter(|(_, (width, column))| may(column) && **width > floor);
        fit.max_by_key(|(_, (width, _))| **width).map(|(index, _)| index)
    }

    fn widths(&self, columns: usize) -> Vec<usize> {
        let mut widths = vec![0; self.columns.len()];
        for row in &self.rows {
            for (width, (text, _)) in widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(text));
            }
        }
        let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        while total(&widths) > columns {
            let gives_way = |column: &Column| *column == Column::GivesWay;
            let gives = self.widest(&widths, NARROW, gives_way).or_else(|| self.widest(&widths, NARROWEST, |_| true));
            let Some(index) = gives else { break };
            widths[index] -= 1;
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("step", Column::GivesWay), ("took", Column::Right), ("note", Column::Left)]);
        table.row([("a".repeat(100), None), ("4.2s".into(), None), ("in place".into(), Some(Tone::Good))]);
        table.row([("東京".into(), None), ("12s".into(), None), (String::new(), None)]);
        table
    }

    #[test]
    fn the_column_that_gives_way_is_cut_and_the_rest_stays() {
        let lines = table().lines(Look { width: 40, color: false });
        assert_eq!(lines[1], format!("{}…  4.2s  in place", "a".repeat(23)));
        assert_eq!(lines[2], format!("東京{}   12s", " ".repeat(20)));
    }

    #[test]
    fn colour_does_not_move_columns() {
        let (plain, colored) = (table().lines(Look::PLAIN), table().lines(Look { color: true, ..Look::PLAIN }));
        assert_ne!(plain, colored);
        let stripped: Vec<_> = colored.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect();
        assert_eq!(plain, stripped);
    }
}
