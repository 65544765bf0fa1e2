//! `version`, `get` and `read`: what talosctl asks and how it prints the answers.

use super::resources::{self, Item};
use super::{Ctl, Start};
use crate::face::text::{multierror, table, uuid};
use crate::face::tree::Tree;
use crate::face::{Exit, Process, ToolOutput, failed, not_modelled};
use crate::reply::Reply;
use crate::request::{Kind, Request};
use std::fmt::Write as _;

/// The client's own version: the lab models this release of talosctl.
pub(crate) const CLIENT: &str = "v1.13.0";

fn long(tag: &str, sha: &str, go: &str) -> String {
    format!(
        "\tTag:         {tag}\n\tSHA:         {sha}\n\tBuilt:       \n\tGo version:  {go}\n\t\
         OS/Arch:     linux/amd64\n"
    )
}

pub(super) fn version(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let short = start.flags.bool("short", false);
    let head =
        if short { format!("Talos {CLIENT}\n") } else { long(CLIENT, "undefined", "go1.26.8") };
    let head = format!("Client:\n{head}");
    if start.flags.bool("client", false) {
        let stdout = head.into_bytes();
        return Ok(Process::done(ToolOutput { stdout, ..ToolOutput::default() }));
    }
    let head = format!("{head}Server:\n");
    let ctl = start.target(start.flags.bool("insecure", false)).map_err(|mut output| {
        output.stdout = head.clone().into_bytes();
        output
    })?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        ctl.io.out(&head);
        let (replies, error) = ctl.fan_out(Request::Version).await;
        if let Some(error) = error {
            if replies.is_empty() {
                return ctl.fail(format!("error getting version: {error}"));
            }
            ctl.io.err(format!("WARNING: {error}\n"));
        }
        for (node, _) in replies {
            ctl.io.out(format!("\tNODE:        {node}\n"));
            ctl.io.out(long(&ctl.spec.talos_version, "5a14e4d6", "go1.26.2"));
            // Roles exist only where there are certificates.
            let rbac = if ctl.insecure() { "" } else { "RBAC" };
            ctl.io.out(format!("\tEnabled:     {rbac}\n"));
        }
        Exit::Code(0)
    }))
}

