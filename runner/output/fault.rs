//! An error as a person reads it: code, title, place, the line with a marker under the mistake, what to do next. Knows no kind of error.

use std::fmt::Write as _;

use console::measure_text_width;
use ops_core::error::{Code, Exit, Fault, Place};

use super::paint::{Look, Paint};
use super::table::fold;

/// The whole error, several lines.
pub(crate) fn render(fault: &Fault, look: Look) -> String {
    let paint = Paint(look.colour_err);
    let mut out = String::new();
    let lead = format!("{}  {}  ", word(fault.code), fault.code);
    let title = within(&plain(&fault.title), look, lead.len(), 0);
    let title: Vec<String> = title.into_iter().map(|line| paint.strong(line)).collect();
    let title = title.join(&format!("\n{}", " ".repeat(lead.len())));
    let _ = writeln!(out, "{}  {}  {title}", paint.bad(word(fault.code)), fault.code);
    if let Some(place) = &fault.place {
        let _ = writeln!(out, "  {place}");
        if let Some(text) = &place.text {
            snippet(&mut out, place, text, fault.label.as_deref(), look, paint);
        }
    }
    let mut lines = |lead: &str, text: &str| {
        for line in within(&format!("{lead}{}", plain(text)), look, 2, lead.len()) {
            let _ = writeln!(out, "  {line}");
        }
    };
    if let Some(label) = fault.label.as_deref().filter(|_| !has_marker(fault)) {
        lines("", label);
    }
    for detail in &fault.details {
        lines("", detail);
    }
    for help in &fault.help {
        lines("help: ", help);
    }
    for (i, next) in fault.next.iter().enumerate() {
        out.push_str(&command(i == 0, &plain(next), look.room_err()));
    }
    if fault.code == Code::BUG {
        out.push_str("  This is a fault of ops, not of what you did. Please report it.\n");
    }
    out
}

/// A text in lines that fit behind `taken` columns; further ones begin `hang` behind the first.
fn within(text: &str, look: Look, taken: usize, hang: usize) -> Vec<String> {
    let room = look.room_err().map_or(usize::MAX, |room| room.saturating_sub(taken));
    text.lines().flat_map(|line| fold(line, room, hang)).collect()
}

/// A command to copy, on a line of its own whatever its length; a remark behind it gives way.
pub(crate) fn command(first: bool, next: &str, room: Option<usize>) -> String {
    let lead = if first { "next:" } else { "     " };
    match next.split_once("   ") {
        Some((line, remark)) if room.is_some_and(|room| measure_text_width(next) + 9 > room) => {
            format!("  {lead}  {line}\n           {}\n", remark.trim_start())
        }
        _ => format!("  {lead}  {next}\n"),
    }
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
    look: Look,
    paint: Paint,
) {
    let width = look.width;
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
    // One that is too long for any place below the line stands on lines of its own.
    if look.room_err().is_some_and(|room| measure_text_width(&label) > room - number.len() - 6) {
        for line in within(&label, look, number.len() + 6, 0) {
            let _ = writeln!(out, "  {gutter} {} {line}", paint.dim("│"));
        }
        return;
    }
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
