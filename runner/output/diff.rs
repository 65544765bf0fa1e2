//! A difference as it is shown: what stayed the same inside it is told apart, and what is long is folded. Knows nothing of where it comes from.

/// Lines that are shown of one difference.
const SHOWN: usize = 24;
/// Unchanged lines around a change.
const AROUND: usize = 2;
/// Blocks above this are not compared line by line.
const LONGEST: usize = 400;

/// A line with what it is: ` ` stays, `-` goes, `+` comes, any other sign as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sign: char,
    pub(crate) text: String,
}

/// The lines of a difference for a screen; how many more there are is the last one's text, with the sign `…`.
pub(crate) fn shown(diff: &str) -> Vec<Line> {
    let lines: Vec<Line> = diff.lines().map(line).collect();
    let mut out: Vec<Line> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let gone = lines[at..].iter().take_while(|l| l.sign == '-').count();
        let come = lines[at + gone..].iter().take_while(|l| l.sign == '+').count();
        if gone > 0 && come > 0 {
            out.extend(refined(&lines[at..at + gone], &lines[at + gone..at + gone + come]));
        } else {
            out.extend_from_slice(&lines[at..at + (gone + come).max(1)]);
        }
        at += (gone + come).max(1);
    }
    folded(out)
}

fn line(text: &str) -> Line {
    let sign = text.chars().next().filter(|sign| !sign.is_alphanumeric()).unwrap_or(' ');
    Line { sign, text: text.strip_prefix(sign).unwrap_or(text).to_owned() }
}

/// A block that goes and one that comes, with their longest common lines kept.
fn refined(gone: &[Line], come: &[Line]) -> Vec<Line> {
    if gone.len() > LONGEST || come.len() > LONGEST {
        return gone.iter().chain(come).cloned().collect();
    }
    // How long the longest common part is from each pair of places on.
    let width = come.len() + 1;
    let mut long = vec![0_u32; (gone.len() + 1) * width];
    for (i, old) in gone.iter().enumerate().rev() {
        for (j, new) in come.iter().enumerate().rev() {
            long[i * width + j] = if old.text == new.text {
                long[(i + 1) * width + j + 1] + 1
            } else {
                long[(i + 1) * width + j].max(long[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < gone.len() && j < come.len() {
        if gone[i].text == come[j].text {
            out.push(Line { sign: ' ', text: gone[i].text.clone() });
            (i, j) = (i + 1, j + 1);
        } else if long[(i + 1) * width + j] >= long[i * width + j + 1] {
            out.push(gone[i].clone());
            i += 1;
        } else {
            out.push(come[j].clone());
            j += 1;
        }
    }
    out.extend(gone[i..].iter().chain(&come[j..]).cloned());
    out
}

/// Leaves out what stayed the same far from any change, and what is beyond a screenful.
fn folded(lines: Vec<Line>) -> Vec<Line> {
    let changes: Vec<usize> =
        lines.iter().enumerate().filter(|(_, l)| l.sign != ' ').map(|(at, _)| at).collect();
    let near = |at: usize| {
        let next = changes.partition_point(|change| *change < at);
        let close = |change: Option<&usize>| change.is_some_and(|c| c.abs_diff(at) <= AROUND);
        close(changes.get(next)) || close(next.checked_sub(1).and_then(|i| changes.get(i)))
    };
    let mut out: Vec<Line> = Vec::new();
    let mut gap = false;
    for (at, line) in lines.into_iter().enumerate() {
        if !near(at) {
            gap = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut gap) {
            out.push(Line { sign: ' ', text: "…".into() });
        }
        out.push(line);
    }
    // One more line is no longer than the line that says so.
    if out.len() > SHOWN + 1 {
        let more = out.len() - SHOWN;
        out.truncate(SHOWN);
        out.push(Line { sign: '…', text: format!("{more} more lines") });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(diff: &str) -> String {
        shown(diff).iter().map(|l| format!("{}{}\n", l.sign, l.text)).collect::<Vec<_>>().concat()
    }

    #[test]
    fn what_stayed_the_same_between_two_changes_is_told_apart() {
        let diff = " a\n-one\n-b\n-two\n+ONE\n+b\n+TWO\n c\n";
        assert_eq!(text(diff), " a\n-one\n+ONE\n b\n-two\n+TWO\n c\n");
    }

    #[test]
    fn a_long_stretch_without_change_is_folded() {
        let block = |sign: char, first: &str, last: &str| -> String {
            let same = (0..9).map(|n| format!("{sign}{n}\n")).collect::<Vec<_>>().concat();
            format!("{sign}{first}\n{same}{sign}{last}\n")
        };
        let diff = block('-', "x", "y") + &block('+', "X", "Y");
        assert_eq!(text(&diff), "-x\n+X\n 0\n 1\n …\n 7\n 8\n-y\n+Y\n");
    }

    #[test]
    fn beyond_a_screenful_lines_are_counted() {
        let diff = (0..100).map(|n| format!("+{n}\n")).collect::<Vec<_>>().concat();
        let shown = shown(&diff);
        assert_eq!(shown.len(), SHOWN + 1);
        assert_eq!(shown.last().unwrap().text, "76 more lines");
        let diff = (0..=SHOWN).map(|n| format!("+{n}\n")).collect::<Vec<_>>().concat();
        assert_eq!(super::shown(&diff).len(), SHOWN + 1);
    }

    #[test]
    fn other_signs_and_sentences_stay_as_they_are() {
        let diff = "~ machine.network.mtu: 1500 → 9000\nno text: 3 bytes become 4\n";
        assert_eq!(text(diff), "~ machine.network.mtu: 1500 → 9000\n no text: 3 bytes become 4\n");
    }

    #[test]
    fn every_line_that_comes_or_goes_is_shown_whatever_the_blocks_are() {
        let words = ["a", "b", "c"];
        for number in 0..729_usize {
            let pick = |at: u32| words[number / 3_usize.pow(at) % 3];
            let (old, new) = ([pick(0), pick(1), pick(2)], [pick(3), pick(4), pick(5)]);
            let lines = |sign: char, of: [&str; 3]| of.map(|w| format!("{sign}{w}\n")).concat();
            let shown = shown(&(lines('-', old) + &lines('+', new)));
            let with = |sign: char| -> Vec<&str> {
                let kept = shown.iter().filter(|l| l.sign == sign || l.sign == ' ');
                kept.map(|l| l.text.as_str()).collect()
            };
            if shown.iter().any(|l| l.sign != ' ') {
                assert_eq!((with('-'), with('+')), (old.to_vec(), new.to_vec()));
            }
        }
    }
}
