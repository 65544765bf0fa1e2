//! An error as a person reads it: code, title, place, the line with a marker under the mistake, what to do next. Knows no kind of error.

use std::fmt::Write as _;

use console::measure_text_width;
use ops_core::error::{Code, Exit, Fault, Place};

use super::paint::{Look, Paint};

/// The whole error, several lines.
pub(crate) fn render(fault: &Fault, look: Look) -> String {
    let paint = Paint(look.colour_err);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}  {}  {}",
        paint.bad(word(fault.code)),
        fault.code,
        paint.strong(plain(&fault.title))
    );
    if let Some(place) = &fault.place {
        let _ = writeln!(out, "  {place}");
        if let Some(text) = &place.text {
            snippet(&mut out, place, text, fault.label.as_deref(), look.width, paint);
        }
    }
    if let Some(label) = fault.label.as_deref().filter(|_| !has_marker(fault)) {
        let _ = writeln!(out, "  {}", plain(label));
    }
    for detail in &fault.details {
        let _ = writeln!(out, "  {}", plain(detail));
    }
    for help in &fault.help {
        let _ = writeln!(out, "  help: {}", plain(help));
    }
    for (i, next) in fault.next.iter().enumerate() {
        let lead = if i == 0 { "next:" } else { "     " };
        let _ = writeln!(out, "  {lead}  {}", plain(next));
    }
    if fault.code == Code::BUG {
        out.push_str("  This is a fault of ops, not of what you did. Please report it.\n");
    }
    out
}

/// The first word of an error: how it ended things, readable without colour.
fn word(code: Code) -> &'static str {
    match code.exit {
        Exit::Refused | Exit::NoGrant => "refused",
        Exit::Interrupted | Exit::Terminated => "interrupted",
        Exit::Unknown => "unknown",
        Exit::Locked => "locked",
        Exit::Bug => "bug",
        _ => "error",
    }
}

fn has_marker(fault: &Fault) -> bool {
    fault.place.as_ref().is_some_and(|p| p.text.is_some() && p.column > 0)
}

fn snippet(
    out: &mut String,
    place: &Place,
    text: &str,
    label: Option<&str>,
    width: usize,
    paint: Paint,
) {
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let column = (place.column.max(1) - 1) as usize;
    let (line, start, end) = window(text, column, place.length as usize, width, number.len() + 5);
    let _ = writeln!(out, "  {} {} {line}", paint.dim(&number), paint.dim("│"));
    if place.column == 0 {
        return;
    }
    let blank = " ".repeat(start);
    let length = (end - start).max(1);
    let Some(label) = label else {
        let _ =
            writeln!(out, "  {gutter} {} {blank}{}", paint.dim("│"), paint.bad("─".repeat(length)));
        return;
    };
    let stem = length / 2;
    let marker = format!("{}┬{}", "─".repeat(stem), "─".repeat(length - stem - 1));
    let _ = writeln!(out, "  {gutter} {} {blank}{}", paint.dim("│"), paint.bad(marker));
    let label = plain(label);
    // A long label under a late column would run over the edge: it begins further left, still below its mark.
    let room = width.saturating_sub(number.len() + 5);
    let indent = (start + stem).min(room.saturating_sub(measure_text_width(&label)));
    let _ = writeln!(out, "  {gutter} {} {}{label}", paint.dim("│"), " ".repeat(indent));
}

/// The part of a line that fits, and where in it the mark begins and ends, in columns of the screen.
fn window(
    text: &str,
    column: usize,
    length: usize,
    width: usize,
    margin: usize,
) -> (String, usize, usize) {
    let room = width.saturating_sub(margin).max(20);
    let shown: Vec<String> = text.chars().map(shown_char).collect();
    let cells = |range: std::ops::Range<usize>| -> usize {
        let end = range.end.min(shown.len());
        shown
            .get(range.start.min(end)..end)
            .unwrap_or_default()
            .iter()
            .map(|s| measure_text_width(s))
            .sum()
    };
    let column = column.min(shown.len());
    let end = (column + length).min(shown.len());
    let mut first = 0;
    // Shift until the end of the mark is seen, but never past its beginning.
    while cells(first..end) + 1 > room && first < column {
        first += 1;
    }
    let cut = if first > 0 { "…" } else { "" };
    if first > 0 {
        first = (first + 1).min(column);
    }
    let mut line = cut.to_owned();
    let mut last = first;
    while last < shown.len() && measure_text_width(&line) + measure_text_width(&shown[last]) < room
    {
        line.push_str(&shown[last]);
        last += 1;
    }
    if last < shown.len() {
        line.push('…');
    }
    let offset = measure_text_width(cut);
    let start = offset + cells(first..column);
    let stop = offset + cells(first..end.min(last).max(column));
    (line.trim_end().to_owned(), start, stop)
}

/// A character as it may stand on a screen: tabs as spaces, control characters visible.
fn shown_char(c: char) -> String {
    match c {
        '\t' => "    ".into(),
        c if c.is_control() => "·".into(),
        c => c.into(),
    }
}

/// Text from outside cannot move the cursor or change colours.
pub(crate) fn plain(text: &str) -> String {
    let moves = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if moves(c) { '·' } else { c }).collect()
}

#[cfg(test)]
mod tests;
