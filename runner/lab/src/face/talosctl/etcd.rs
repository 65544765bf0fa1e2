//! `etcd …`: members, status, alarms, snapshot, and the verbs that change the member list.

use super::{Ctl, Start};
use crate::face::text::{member_id, si_bytes, table};
use crate::face::{Exit, Process, ToolOutput, failed, not_modelled};
use crate::reply::Reply;
use crate::request::Request;
use crate::snapshot;

/// etcd's protocol and storage versions in this Talos.
const ETCD: [&str; 2] = ["3.6.11", "3.6.0"];

fn exactly(start: &Start<'_>, count: usize) -> Result<(), ToolOutput> {
    let given = start.words.len() - 1;
    if given == count {
        return Ok(());
    }
    Err(failed(&format!("accepts {count} arg(s), received {given}\n\n")))
}

pub(super) fn start(start: &Start<'_>) -> Result<Process, ToolOutput> {
    match start.words[0].as_str() {
        "members" => members(start),
        "status" => status(start),
        "alarm" if start.words.get(1).is_some_and(|word| word == "list") => alarms(start),
        "snapshot" => take(start),
        "remove-member" => remove(start),
        "leave" => plain(start, "etcd leave", Request::EtcdLeave),
        "forfeit-leadership" => plain(start, "", Request::EtcdForfeit),
        other => Err(not_modelled(&format!("talosctl etcd {other}"))),
    }
}

/// Prints what there is and warns of the rest, or fails when there is nothing.
fn partial(ctl: &Ctl, any: bool, error: Option<String>, what: &str) -> Option<Exit> {
    let error = error?;
    if any {
        ctl.io.err(format!("WARNING: {error}\n"));
        return None;
    }
    Some(ctl.fail(format!("{what}: {error}")))
}

fn members(start: &Start<'_>) -> Result<Process, ToolOutput> {
    exactly(start, 0)?;
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        let (replies, error) = ctl.fan_out(Request::EtcdMembers).await;
        if let Some(exit) = partial(&ctl, !replies.is_empty(), error, "error getting members") {
            return exit;
        }
        let mut rows = vec![
            ["NODE", "ID", "HOSTNAME", "PEER URLS", "CLIENT URLS", "LEARNER"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for (node, reply) in replies {
            let Reply::Members(members) = reply else { continue };
            for member in members {
                let address = &ctl.spec.nodes[usize::from(member.node.0)].address;
                rows.push(vec![
                    node.clone(),
                    member_id(member.id),
                    ctl.io.name(member.name),
                    format!("https://{address}:2380"),
                    format!("https://{address}:2379"),
                    member.learner.to_string(),
                ]);
            }
        }
        ctl.io.out(table(&rows, 3));
        Exit::Code(0)
    }))
}

fn status(start: &Start<'_>) -> Result<Process, ToolOutput> {
    exactly(start, 0)?;
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        let (replies, error) = ctl.fan_out(Request::EtcdStatus).await;
        if let Some(exit) = partial(&ctl, !replies.is_empty(), error, "error getting status") {
            return exit;
        }
        let mut rows = vec![
            [
                "NODE",
                "MEMBER",
                "DB SIZE",
                "IN USE",
                "LEADER",
                "RAFT INDEX",
                "RAFT TERM",
                "RAFT APPLIED INDEX",
                "LEARNER",
                "PROTOCOL",
                "STORAGE",
                "ERRORS",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        for (node, reply) in replies {
            let Reply::Status(status) = reply else { continue };
            let used = status.size / 5 * 2;
            let mut errors = Vec::new();
            if status.no_leader {
                errors.push("etcdserver: no leader".to_owned());
            }
            if status.nospace {
                errors.push(format!("memberID:{} alarm:NOSPACE ", status.member));
            }
            rows.push(vec![
                node,
                member_id(status.member),
                si_bytes(status.size),
                format!("{} (40.00%)", si_bytes(used)),
                member_id(status.leader),
                status.index.to_string(),
                status.term.to_string(),
                status.index.to_string(),
                status.learner.to_string(),
                ETCD[0].to_owned(),
                ETCD[1].to_owned(),
                errors.join(", "),
            ]);
        }
        ctl.io.out(table(&rows, 3));
        Exit::Code(0)
    }))
}

fn alarms(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        let (replies, error) = ctl.fan_out(Request::EtcdAlarms).await;
        if let Some(exit) = partial(&ctl, !replies.is_empty(), error, "error getting alarms") {
            return exit;
        }
        let mut rows = Vec::new();
        for (node, reply) in replies {
            if let Reply::Status(status) = reply
                && status.nospace
            {
                rows.push(vec![node, member_id(status.member), "NOSPACE".to_owned()]);
            }
        }
        if !rows.is_empty() {
            rows.insert(0, ["NODE", "MEMBER", "ALARM"].map(str::to_owned).to_vec());
        }
        ctl.io.out(table(&rows, 3));
        Exit::Code(0)
    }))
}

fn take(start: &Start<'_>) -> Result<Process, ToolOutput> {
    exactly(start, 1)?;
    let path = start.words[1].clone();
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        if let Some(exit) = ctl.several("etcd snapshot") {
            return exit;
        }
        let reply = match ctl.ask(&ctl.nodes[0], Request::EtcdSnapshot).await {
            Ok(reply) => reply,
            Err(trouble) => return ctl.fail(format!("error reading: {}", trouble.text)),
        };
        let Reply::Snapshot(taken) = reply else { return Exit::Code(1) };
        let bytes = snapshot::write(&taken);
        let size = bytes.len();
        ctl.io.write(&path, bytes, 0o600);
        ctl.io.out(format!(
            "etcd snapshot saved to {path:?} ({size} bytes)\nsnapshot info: {}\n",
            snapshot::info(&taken, size)
        ));
        Exit::Code(0)
    }))
}

fn remove(start: &Start<'_>) -> Result<Process, ToolOutput> {
    exactly(start, 1)?;
    let id = &start.words[1];
    let member = u64::from_str_radix(id, 16).map_err(|_| {
        failed(&format!(
            "error parsing member ID: error parsing etcd member id: strconv.ParseUint: parsing {id:?}: invalid syntax\n"
        ))
    })?;
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        match ctl.fan_out(Request::EtcdRemove(member)).await {
            (_, Some(error)) => ctl.fail(error),
            _ => Exit::Code(0),
        }
    }))
}

fn plain(start: &Start<'_>, verb: &'static str, request: Request) -> Result<Process, ToolOutput> {
    exactly(start, 0)?;
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        if let Some(exit) = ctl.several(verb).filter(|_| !verb.is_empty()) {
            return exit;
        }
        match ctl.fan_out(request).await {
            (_, Some(error)) => ctl.fail(error),
            _ => Exit::Code(0),
        }
    }))
}
