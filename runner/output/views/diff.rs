//! How machine configs differ, by node. Knows nothing of where they come from.

use ops_core::value::{Map, Value};
use serde_json::json;

use super::object;
use crate::output::paint::{Look, Paint};
use crate::output::wording;

/// One node's difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigDiff {
    /// The node.
    pub node: String,
    /// `+`, `-` or `~` and a field, a line each; none where nothing differs.
    pub lines: Vec<String>,
}

/// The differences as text. `file` names what a node's config is held against; none where that is the node itself.
pub fn diff(
    found: &[ConfigDiff],
    cluster: &str,
    file: &dyn Fn(&str) -> Option<String>,
    look: Look,
) -> String {
    let paint = Paint(look.colour);
    let differ = found.iter().filter(|diff| !diff.lines.is_empty()).count();
    let mut out = String::new();
    for diff in found.iter().filter(|diff| !diff.lines.is_empty()) {
        let against = file(&diff.node).unwrap_or_else(|| "what it runs with".to_owned());
        out.push_str(&format!("{}   {}\n", paint.strong(&diff.node), paint.dim(against)));
        for line in lines(&diff.lines, look) {
            out.push_str(&format!("  {line}\n"));
        }
    }
    let total = wording::count(found.len(), "machine config");
    if found.is_empty() {
        // What stood in the way is told as an error.
        return out;
    }
    let count = if differ == 0 {
        format!("{total}, nothing differs")
    } else {
        format!("{differ} of {total} would change")
    };
    out.push_str(&format!("{}   {count}\n", paint.strong(cluster)));
    out
}

/// Lines of a difference, coloured by their sign.
pub(crate) fn lines(lines: &[String], look: Look) -> Vec<String> {
    let paint = Paint(look.colour);
    let line = |line: &String| {
        let line = crate::output::fault::plain(line);
        paint.change(line.chars().next().unwrap_or(' '), line)
    };
    lines.iter().map(line).collect()
}

/// The differences for machines.
pub fn diff_json(found: &[ConfigDiff], cluster: &str, live: bool) -> Map<String, Value> {
    let nodes: Vec<Value> = found
        .iter()
        .map(|d| json!({"node": d.node, "changed": !d.lines.is_empty(), "diff": d.lines}))
        .collect();
    object(json!({
        "cluster": cluster,
        "against": if live { "node" } else { "file" },
        "nodes": nodes,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_stand_below_their_node_and_are_counted() {
        let found = [
            ConfigDiff {
                node: "cp-1".into(),
                lines: vec!["~ a: 1 → 2".into(), "+ b: \u{1b}[31m".into()],
            },
            ConfigDiff { node: "w-1".into(), lines: Vec::new() },
        ];
        let text = diff(&found, "home", &|node| Some(format!("c/{node}.yaml")), Look::PLAIN);
        let expected = "cp-1   c/cp-1.yaml\n  ~ a: 1 → 2\n  + b: ·[31m\nhome   1 of 2 machine configs would change\n";
        assert_eq!(text, expected);
        let none = diff(&found[1..], "home", &|_| None, Look::PLAIN);
        assert_eq!(none, "home   1 machine config, nothing differs\n");
    }

    #[test]
    fn signs_are_coloured_where_colours_are_seen() {
        let look = Look { colour: true, ..Look::PLAIN };
        let shown = lines(&["+ a".into(), "- b".into()], look);
        assert!(shown[0].contains("\u{1b}[32m") && shown[1].contains("\u{1b}[31m"), "{shown:?}");
    }
}
