//! Which nodes a selection means: names, `all`, `controlplanes`, `workers`, `@tag`, and `!` to leave out. Pure; asks no cluster.

use std::collections::BTreeSet;

use ops_core::error::nearest;
use ops_core::inventory::{Cluster, Node, Role};

/// Why a selection selects nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unselected {
    /// What is wrong, without a full stop.
    pub message: String,
    /// A word that may have been meant.
    pub suggestion: Option<String>,
    /// What could have been said.
    pub known: Vec<String>,
}

/// The nodes of a selection, in inventory order.
///
/// Words add nodes, words with `!` take nodes away, whatever their order; a selection of `!` words alone begins with all. `role` limits
/// the selection: group words then mean the nodes of that role, and naming another node is a mistake.
///
/// # Errors
/// An unknown or empty word, a node of another role, or an empty selection.
pub fn select(
    words: &[&str],
    role: Option<Role>,
    cluster: &Cluster,
) -> Result<Vec<String>, Unselected> {
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut left_out: BTreeSet<&str> = BTreeSet::new();
    let mut adds = false;
    for word in words {
        let (negative, bare) = match word.strip_prefix('!') {
            Some(bare) => (true, bare),
            None => (false, *word),
        };
        let nodes = meaning(bare, cluster)?;
        if negative {
            left_out.extend(nodes.iter().map(|n| n.name.as_str()));
            continue;
        }
        adds = true;
        let named = nodes.first().filter(|n| n.name == bare);
        if let (Some(node), Some(role)) = (named, role)
            && node.role != role
        {
            return Err(Unselected {
                message: format!("`{bare}` is a {}, not a {}", node.role.word(), role.word()),
                suggestion: None,
                known: of_role(cluster, Some(role)).map(|n| n.name.clone()).collect(),
            });
        }
        taken.extend(nodes.iter().map(|n| n.name.as_str()));
    }
    if !adds && !words.is_empty() {
        taken.extend(cluster.nodes.iter().map(|n| n.name.as_str()));
    }
    let chosen: Vec<String> = of_role(cluster, role)
        .map(|n| n.name.as_str())
        .filter(|name| taken.contains(name) && !left_out.contains(name))
        .map(str::to_owned)
        .collect();
    if chosen.is_empty() {
        let said = words.join(",");
        return Err(Unselected {
            message: format!("`{said}` selects no node"),
            suggestion: None,
            known: known_words(cluster),
        });
    }
    Ok(chosen)
}

fn meaning<'a>(word: &str, cluster: &'a Cluster) -> Result<Vec<&'a Node>, Unselected> {
    let by = |keep: &dyn Fn(&Node) -> bool| cluster.nodes.iter().filter(|n| keep(n)).collect();
    let found: Vec<&Node> = match word {
        "all" => return Ok(cluster.nodes.iter().collect()),
        // A cluster without workers has none to select: that is an empty selection, not a mistake in the word.
        "controlplanes" => return Ok(by(&Node::is_control_plane)),
        "workers" => return Ok(by(&|n| !n.is_control_plane())),
        _ => match word.strip_prefix('@') {
            Some(tag) => by(&|n| n.tags.iter().any(|t| t == tag)),
            None => by(&|n| n.name == word),
        },
    };
    if !found.is_empty() {
        return Ok(found);
    }
    let known = known_words(cluster);
    let message = match word {
        "" => "a selection has an empty word".to_owned(),
        _ if word.starts_with('@') => format!("no node has the tag `{word}`"),
        _ => match cluster.nodes.iter().find(|n| n.address == word) {
            Some(node) => format!("`{word}` is an address: name the node, `{}`", node.name),
            None => format!("there is no node `{word}`"),
        },
    };
    let suggestion = nearest(word, known.iter().map(String::as_str)).map(str::to_owned);
    Err(Unselected { message, suggestion, known })
}

fn of_role(cluster: &Cluster, role: Option<Role>) -> impl Iterator<Item = &Node> {
    cluster.nodes.iter().filter(move |n| role.is_none_or(|role| n.role == role))
}

