//! Tables as talosctl prints them: a header in capitals, columns padded with spaces. Cells may be empty or hold single spaces, so a cell is
//! what stands below its header, not the n-th word.

use crate::error::CallError;

/// A table by column name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    columns: Vec<(String, usize)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a table. No text at all is a table without rows.
    ///
    /// # Errors
    /// Where a column of `needed` is missing.
    pub fn read(what: &str, text: &str, needed: &[&str]) -> Result<Table, CallError> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let Some(header) = lines.next() else {
            return Ok(Table { columns: Vec::new(), rows: Vec::new() });
        };
        let columns = columns(header);
        if let Some(missing) = needed.iter().find(|n| !columns.iter().any(|(name, _)| name == *n)) {
            return Err(super::unreadable(
                what,
                format!("no column `{missing}` in `{}`", header.trim_end()),
            ));
        }
        let rows = lines
            .map(|line| {
                let ends = columns.iter().skip(1).map(|(_, start)| *start).chain([usize::MAX]);
                columns.iter().zip(ends).map(|((_, start), end)| cell(line, *start, end)).collect()
            })
            .collect();
        Ok(Table { columns, rows })
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { columns: &self.columns, cells })
    }
}

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    columns: &'a [(String, usize)],
    cells: &'a [String],
}

impl<'a> Row<'a> {
    /// The cell below a header; empty where there is no such column.
    pub fn cell(&self, name: &str) -> &'a str {
        let at = self.columns.iter().position(|(column, _)| column == name);
        at.and_then(|i| self.cells.get(i)).map_or("", String::as_str)
    }
}

/// Column names with the character where each begins; names hold single spaces (`RAFT INDEX`).
fn columns(header: &str) -> Vec<(String, usize)> {
    let mut columns: Vec<(String, usize)> = Vec::new();
    let mut gap = 2;
    for (at, c) in header.chars().enumerate() {
        match (c, gap, columns.last_mut()) {
            (' ', _, _) => gap += 1,
            (c, 0 | 1, Some((name, _))) => {
                if gap == 1 {
                    name.push(' ');
                }
                name.push(c);
                gap = 0;
            }
            (c, _, _) => {
                columns.push((c.to_string(), at));
                gap = 0;
            }
        }
    }
    columns
}

fn cell(line: &str, start: usize, end: usize) -> String {
    line.chars().skip(start).take(end.saturating_sub(start)).collect::<String>().trim().to_owned()
}