fn kind_of(name: &str) -> Option<Kind> {
    Some(match name.to_ascii_lowercase().as_str() {
        "machinestatus" | "machinestatuses" | "machinestatuses.runtime.talos.dev" => {
            Kind::MachineStatus
        }
        "machineconfig" | "machineconfigs" | "mc" | "machineconfigs.config.talos.dev" => {
            Kind::MachineConfig
        }
        "systeminformation" | "systeminformations" | "systeminformations.hardware.talos.dev" => {
            Kind::SystemInformation
        }
        "hostname" | "hostnamestatus" | "hostnamestatuses" | "hostnamestatuses.net.talos.dev" => {
            Kind::HostnameStatus
        }
        "machinetype" | "machinetypes" | "machinetypes.config.talos.dev" => Kind::MachineType,
        "disk" | "disks" | "disks.block.talos.dev" => Kind::Disks,
        "systemdisk" | "systemdisks" | "systemdisks.block.talos.dev" => Kind::SystemDisk,
        "volumestatus" | "volumestatuses" | "volumestatuses.block.talos.dev" => Kind::VolumeStatus,
        "discoveredvolume" | "discoveredvolumes" | "discoveredvolumes.block.talos.dev" => {
            Kind::DiscoveredVolumes
        }
        "link" | "links" | "linkstatus" | "linkstatuses" | "linkstatuses.net.talos.dev" => {
            Kind::Links
        }
        "address"
        | "addresses"
        | "addressstatus"
        | "addressstatuses"
        | "addressstatuses.net.talos.dev" => Kind::Addresses,
        "member" | "members" | "members.cluster.talos.dev" => Kind::Members,
        "nodename" | "nodenames" | "nodenames.kubernetes.talos.dev" => Kind::Nodename,
        "extension"
        | "extensions"
        | "extensionstatus"
        | "extensionstatuses"
        | "extensionstatuses.runtime.talos.dev" => Kind::Extensions,
        _ => return None,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Table,
    Json,
    Yaml,
}

pub(super) fn get(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let (name, id) = match start.words.as_slice() {
        [name] => (name, None),
        [name, id] => (name, Some(id.clone())),
        words => {
            let count = words.len();
            return Err(failed(&format!("accepts between 1 and 2 arg(s), received {count}\n\n")));
        }
    };
    let format = match start.flags.one("output").unwrap_or("table") {
        "table" => Format::Table,
        "json" => Format::Json,
        "yaml" => Format::Yaml,
        other if other.starts_with("jsonpath=") => {
            return Err(not_modelled("talosctl get -o jsonpath"));
        }
        other => return Err(failed(&format!("output format {other:?} is not supported\n"))),
    };
    let kind = kind_of(name).ok_or_else(|| not_modelled(&format!("talosctl get {name}")))?;
    let namespace = start.flags.one("namespace").unwrap_or("");
    if !namespace.is_empty() && namespace != resources::namespace(kind) {
        return Err(not_modelled(&format!("talosctl get {name} --namespace {namespace}")));
    }
    let insecure = start.flags.bool("insecure", false);
    let ctl = start.target(insecure)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        // The client looks at the servers' versions first and ignores who does not answer.
        let _ = ctl.fan_out(Request::Version).await;
        let columns = resources::columns(kind);
        let mut rows = vec![header(&columns)];
        let mut text = String::new();
        let mut errors = Vec::new();
        for (place, node) in ctl.nodes.iter().enumerate() {
            let label = if insecure { String::new() } else { node.label.clone() };
            let view = match ctl.ask(node, Request::Get(kind)).await {
                Ok(Reply::View(view)) => view,
                Ok(_) => continue,
                // The definition is fetched from the first node, whose failure ends it all.
                Err(trouble) if place == 0 && trouble.unavailable() => {
                    return ctl.fail(trouble.text);
                }
                Err(trouble) => {
                    errors.push(trouble.text);
                    continue;
                }
            };
            let mut items = resources::items(&ctl, kind, &view);
            if let Some(id) = &id {
                items.retain(|item| item.id == *id);
                if items.is_empty() {
                    errors.push(resources::missing(kind, id));
                }
            }
            for item in items {
                match format {
                    Format::Table => rows.push(row(&label, &item, &columns)),
                    Format::Json => {
                        let mut fields = document(&item);
                        fields.push(("node", label.as_str().into()));
                        text.push_str(&Tree::Map(fields).pretty());
                    }
                    Format::Yaml => {
                        let dashes = if text.is_empty() { "" } else { "---\n" };
                        // Writing to a String cannot fail.
                        let _ = write!(
                            text,
                            "{dashes}node: {label}\n{}",
                            Tree::Map(document(&item)).yaml()
                        );
                    }
                }
            }
        }
        ctl.io.out(if format == Format::Table { table(&rows, 3) } else { text });
        if errors.is_empty() { Exit::Code(0) } else { ctl.fail(multierror(&errors)) }
    }))
}

fn header(columns: &[(&str, &[&str])]) -> Vec<String> {
    let mut cells: Vec<String> =
        ["NODE", "NAMESPACE", "TYPE", "ID", "VERSION"].map(str::to_owned).to_vec();
    cells.extend(columns.iter().map(|(name, _)| name.to_uppercase()));
    cells
}

fn row(node: &str, item: &Item, columns: &[(&str, &[&str])]) -> Vec<String> {
    let mut cells = vec![
        node.to_owned(),
        item.namespace.to_owned(),
        item.display.to_owned(),
        item.id.clone(),
        item.version.to_string(),
    ];
    cells.extend(columns.iter().map(|(_, path)| item.spec.column(path)));
    cells
}

fn document(item: &Item) -> Vec<(&'static str, Tree)> {
    let metadata = Tree::Map(vec![
        ("namespace", item.namespace.into()),
        ("type", item.kind.into()),
        ("id", item.id.as_str().into()),
        ("version", item.version.into()),
        ("owner", item.owner.into()),
        ("phase", "running".into()),
        ("created", item.created.as_str().into()),
        ("updated", item.created.as_str().into()),
    ]);
    vec![("metadata", metadata), ("spec", item.spec.clone())]
}

pub(super) fn read(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let [path] = start.words.as_slice() else {
        return Err(failed(&format!("accepts 1 arg(s), received {}\n\n", start.words.len())));
    };
    if path != "/proc/sys/kernel/random/boot_id" {
        return Err(not_modelled(&format!("talosctl read {path}")));
    }
    let ctl = start.target(false)?;
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        if let Some(exit) = ctl.several("read") {
            return exit;
        }
        // A stream's error comes with its first message, without a list of nodes.
        match ctl.ask(&ctl.nodes[0], Request::BootId).await {
            Ok(Reply::BootId(id)) => {
                ctl.io.out(format!("{}\n", uuid(id)));
                Exit::Code(0)
            }
            Ok(_) => Exit::Code(0),
            Err(trouble) => ctl.fail(format!("error reading: {}", trouble.text)),
        }
    }))
}
