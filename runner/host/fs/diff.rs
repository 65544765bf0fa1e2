//! What a write changes, for a person: the changed middle of a text, with some lines around it. Knows nothing of files.

const AROUND: usize = 3;
const LONGEST: usize = 400;

/// The difference of two texts: lines with ` `, `-` and `+`. What is no text, or longer than a screenful can be read, is said in a sentence.
pub(super) fn lines(old: &[u8], new: &[u8]) -> String {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return format!("no text: {} bytes become {}", old.len(), new.len());
    };
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - same;
    let tail =
        old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let mut text = String::new();
    let mut put = |sign: char, lines: &[&str]| {
        for line in lines {
            text.push_str(&format!("{sign}{line}\n"));
        }
    };
    put(' ', &old[same.saturating_sub(AROUND)..same]);
    let (gone, come) = (&old[same..old_end], &new[same..new_end]);
    if gone.len() + come.len() > LONGEST {
        return format!("{} lines become {}, from line {} on", gone.len(), come.len(), same + 1);
    }
    put('-', gone);
    put('+', come);
    put(' ', &old[old_end..old.len().min(old_end + AROUND)]);
    text
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn diff(old: &str, new: &str) -> String {
        lines(old.as_bytes(), new.as_bytes())
    }

    #[test]
    fn only_the_changed_middle_is_shown() {
        let old = "1\n2\n3\n4\n5\nold\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\n5\nnew\nmore\n6\n7\n8\n9\n";
        assert_eq!(diff(old, new), " 3\n 4\n 5\n-old\n+new\n+more\n 6\n 7\n 8\n");
    }

    #[test]
    fn repeated_lines_are_counted_once() {
        assert_eq!(diff("a\n", "a\na\n"), " a\n+a\n");
        assert_eq!(diff("a\na\na\n", "a\n"), " a\n-a\n-a\n");
    }

    #[test]
    fn a_new_file_is_all_added() {
        assert_eq!(diff("", "x\ny\n"), "+x\n+y\n");
    }

    #[test]
    fn what_is_no_text_or_too_long_is_said_in_a_sentence() {
        assert_eq!(lines(b"\xff", b"ab"), "no text: 1 bytes become 2");
        let long = "x\n".repeat(1000);
        assert_eq!(diff("", &long), "0 lines become 1000, from line 1 on");
    }
}
