//! `apply-config`, `bootstrap`, `reset`, `reboot`, `shutdown`: verbs that change a node.

use super::track::{Action, PostCheck, Until, track};
use super::{Ctl, Start};
use crate::config;
use crate::face::flags::{FlagError, go_duration};
use crate::face::text::{Sent, immediate};
use crate::face::{Exit, Process, ToolOutput, failed};
use crate::reply::{Applied, Reply};
use crate::request::{ApplyMode, ConfigRef, Labels, RebootMode, Request, Reset, Upload, WipeMode};
use crate::world::{Ms, Snapshot};

fn bad(error: FlagError) -> ToolOutput {
    match error {
        FlagError::Unknown(text) | FlagError::Bad(text) => failed(&format!("{text}\n\n")),
    }
}

fn choice(flag: &str, value: &str, options: &str) -> ToolOutput {
    failed(&format!(
        "invalid argument {value:?} for {flag:?} flag: possible options are: {options}\n\n"
    ))
}

pub(super) fn apply(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    let mode = match start.flags.one("mode").unwrap_or("auto") {
        "auto" => ApplyMode::Auto,
        "no-reboot" => ApplyMode::NoReboot,
        "reboot" => ApplyMode::Reboot,
        "staged" => ApplyMode::Staged,
        "try" => ApplyMode::Try,
        other => {
            return Err(choice("-m, --mode", other, "auto, no-reboot, reboot, staged, try"));
        }
    };
    let timeout = start.flags.duration("timeout", 60_000).map_err(bad)?;
    let dry_run = start.flags.bool("dry-run", false);
    if !start.words.is_empty() {
        let word = &start.words[0];
        return Err(failed(&format!("unknown command {word:?} for \"talosctl apply-config\"\n\n")));
    }
    let path = start.flags.one("file").unwrap_or("").to_owned();
    if path.is_empty() {
        return Err(failed("no filename supplied for configuration\n"));
    }
    let Some(bytes) = start.files.read(&path) else {
        return Err(failed(&format!(
            "failed to read configuration from {path:?}: open {path}: no such file or directory\n"
        )));
    };
    if bytes.is_empty() {
        return Err(failed("no configuration data read\n"));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let problem = |installed| {
        let read = config::read(&text).and_then(|document| document.validate(installed));
        read.err().map(|error| error.0)
    };
    let (installed, bare) = (problem(true), problem(false));
    let mut ctl = start.target(start.flags.bool("insecure", false))?;
    let known = start.lab.learn(&text).ok();
    let config = match known {
        Some(config) if installed.is_none() => ConfigRef::Good(config),
        _ => ConfigRef::Broken,
    };
    ctl.sent = Some(Sent {
        config: known,
        installed: installed.unwrap_or_default(),
        bare: bare.unwrap_or_default(),
    });
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        let request = Request::Apply { config, mode, dry_run, timeout };
        let (replies, error) = ctl.fan_out(request).await;
        // With one node's error nothing is said of the others, although they have applied it.
        for (_, reply) in replies.iter().filter(|_| error.is_none()) {
            if let Reply::Applied { how, active } = reply {
                let text = details(&ctl, *how, *active, mode, dry_run, timeout);
                ctl.io.err(format!("{text}\n"));
            }
        }
        match error {
            Some(error) => ctl.fail(format!("error applying new configuration: {error}")),
            None => Exit::Code(0),
        }
    }))
}

fn details(
    ctl: &Ctl,
    how: Applied,
    active: Option<crate::world::ConfigId>,
    mode: ApplyMode,
    dry_run: bool,
    timeout: Ms,
) -> String {
    let plain = match how {
        Applied::Immediately | Applied::Try => "Applied configuration without a reboot",
        Applied::Reboot { .. } => "Applied configuration with a reboot",
        Applied::Staged => "Staged configuration to be applied after the next reboot",
    };
    if dry_run {
        let sent = ctl.sent.as_ref().and_then(|sent| sent.config);
        let text = |config: Option<crate::world::ConfigId>| {
            config.map(|config| ctl.io.text(config)).unwrap_or_default()
        };
        let diff = config::unified(&text(active), &text(sent));
        let diff = if diff.is_empty() { "No changes." } else { &diff };
        return format!("Dry run summary:\n{plain} (skipped in dry-run).\nConfig diff:\n\n{diff}");
    }
    if mode == ApplyMode::Try {
        return format!(
            "{plain}\nThe config is applied in 'try' mode and will be automatically reverted back in {}",
            go_duration(timeout)
        );
    }
    match (how, active) {
        (Applied::Reboot { because: true }, Some(active)) => {
            format!("{plain}: {}", immediate(active, &ctl.around("")))
        }
        _ => plain.to_owned(),
    }
}

pub(super) fn bootstrap(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    let ctl = start.target(false)?;
    if ctl.nodes.len() > 1 {
        return Err(failed("command \"bootstrap\" is not supported with multiple nodes\n"));
    }
    let skip_hash = start.flags.bool("recover-skip-hash-check", false);
    let from = start.flags.one("recover-from").filter(|path| !path.is_empty()).map(str::to_owned);
    let upload = match &from {
        None => None,
        Some(path) => Some(upload(start, path)?),
    };
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        if let (Some(path), Some((upload, info))) = (&from, upload) {
            ctl.io.out(format!("recovering from snapshot {path:?}: {info}\n"));
            if let Err(error) = ctl.single(Request::Upload(upload)).await {
                return ctl.fail(format!("error uploading snapshot: {error}"));
            }
        }
        let recover = from.is_some();
        match ctl.single(Request::Bootstrap { recover, skip_hash }).await {
            Ok(_) => Exit::Code(0),
            Err(error) => ctl.fail(format!("error executing bootstrap: {error}")),
        }
    }))
}

