//! Unified diff of two texts, in the form that an apply's dry run prints.

use std::fmt::Write as _;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Same,
    Gone,
    New,
}

/// Lines of the longest common subsequence, as a list of edits.
#[expect(clippy::many_single_char_names, reason = "two texts and a place in each")]
fn edits(a: &[&str], b: &[&str]) -> Vec<(Edit, usize)> {
    // Configs share most of both ends; only the middle is searched.
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail =
        a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (x, y) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let width = y.len() + 1;
    let mut length = vec![0u32; (x.len() + 1) * width];
    for i in (0..x.len()).rev() {
        for j in (0..y.len()).rev() {
            length[i * width + j] = if x[i] == y[j] {
                length[(i + 1) * width + j + 1] + 1
            } else {
                length[(i + 1) * width + j].max(length[i * width + j + 1])
            };
        }
    }
    let mut out: Vec<(Edit, usize)> = (0..head).map(|i| (Edit::Same, i)).collect();
    let (mut i, mut j) = (0, 0);
    while i < x.len() || j < y.len() {
        if i < x.len() && j < y.len() && x[i] == y[j] {
            out.push((Edit::Same, head + i));
            (i, j) = (i + 1, j + 1);
        } else if j == y.len()
            || (i < x.len() && length[(i + 1) * width + j] >= length[i * width + j + 1])
        {
            out.push((Edit::Gone, head + i));
            i += 1;
        } else {
            out.push((Edit::New, head + j));
            j += 1;
        }
    }
    out.extend((a.len() - tail..a.len()).map(|i| (Edit::Same, i)));
    out
}

/// `--- a`, `+++ b` and hunks with three lines of context; empty when the texts are equal.
#[must_use]
pub fn unified(a: &str, b: &str) -> String {
    if a == b {
        return String::new();
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    let edits = edits(&a, &b);
    let changed: Vec<usize> = edits
        .iter()
        .enumerate()
        .filter(|(_, (edit, _))| *edit != Edit::Same)
        .map(|(at, _)| at)
        .collect();
    let mut out = String::from("--- a\n+++ b\n");
    let mut next = 0;
    while next < changed.len() {
        let start = changed[next].saturating_sub(3);
        let mut end = changed[next] + 4;
        while next < changed.len() && changed[next] <= end + 2 {
            end = changed[next] + 4;
            next += 1;
        }
        let end = end.min(edits.len());
        let before = |wanted: Edit| {
            edits[..start].iter().filter(|(edit, _)| *edit == Edit::Same || *edit == wanted).count()
        };
        let within = |wanted: Edit| {
            edits[start..end]
                .iter()
                .filter(|(edit, _)| *edit == Edit::Same || *edit == wanted)
                .count()
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "@@ -{},{} +{},{} @@",
            // A side without lines is named by the line before it.
            before(Edit::Gone) + usize::from(within(Edit::Gone) > 0),
            within(Edit::Gone),
            before(Edit::New) + usize::from(within(Edit::New) > 0),
            within(Edit::New),
        );
        for &(edit, line) in &edits[start..end] {
            let _ = match edit {
                Edit::Same => writeln!(out, " {}", a[line]),
                Edit::Gone => writeln!(out, "-{}", a[line]),
                Edit::New => writeln!(out, "+{}", b[line]),
            };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn equal_texts_have_no_diff() {
        assert_eq!(unified("a\nb\n", "a\nb\n"), "");
    }

    #[test]
    fn a_changed_field_shows_as_the_real_dry_run_shows_it() {
        let a = "version: v1alpha1\nmachine:\n    type: controlplane\n    token: foo\n    certSANs: []\ncluster: null\n";
        assert_eq!(
            unified(a, &a.replace("controlplane", "worker")),
            "--- a\n+++ b\n@@ -1,6 +1,6 @@\n version: v1alpha1\n machine:\n-    type: controlplane\n+    type: worker\n     token: foo\n     certSANs: []\n cluster: null\n"
        );
    }

    #[test]
    fn an_added_document_shows_at_the_end_with_three_lines_before() {
        let a = "1\n2\n3\n4\n5\n6\n";
        assert_eq!(
            unified(a, &format!("{a}7\n")),
            "--- a\n+++ b\n@@ -4,3 +4,4 @@\n 4\n 5\n 6\n+7\n"
        );
    }
}
