//! Lines of a run that share a screen's width: a call with what is said of it, the parts of a summary. Knows no record.

use console::measure_text_width;
use ops_core::value::{Map, Value};

use super::fault::plain;
use super::table::fold;

/// Where what is said of a call begins, unless the call is longer.
pub(crate) const CALL: usize = 35;
/// Columns for what is said of a call before the time that it took.
const SAID: usize = 30;

/// Said without a colour.
pub(crate) fn plainly(text: String) -> String {
    text
}

/// A call's line on a terminal: what stands before, what is said, how long it took. Where that is too wide, what is said goes on below
/// itself. `tone` paints what is said.
pub(crate) fn columns(
    before: &str,
    text: &str,
    took: &str,
    room: usize,
    tone: &dyn Fn(String) -> String,
) -> Vec<String> {
    let indent = measure_text_width(before) + 1;
    let took = if took.is_empty() { String::new() } else { format!("  {took}") };
    let width = measure_text_width(text);
    let wide = indent + width + took.len();
    if wide <= room {
        let pad = SAID.saturating_sub(width).min(room - wide);
        let line = format!("{before} {}{}{took}", tone(text.to_owned()), " ".repeat(pad));
        return vec![line.trim_end().to_owned()];
    }
    // A long call keeps its line, so that there is always room for what is said.
    let usual = CALL.min(room * 3 / 5);
    let (indent, mut lines) = if indent > usual {
        (usual, vec![before.trim_end().to_owned()])
    } else {
        (indent, Vec::new())
    };
    for part in fold(&format!("{text}{took}"), room - indent, 0) {
        let lead = if lines.is_empty() { format!("{before} ") } else { " ".repeat(indent) };
        lines.push(format!("{lead}{}", tone(part)));
    }
    lines
}

/// Parts of one line, three spaces between; what does not fit goes on below the second part.
pub(crate) fn side_by_side(parts: &[String], room: Option<usize>) -> String {
    let Some(room) = room else { return parts.join("   ") };
    let hang = parts.first().map_or(0, |first| measure_text_width(first) + 3);
    let mut lines: Vec<String> = vec![String::new()];
    let folded = parts.iter().map(|part| fold(part, room.saturating_sub(hang), 0));
    for (at, part) in folded.flatten().enumerate() {
        let line = lines.last().map_or(0, |line| measure_text_width(line));
        if at > 0 && line + 3 + measure_text_width(&part) > room {
            lines.push(format!("{}{part}", " ".repeat(hang)));
        } else if let Some(line) = lines.last_mut() {
            line.push_str(if at > 0 { "   " } else { "" });
            line.push_str(&part);
        }
    }
    lines.join("\n")
}

/// What a recipe gives to `log.table`: the names of its columns, then its rows.
pub(crate) fn rows(table: &Map<String, Value>) -> Vec<Vec<String>> {
    let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), plain);
    let names: Vec<String> = table
        .get("columns")
        .and_then(Value::as_array)
        .map(|c| c.iter().map(cell).collect())
        .unwrap_or_default();
    let mut rows = if names.is_empty() { Vec::new() } else { vec![names.clone()] };
    for row in table.get("rows").and_then(Value::as_array).into_iter().flatten() {
        rows.push(match row {
            Value::Array(cells) => cells.iter().map(cell).collect(),
            Value::Object(fields) => {
                names.iter().map(|n| fields.get(n).map(cell).unwrap_or_default()).collect()
            }
            other => vec![cell(other)],
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(before: &str, text: &str, took: &str, room: usize) -> Vec<String> {
        columns(before, text, took, room, &|text| text)
    }

    #[test]
    fn a_call_stands_on_one_line_where_it_fits() {
        let line = "w-1 reboot changed                         45s";
        assert_eq!(call("w-1 reboot", "changed", "45s", 78), [line]);
        assert_eq!(call("w-1 reboot", "changed", "45s", 25), ["w-1 reboot changed    45s"]);
        assert_eq!(call("w-1 reboot", "unchanged", "", 78), ["w-1 reboot unchanged"]);
    }

    #[test]
    fn what_is_said_goes_on_below_itself() {
        assert_eq!(
            call("w-1 wait node", "stage booting; status is not there yet", "3s", 36),
            ["w-1 wait node stage booting; status", "              is not there yet  3s"]
        );
        assert_eq!(
            call("fs write a/very/long/path/to/a/file", "failed, timeout: no answer", "", 40),
            [
                "fs write a/very/long/path/to/a/file",
                "                        failed, timeout:",
                "                        no answer"
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_room() {
        for room in 20..100 {
            let lines =
                call("cp-1   reboot", "it has not gone down yet (3s of 15m)", "4m03s", room);
            assert!(lines.iter().all(|line| measure_text_width(line) <= room), "{room}: {lines:?}");
        }
    }

    #[test]
    fn parts_that_do_not_fit_go_on_below_the_second() {
        let parts: Vec<String> =
            ["done", "talos:apply-config", "3 changed", "run 7k2m"].map(str::to_owned).into();
        assert_eq!(side_by_side(&parts, None), "done   talos:apply-config   3 changed   run 7k2m");
        assert_eq!(
            side_by_side(&parts, Some(40)),
            "done   talos:apply-config   3 changed\n       run 7k2m"
        );
    }
}
