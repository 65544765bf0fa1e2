//! Text and columns within an edge, where there is one. Nothing is cut: what is too wide goes on below, a word that is too long runs over.

use console::measure_text_width;

/// Rows as lines, each column as wide as its widest cell, `gap` spaces between. Where that is wider than `room`, the widest columns are
/// narrowed and their cells go on in further lines of the row.
pub(crate) fn lines<Cell: AsRef<str>>(
    rows: &[Vec<Cell>],
    gap: usize,
    room: Option<usize>,
) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let most = |column: usize, measure: &dyn Fn(&str) -> usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| measure(cell.as_ref())).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(|c| most(c, &width)).collect();
    let room = room.map(|room| room.saturating_sub(gap * columns.saturating_sub(1)));
    if let Some(room) = room.filter(|room| widths.iter().sum::<usize>() > *room) {
        let least: Vec<usize> = (0..columns).map(|c| most(c, &longest_word)).collect();
        // The first column names the row: it gives last.
        let first = widths.first().copied();
        let kept: Vec<usize> = first.into_iter().chain(least.iter().skip(1).copied()).collect();
        narrow(&mut widths, &kept, room);
        narrow(&mut widths, &least, room);
    }
    rows.iter().map(|row| line(row, &widths, gap)).collect()
}

/// Takes from the widest column that can give, until all of them fit or none can.
fn narrow(widths: &mut [usize], least: &[usize], room: usize) {
    while widths.iter().sum::<usize>() > room {
        let gives = (0..widths.len()).filter(|&c| widths[c] > least[c]);
        let Some(widest) = gives.max_by_key(|&c| widths[c]) else { return };
        widths[widest] -= 1;
    }
}

fn longest_word(cell: &str) -> usize {
    let indent = cell.len() - cell.trim_start().len();
    indent + cell.split(' ').map(measure_text_width).max().unwrap_or(0)
}

