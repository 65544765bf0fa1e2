//! Guard `confirm`: the words that a person types before something is destroyed. `--yes` never answers them.
//!
//! Asks nobody itself: it says what to ask, and judges the answer.

use super::deed::Deed;
use super::{Case, Site};
use crate::call::table::Call;
use crate::error::{Code, Fault};
use crate::inventory::Profile;

/// What to ask, and which words are the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What will happen, one line each.
    pub lines: Vec<String>,
    /// The words to type.
    pub words: String,
    cluster: String,
    nodes: Vec<String>,
}

/// Words that were typed and were right: for these nodes of this cluster. Made by [`Question::answer`] alone, and never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    cluster: String,
    nodes: Vec<String>,
}

/// The words that confirm one destroying call: cluster and node, `home w-1`; on a `dev` cluster the node alone.
pub fn confirm_words(call: &Call, site: &Site<'_>) -> String {
    words(site, &[call.spec().node().unwrap_or_default().to_owned()])
}

/// The one question of a run: all its destroying calls together. None where nothing is destroyed.
pub fn question(calls: &[&Call], site: &Site<'_>) -> Option<Question> {
    let mut lines = Vec::new();
    let mut nodes: Vec<String> = Vec::new();
    for call in calls {
        let deed = Deed::of(call, None);
        if !deed.destroys() {
            continue;
        }
        lines.push(consequence(call, &deed));
        let node = deed.node().unwrap_or_default().to_owned();
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    if nodes.is_empty() {
        return None;
    }
    let cluster = site.cluster.name.clone();
    Some(Question { lines, words: words(site, &nodes), cluster, nodes })
}

impl Question {
    /// Judges what was typed. White space around and between the words does not matter, all else does.
    ///
    /// # Errors
    /// Any other words, or none because there was no terminal.
    pub fn answer(self, typed: Option<&str>) -> Result<Confirmed, Box<Fault>> {
        let Some(typed) = typed else {
            return Err(Box::new(typed_for(unanswered(), &self.words)));
        };
        if typed.split_whitespace().eq(self.words.split_whitespace()) {
            return Ok(Confirmed { cluster: self.cluster, nodes: self.nodes });
        }
        Err(Box::new(typed_for(not_confirmed("the words were not typed"), &self.words)))
    }
}

/// Judges whether this call was confirmed, and by enough people.
///
/// # Errors
/// What is missing.
pub(super) fn check(
    call: &Call,
    case: &Case<'_>,
    confirmed: Option<&Confirmed>,
    approved_by: &[String],
    user: &str,
) -> Result<(), Box<Fault>> {
    let site = &case.site;
    let node = call.spec().node().unwrap_or_default();
    let words = confirm_words(call, site);
    let said = confirmed
        .is_some_and(|c| c.cluster == site.cluster.name && c.nodes.iter().any(|n| n == node));
    if !said {
        return Err(Box::new(typed_for(not_confirmed("nobody confirmed this"), &words)));
    }
    let needed = approvals(site);
    let mut others: Vec<&String> = approved_by.iter().filter(|other| *other != user).collect();
    others.sort();
    others.dedup();
    if others.len() < needed as usize {
        return Err(Box::new(
            Fault::new(Code::GUARD_CONFIRM, format!("{needed} other person must approve this"))
                .detail(format!(
                    "{} asks for it; approved by: {}.",
                    site.cluster.name,
                    list(&others)
                ))
                .help("approvals by a second person cannot be given yet on this version"),
        ));
    }
    Ok(())
}

/// How many other people must approve: what the inventory asks, and at least one in production.
pub fn approvals(site: &Site<'_>) -> u32 {
    let asked = site.cluster.guards.approvals.unwrap_or(0);
    if site.profile() == Profile::Production { asked.max(1) } else { asked }
}

fn words(site: &Site<'_>, nodes: &[String]) -> String {
    let nodes = nodes.join(" ");
    match site.profile() {
        Profile::Dev => nodes,
        Profile::Standard | Profile::Production => format!("{} {nodes}", site.cluster.name),
    }
}

fn consequence(call: &Call, deed: &Deed<'_>) -> String {
    let Deed::Reset(reset) = deed else {
        return format!("This is {}: {}.", call.info().name, call.spec().about());
    };
    let labels = &reset.system_labels_to_wipe;
    let after = if !reset.reboot {
        "It powers off and stays off until somebody switches it on."
    } else if labels.iter().any(|label| label == "STATE") {
        "It comes back in maintenance mode, without its config."
    } else {
        "It comes back by itself, with its config."
    };
    let drain = if reset.graceful == Some(false) { " It is not drained first." } else { "" };
    format!("This resets {} of {}. {after}{drain}", and(labels), reset.node)
}

fn and(words: &[String]) -> String {
    match words {
        [] => "nothing".into(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn list(names: &[&String]) -> String {
    if names.is_empty() {
        return "nobody".into();
    }
    names.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ")
}

/// A question that nobody could be asked.
pub fn unanswered() -> Fault {
    not_confirmed("there is no terminal to confirm on")
}

fn not_confirmed(why: &str) -> Fault {
    Fault::new(Code::DECLINED, why)
}

fn typed_for(fault: Fault, words: &str) -> Fault {
    fault.detail(format!(
        "It destroys, so a person types  {words}  on a terminal; --yes does not answer it."
    ))
}
