//! Columns that line up, by width on the screen. Nothing is cut: a last column may run over the edge of a narrow window.

use console::measure_text_width;

/// Rows as lines, each column as wide as its widest cell, `gap` spaces between, the last column as it is.
pub(crate) fn lines<Cell: AsRef<str>>(rows: &[Vec<Cell>], gap: usize) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        rows.iter().filter_map(|r| r.get(column)).map(|c| width(c.as_ref())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                let cell = cell.as_ref();
                line.push_str(cell);
                if i + 1 < row.len() {
                    let pad = widths[i] - width(cell) + gap;
                    line.extend(std::iter::repeat_n(' ', pad));
                }
            }
            line.truncate(line.trim_end().len());
            line
        })
        .collect()
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
        assert_eq!(lines(&rows, 2), ["a     b  c", "日本  x", "aaa      d"]);
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