/// Every word that selects something in this cluster: names first, then groups, then tags.
pub fn known_words(cluster: &Cluster) -> Vec<String> {
    let tags: BTreeSet<&String> = cluster.nodes.iter().flat_map(|n| &n.tags).collect();
    cluster
        .nodes
        .iter()
        .map(|n| n.name.clone())
        .chain(["all", "controlplanes", "workers"].map(str::to_owned))
        .chain(tags.into_iter().map(|t| format!("@{t}")))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ops_core::inventory::{GuardSettings, Versions};
    use proptest::prelude::*;

    /// Three control planes and two workers, `w-1` tagged `storage`.
    pub(crate) fn home() -> Cluster {
        let node = |name: &str, role, last: u8, tags: &[&str]| Node {
            name: name.into(),
            role,
            address: format!("10.20.30.{last}"),
            endpoint: None,
            install_disk: None,
            tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        };
        Cluster {
            name: "home".into(),
            context: "home".into(),
            endpoint: "https://10.20.30.10:6443".into(),
            nodes: vec![
                node("cp-1", Role::Controlplane, 11, &[]),
                node("cp-2", Role::Controlplane, 12, &[]),
                node("cp-3", Role::Controlplane, 13, &[]),
                node("w-1", Role::Worker, 21, &["storage"]),
                node("w-2", Role::Worker, 22, &[]),
            ],
            versions: Versions::default(),
            pod_cidrs: Vec::new(),
            service_cidrs: Vec::new(),
            kubeconfig: "kubeconfig".into(),
            talosconfig: "talosconfig".into(),
            secrets: "secrets.yaml".into(),
            config_dir: "clusterconfig".into(),
            snapshot_dir: "snapshots".into(),
            settings: std::collections::BTreeMap::new(),
            guards: GuardSettings::default(),
            machines: ops_core::machines::Machines::default(),
        }
    }

    fn told(words: &str, role: Option<Role>) -> String {
        let words: Vec<&str> = words.split(',').collect();
        match select(&words, role, &home()) {
            Ok(nodes) => nodes.join(","),
            Err(wrong) => match wrong.suggestion {
                Some(near) => format!("{}; {near}?", wrong.message),
                None => wrong.message,
            },
        }
    }

    #[test]
    fn a_selection_is_given_in_inventory_order() {
        let rows = [
            ("w-1,cp-1", "cp-1,w-1"),
            ("all", "cp-1,cp-2,cp-3,w-1,w-2"),
            ("controlplanes", "cp-1,cp-2,cp-3"),
            ("workers,!w-1", "w-2"),
            ("!w-1,workers", "w-2"),
            ("!w-1", "cp-1,cp-2,cp-3,w-2"),
            ("@storage", "w-1"),
            ("all,!@storage,!controlplanes", "w-2"),
            ("w-1,w-1", "w-1"),
            ("w-9", "there is no node `w-9`; w-1?"),
            ("worker", "there is no node `worker`; workers?"),
            ("@storge", "no node has the tag `@storge`; @storage?"),
            ("10.20.30.21", "`10.20.30.21` is an address: name the node, `w-1`"),
            ("", "a selection has an empty word"),
            ("w-1,", "a selection has an empty word"),
            ("!", "a selection has an empty word"),
            ("w-1,!w-1", "`w-1,!w-1` selects no node"),
            ("all,!all", "`all,!all` selects no node"),
        ];
        for (words, expected) in rows {
            assert_eq!(told(words, None), expected, "{words}");
        }
    }

    #[test]
    fn a_role_limits_what_may_be_selected() {
        let cp = Some(Role::Controlplane);
        assert_eq!(told("all", cp), "cp-1,cp-2,cp-3");
        assert_eq!(told("!cp-1", cp), "cp-2,cp-3");
        assert_eq!(told("w-1", cp), "`w-1` is a worker, not a controlplane");
        assert_eq!(told("workers", cp), "`workers` selects no node");
    }

    proptest! {
        #[test]
        fn what_is_left_out_is_never_selected(
            words in prop::collection::vec("(all|controlplanes|workers|@storage|cp-[123]|w-[12])", 0..5),
            out in "(cp-[123]|w-[12])",
        ) {
            let cluster = home();
            let not = format!("!{out}");
            let words: Vec<&str> = words.iter().map(String::as_str).chain([not.as_str()]).collect();
            if let Ok(nodes) = select(&words, None, &cluster) {
                prop_assert!(!nodes.contains(&out));
                let order: Vec<usize> = nodes
                    .iter()
                    .map(|n| cluster.nodes.iter().position(|m| m.name == *n).unwrap())
                    .collect();
                prop_assert!(order.windows(2).all(|w| w[0] < w[1]), "inventory order, each once");
            }
        }

        #[test]
        fn no_words_select_a_node_that_is_not_there(words in prop::collection::vec(".{0,6}", 0..4)) {
            let cluster = home();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if let Ok(nodes) = select(&words, None, &cluster) {
                prop_assert!(nodes.iter().all(|n| cluster.node(n).is_some()));
                prop_assert!(!nodes.is_empty());
            }
        }
    }
}