/// Reads a snapshot file; one that was cut or changed is uploaded as it is, and fails on the node.
fn upload(start: &mut Start<'_>, path: &str) -> Result<(Upload, String), ToolOutput> {
    let Some(bytes) = start.files.read(path) else {
        return Err(failed(&format!("stat {path}: no such file or directory\n")));
    };
    match crate::snapshot::read(&bytes) {
        Some(snapshot) => {
            let info = crate::snapshot::info(&snapshot, bytes.len());
            let number = start.lab.world.snapshots.iter().position(|known| {
                known.cluster == snapshot.cluster && known.revision == snapshot.revision
            });
            let id = match number {
                Some(number) => {
                    crate::world::SnapshotId { revision: snapshot.revision, number: number as u32 }
                }
                None => foreign(start, snapshot),
            };
            Ok((Upload::Good(id), info))
        }
        None => {
            Ok((Upload::Corrupt, "hash 00000000, revision 0, total keys 0, total size 0".into()))
        }
    }
}

/// A snapshot of an earlier lab: its cluster is not one of this world's.
fn foreign(start: &mut Start<'_>, snapshot: Snapshot) -> crate::world::SnapshotId {
    start.lab.world.keep_snapshot(Snapshot { cluster: u8::MAX, ..snapshot })
}

pub(super) fn reset(start: &mut Start<'_>) -> Result<Process, ToolOutput> {
    let flags = &start.flags;
    let mode = match flags.one("wipe-mode").unwrap_or("all") {
        "all" => WipeMode::All,
        "system-disk" => WipeMode::SystemDisk,
        "user-disks" => WipeMode::UserDisks,
        other => return Err(choice("--wipe-mode", other, "all, system-disk, user-disks")),
    };
    let timeout = flags.duration("timeout", 1_800_000).map_err(bad)?;
    if let Some(word) = start.words.first() {
        return Err(failed(&format!("unknown command {word:?} for \"talosctl reset\"\n\n")));
    }
    let wait = flags.bool("wait", true) || flags.bool("debug", false);
    let (insecure, reboot) = (flags.bool("insecure", false), flags.bool("reboot", false));
    let graceful = flags.bool("graceful", true);
    if wait && insecure {
        return Err(failed("cannot use --wait and --insecure together\n"));
    }
    let wanted = flags.list("system-labels-to-wipe").to_vec();
    let devices = flags.list("user-disks-to-wipe").to_vec();
    let mut labels = Labels::default();
    for label in &wanted {
        match label.as_str() {
            "META" => labels.meta = true,
            "STATE" => labels.state = true,
            "EPHEMERAL" => labels.ephemeral = true,
            directory if super::storage::DIRECTORIES.contains(&directory) => {
                let name = start.lab.world.intern(directory);
                labels.directory.get_or_insert(name);
            }
            other => {
                let name = start.lab.world.intern(other);
                labels.unknown.get_or_insert(name);
            }
        }
    }
    let disks = devices.iter().map(|device| start.lab.world.intern(device)).collect();
    let request = Request::Reset(Reset { graceful, reboot, labels, mode, disks });
    let post = if reboot { PostCheck::MaintenanceOrBootId } else { PostCheck::None };
    let action = Action { request, until: Until::Stopping, post, timeout };
    run(start, insecure, wait, action, "error executing reset")
}

/// Follows the action, or sends it to all nodes and leaves.
fn run(
    start: &Start<'_>,
    insecure: bool,
    wait: bool,
    action: Action,
    what: &'static str,
) -> Result<Process, ToolOutput> {
    let ctl = start.target(insecure)?;
    if wait {
        return Ok(Start::run(ctl, async move |ctl: Ctl| track(ctl, action).await));
    }
    Ok(Start::run(ctl, async move |ctl: Ctl| {
        let _ = ctl.fan_out(Request::Version).await;
        match ctl.fan_out(action.request).await {
            (_, Some(error)) => ctl.fail(format!("{what}: {error}")),
            _ => Exit::Code(0),
        }
    }))
}

pub(super) fn reboot(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let mode = match start.flags.one("mode").unwrap_or("default") {
        "default" => RebootMode::Default,
        "powercycle" => RebootMode::Powercycle,
        "force" => RebootMode::Force,
        other => return Err(choice("-m, --mode", other, "default, force, powercycle")),
    };
    let timeout = start.flags.duration("timeout", 1_800_000).map_err(bad)?;
    let wait = start.flags.bool("wait", true) || start.flags.bool("debug", false);
    let request = Request::Reboot(mode);
    let action = Action { request, until: Until::Ready, post: PostCheck::BootId, timeout };
    run(start, false, wait, action, "error executing reboot")
}

pub(super) fn shutdown(start: &Start<'_>) -> Result<Process, ToolOutput> {
    let timeout = start.flags.duration("timeout", 1_800_000).map_err(bad)?;
    let wait = start.flags.bool("wait", true) || start.flags.bool("debug", false);
    let request = Request::Shutdown { force: start.flags.bool("force", false) };
    let action = Action { request, until: Until::Stopping, post: PostCheck::None, timeout };
    run(start, false, wait, action, "error executing shutdown")
}
