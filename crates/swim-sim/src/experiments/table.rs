//! Tables for the terminal: which are as well Markdown, so that they go into documents as they are.

use std::fmt;

/// Rows under a heading, in columns as wide as they must be.
pub(crate) struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
    /// The number of columns, from the first, that hold names and are aligned to the left.
    names: usize,
}

impl Table {
    pub(crate) fn new<const N: usize>(title: impl Into<String>, head: [&str; N]) -> Self {
        let head = head.map(str::to_owned).to_vec();
        Self { title: title.into(), head, rows: Vec::new(), notes: Vec::new(), names: 1 }
    }

    /// The same, with this many columns of names.
    pub(crate) fn with_names(mut self, columns: usize) -> Self {
        self.names = columns;
        self
    }

    pub(crate) fn push<const N: usize>(&mut self, row: [String; N]) {
        assert_eq!(N, self.head.len(), "a row has the columns of its head");
        self.rows.push(row.to_vec());
    }

    /// Adds a paragraph below the rows.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    fn width(&self, column: usize) -> usize {
        let all = self.rows.iter().chain([&self.head]);
        all.map(|row| row[column].chars().count()).max().unwrap_or(0)
    }

    fn write_row(&self, f: &mut fmt::Formatter<'_>, row: &[String]) -> fmt::Result {
        for (column, cell) in row.iter().enumerate() {
            let width = self.width(column);
            // Names to the left, numbers to the right.
            let edge = if column == 0 { "|" } else { "" };
            match column < self.names {
                true => write!(f, "{edge} {cell:<width$} |")?,
                false => write!(f, "{edge} {cell:>width$} |")?,
            }
        }
        writeln!(f)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        self.write_row(f, &self.head)?;
        for column in 0..self.head.len() {
            let dashes = "-".repeat(self.width(column) + 1);
            let left = if column == 0 { "|" } else { "" };
            let right = if column < self.names { "-|" } else { ":|" };
            write!(f, "{left}{dashes}{right}")?;
        }
        writeln!(f)?;
        self.rows.iter().try_for_each(|row| self.write_row(f, row))?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}\n"))
    }
}

/// A number with its thousands set apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A measured value, or that there is none.
pub(crate) fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_with_names_left_and_numbers_right() {
        let mut table = Table::new("Title", ["who", "n"]);
        table.push(["a".into(), count(1_234)]);
        table.push(["longer".into(), count(999)]);
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "| who    |     n |");
        assert_eq!(lines[3], "|--------|------:|");
        assert_eq!(lines[4], "| a      | 1,234 |");
        assert_eq!(lines[5], "| longer |   999 |");
        table.note("All told.");
        assert_eq!(table.to_string(), format!("{text}\nAll told.\n"));
    }
}