/// A row: its cells side by side, as many lines as the tallest has.
fn line<Cell: AsRef<str>>(row: &[Cell], widths: &[usize], gap: usize) -> String {
    let parts = row.iter().map(AsRef::as_ref).zip(widths);
    if parts.clone().all(|(cell, room)| width(cell) <= *room) {
        let mut line = String::new();
        for (cell, room) in parts {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', room + gap - width(cell)));
        }
        line.truncate(line.trim_end().len());
        return line;
    }
    let cells: Vec<Vec<String>> = parts.map(|(cell, room)| fold(cell, *room, 0)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(1);
    let mut lines = Vec::new();
    for at in 0..height {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let part = cell.get(at).map_or("", String::as_str);
            line.push_str(part);
            line.push_str(&" ".repeat((width + gap).saturating_sub(measure_text_width(part))));
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// One line in lines of at most `width` columns, broken at spaces; further ones begin where the text of the first does, and `hang` behind.
/// A word that is too long stays whole.
pub(crate) fn fold(text: &str, width: usize, hang: usize) -> Vec<String> {
    if measure_text_width(text) <= width {
        return vec![text.to_owned()];
    }
    let body = text.trim_start_matches(' ');
    let indent = text.len() - body.len();
    let further = " ".repeat((indent + hang).min(width / 2));
    let mut lines = Vec::new();
    let mut line = " ".repeat(indent);
    let (mut blank, mut empty) = (0, true);
    for word in body.split(' ') {
        if word.is_empty() {
            blank += 1;
            continue;
        }
        let wide = measure_text_width(&line) + blank + measure_text_width(word);
        if wide > width && !empty {
            lines.push(std::mem::replace(&mut line, further.clone()));
            blank = 0;
        }
        line.push_str(&" ".repeat(blank));
        line.push_str(word);
        (blank, empty) = (1, false);
    }
    lines.push(line);
    lines
}

/// Width on the screen. Nearly every cell is of plain letters, one column each.
fn width(cell: &str) -> usize {
    if cell.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        cell.len()
    } else {
        measure_text_width(cell)
    }
}

/// Text in lines of at most `width` columns, broken at spaces. Lines of the source that follow one another are one paragraph, unless they
/// begin with a space or a dash: lists and commands stay as they are.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let own = |line: &str| line.is_empty() || line.starts_with([' ', '-']);
        match paragraphs.last_mut() {
            Some(last) if !own(last) && !own(line) => {
                last.push(' ');
                last.push_str(line);
            }
            _ => paragraphs.push(line.to_owned()),
        }
    }
    let mut lines = Vec::new();
    for paragraph in paragraphs {
        if paragraph.starts_with(' ') {
            lines.push(paragraph);
            continue;
        }
        let mut line = String::new();
        for word in paragraph.split(' ').filter(|w| !w.is_empty()) {
            let together = measure_text_width(&line) + 1 + measure_text_width(word);
            if !line.is_empty() && together > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// The lines of two texts with `-`, `+` or a space before each; unchanged lines only near a change.
pub(crate) fn diff(before: &str, after: &str) -> Vec<(char, String)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = |x: &&str, y: &&str| x == y;
    let head = a.iter().zip(&b).take_while(|(x, y)| same(x, y)).count();
    let tail =
        a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| same(x, y)).count();
    let near = 2;
    let line = |sign, text: &&str| (sign, (*text).to_owned());
    let mut out: Vec<(char, String)> = Vec::new();
    out.extend(a[head.saturating_sub(near)..head].iter().map(|l| line(' ', l)));
    out.extend(a[head..a.len() - tail].iter().map(|l| line('-', l)));
    out.extend(b[head..b.len() - tail].iter().map(|l| line('+', l)));
    out.extend(b[b.len() - tail..].iter().take(near).map(|l| line(' ', l)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_width_on_the_screen() {
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect();
        let rows = [row(&["a", "b", "c"]), row(&["日本", "x"]), row(&["aaa", "", "d"])];
        assert_eq!(lines(&rows, 2, None), ["a     b  c", "日本  x", "aaa      d"]);
    }

    #[test]
    fn a_table_that_is_too_wide_goes_on_below_its_columns() {
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect();
        let rows = [row(&["  a", "one two three four", "1s"]), row(&["  b/c/d", "x", "2s"])];
        let wide = ["  a      one two three four  1s", "  b/c/d  x                   2s"];
        assert_eq!(lines(&rows, 2, None), wide);
        assert_eq!(lines(&rows, 2, Some(33)), wide);
        let narrow =
            ["  a      one two  1s\n         three\n         four", "  b/c/d  x        2s"];
        assert_eq!(lines(&rows, 2, Some(20)), narrow);
        // Words stay whole, whatever the edge.
        assert!(lines(&rows, 2, Some(3))[1].starts_with("  b/c/d"));
    }

    #[test]
    fn a_line_goes_on_below_its_own_beginning() {
        assert_eq!(fold("  a bb  ccc", 20, 2), ["  a bb  ccc"]);
        assert_eq!(fold("  aa bb cc dd", 8, 0), ["  aa bb", "  cc dd"]);
        assert_eq!(fold("aa bb  cc dd", 8, 2), ["aa bb", "  cc dd"]);
        assert_eq!(fold("ops run a:b --long-flag", 9, 2), ["ops run", "  a:b", "  --long-flag"]);
        assert_eq!(fold("", 9, 2), [""]);
    }

    #[test]
    fn text_is_broken_at_spaces() {
        assert_eq!(wrap("one two three\n\nfour", 8), ["one two", "three", "", "four"]);
        assert_eq!(
            wrap("one\ntwo\n- a\n- b\n  ops run x y z", 8),
            ["one two", "- a", "- b", "  ops run x y z"]
        );
    }

    #[test]
    fn a_diff_shows_what_changed_and_two_lines_around() {
        let shown: Vec<String> = diff("a\nb\nc\nd\ne\n", "a\nb\nc\nx\ne\n")
            .into_iter()
            .map(|(sign, line)| format!("{sign}{line}"))
            .collect();
        assert_eq!(shown, [" b", " c", "-d", "+x", " e"]);
        assert_eq!(diff("a", "a").len(), 1);
    }
}
