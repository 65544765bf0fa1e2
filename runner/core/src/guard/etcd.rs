//! From what each control plane says about etcd to who votes and who is healthy. Disagreement and silence are unknown, never healthy.

use std::collections::BTreeSet;

use super::facts::{EtcdSaid, EtcdView, Member, MemberStatus};
use crate::inventory::Cluster;

/// Entries that a healthy member may lie behind the furthest one.
pub const RAFT_LAG: u64 = 1000;

/// Who votes, and who of them is healthy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voters {
    /// Healthy voters, by name.
    pub healthy: BTreeSet<String>,
    /// Voters that are listed and not healthy, by name; without those whose node is proven to have no etcd data.
    pub ill: BTreeSet<String>,
    /// How many voters the member list has, healthy or not.
    pub listed: usize,
    /// Every reason why etcd is not fully healthy.
    pub troubles: Vec<Trouble>,
    /// Who was asked and answered.
    pub asked: Vec<String>,
    /// The leader's name, where all know the same.
    pub leader: Option<String>,
}

/// A reason why etcd is not fully healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Whose trouble it is, by name; nothing where it is that of no one node.
    pub node: Option<String>,
    /// The reason in words.
    pub words: String,
}

impl Trouble {
    /// One node's trouble.
    pub fn of(node: &str, words: String) -> Trouble {
        Trouble { node: Some(node.to_owned()), words }
    }
}

/// What is known of etcd as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Etcd {
    /// Every control plane of the inventory is proven to have none: it was never bootstrapped, or is gone for good.
    Absent,
    /// There is one.
    Present(Voters),
}

/// Judges what the control planes said.
///
/// # Errors
/// Why nobody can say: too few answered, or they disagree.
pub fn assess(view: &EtcdView, cluster: &Cluster) -> Result<Etcd, String> {
    let answer = |name: &str| view.answers.iter().find(|a| a.node == name).map(|a| &a.said);
    let mut silent = Vec::new();
    let mut without = 0;
    let mut lists: Vec<(&str, BTreeSet<&Member>, Option<&MemberStatus>)> = Vec::new();
    for node in cluster.control_planes() {
        match answer(&node.name) {
            None => {
                silent.push(Trouble::of(&node.name, format!("{} was not asked", node.name)));
            }
            Some(EtcdSaid::Silent(why)) => {
                silent.push(Trouble::of(&node.name, format!("{}: {why}", node.name)));
            }
            Some(EtcdSaid::NoEtcd) => without += 1,
            Some(EtcdSaid::Members { members, status }) => {
                lists.push((&node.name, members.iter().collect(), status.as_ref()));
            }
        }
    }
    let planes = without + silent.len() + lists.len();
    let Some((first, members, _)) = lists.first() else {
        if planes > 0 && silent.is_empty() {
            return Ok(Etcd::Absent);
        }
        return Err(format!("no control plane shows its members ({})", told(&silent)));
    };
    if let Some((other, ..)) = lists.iter().find(|(_, list, _)| list != members) {
        return Err(format!("{first} and {other} disagree on who is a member"));
    }
    // A cluster that is just being bootstrapped has one member, and every other control plane is proven to have none.
    let alone = members.len() == 1 && silent.is_empty();
    if planes > 1 && lists.len() < 2 && !alone {
        return Err(format!("only {first} answers, two must agree ({})", told(&silent)));
    }
    let mut found = voters(members, &lists, silent);
    found.ill.retain(|name| answer(name) != Some(&EtcdSaid::NoEtcd));
    Ok(Etcd::Present(found))
}

fn told(troubles: &[Trouble]) -> String {
    troubles.iter().map(|trouble| trouble.words.as_str()).collect::<Vec<_>>().join("; ")
}

fn voters(
    members: &BTreeSet<&Member>,
    lists: &[(&str, BTreeSet<&Member>, Option<&MemberStatus>)],
    silent: Vec<Trouble>,
) -> Voters {
    let statuses: Vec<&MemberStatus> = lists.iter().filter_map(|(_, _, s)| *s).collect();
    let furthest = statuses.iter().map(|s| s.raft_index).max().unwrap_or(0);
    let leaders: BTreeSet<&str> =
        statuses.iter().map(|s| s.leader.as_str()).filter(|l| !l.is_empty()).collect();
    let leader = match (leaders.len(), leaders.first()) {
        (1, Some(id)) => members.iter().find(|m| m.id == *id && !m.learner),
        _ => None,
    };
    let mut found = Voters {
        listed: members.iter().filter(|m| !m.learner).count(),
        troubles: silent,
        asked: lists.iter().map(|(node, ..)| (*node).to_owned()).collect(),
        leader: leader.map(|m| m.name.clone()),
        ..Voters::default()
    };
    if leader.is_none() {
        let words = "no one leader that all know".into();
        found.troubles.push(Trouble { node: None, words });
    }
    for member in members {
        let name = if member.name.is_empty() {
            format!("member {}", member.id)
        } else {
            member.name.clone()
        };
        let status = lists
            .iter()
            .find(|(node, ..)| *node == member.name)
            .and_then(|(_, _, status)| status.filter(|s| s.id == member.id));
        let trouble = trouble(member, status, furthest);
        if trouble.is_none() && leader.is_some() {
            found.healthy.insert(name);
            continue;
        }
        if let Some(why) = trouble {
            let node = (!member.name.is_empty()).then(|| member.name.clone());
            found.troubles.push(Trouble { node, words: format!("{name} {why}") });
        }
        if !member.learner {
            found.ill.insert(name);
        }
    }
    found
}

/// Why a member is not a healthy voter.
fn trouble(member: &Member, status: Option<&MemberStatus>, furthest: u64) -> Option<String> {
    if member.learner {
        return Some("is a learner".into());
    }
    if member.name.is_empty() {
        return Some("never started".into());
    }
    let Some(status) = status else { return Some("does not show its status".into()) };
    if !status.alarms.is_empty() {
        return Some(format!("raised the alarm {}", status.alarms.join(", ")));
    }
    if let Some(error) = status.errors.first() {
        return Some(format!("reports: {error}"));
    }
    if !status.healthy {
        return Some("is not healthy".into());
    }
    if status.leader.is_empty() {
        return Some("knows no leader".into());
    }
    let lag = furthest - status.raft_index;
    (lag > RAFT_LAG).then(|| format!("lies {lag} entries behind"))
}
