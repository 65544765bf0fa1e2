//! `ops adopt [NODE]`: who the cluster and its machines are, from now on.

use ops_core::error::{Code, Exit, Fault};
use ops_core::guard::unanswered;
use ops_core::inventory::{LockFile, Profile};

use super::Start;
use super::args::{AdoptArgs, Globals, ProfileArg};
use super::opened::Opened;
use super::seam::{block_on, keep_lab, looking};
use crate::config::{Settings, lockfile};
use crate::engine::adopt::Adopted;
use crate::output::Output;
use crate::store::{folder_name, rename_folder};
use crate::sys::files::Files;

/// Reads the identity of the cluster, or of one node, into the lock file.
pub(super) fn run(start: &Start, args: &AdoptArgs) -> Result<Exit, Fault> {
    let settings = start.settings()?;
    let cluster = settings.need_cluster()?;
    if let Some(node) = args.node.as_ref().filter(|node| cluster.node(node).is_none()) {
        let title = format!("there is no node `{node}` in cluster `{}`", cluster.name);
        let names = cluster.nodes.iter().map(|n| n.name.as_str());
        return Err(Fault::new(Code::PARAM_VALUE, title).did_you_mean(node, names));
    }
    adopt(&settings, args, &start.globals, &start.output())
}

/// Reads identities and writes the lock file.
fn adopt(
    settings: &Settings,
    args: &AdoptArgs,
    globals: &Globals,
    out: &Output,
) -> Result<Exit, Fault> {
    let opened = Opened::new(settings.clone(), globals, out)?;
    let adopted = block_on(read_identity(&opened, globals, args.node.as_deref()))?;
    for silent in &adopted.silent {
        out.remark(&format!("not read: {silent}"));
    }
    let (mut lock, mut changes) = (adopted.lock, adopted.changes);
    if let Some(profile) = args.profile.map(profile_of).filter(|p| *p != lock.profile) {
        changes.push(format!("profile: {profile:?}").to_lowercase());
        lock.profile = profile;
    }
    if changes.is_empty() {
        out.result(&format!("{} is adopted as it is\n", opened.cluster.name));
        return Ok(Exit::Done);
    }
    out.result(&format!("{}\n  {}\n", settings.lock_path, changes.join("\n  ")));
    if globals.dry_run {
        return Ok(Exit::Done);
    }
    if !globals.yes {
        let question = format!("Write {}?", settings.lock_path);
        match opened.asker.yes(&question) {
            Some(true) => {}
            Some(false) => return Err(Fault::new(Code::DECLINED, "declined")),
            None => {
                return Err(unanswered().next("ops adopt --yes"));
            }
        }
    }
    write_lock(&opened, &lock)?;
    if !settings.lab {
        follow_identity(&opened, &lock)?;
    }
    out.result(&format!("wrote {}\n", settings.lock_path));
    Ok(Exit::Done)
}

/// Adopts the lab's own cluster into the lab's own lock file.
pub(super) fn adopt_lab(settings: &Settings, globals: &Globals, out: &Output) -> Result<(), Fault> {
    let opened = Opened::new(settings.clone(), globals, out)?;
    let adopted = block_on(read_identity(&opened, globals, None))?;
    write_lock(&opened, &adopted.lock)
}

async fn read_identity(
    opened: &Opened,
    globals: &Globals,
    node: Option<&str>,
) -> Result<Adopted, Fault> {
    looking(opened, globals, async |session| session.adopt(node).await.map_err(|fault| *fault))
        .await
}

/// Journals, grants and audit stay with the cluster when its identity becomes known.
fn follow_identity(opened: &Opened, lock: &LockFile) -> Result<(), Fault> {
    let root = opened.disk.root();
    let base = opened.settings.state_dir()?;
    let site = opened.site();
    let new = ops_core::guard::Site { lock: Some(lock), ..site };
    rename_folder(&base, &folder_name(&site, root), &folder_name(&new, root))
        .map(|_| ())
        .map_err(|fault| *fault)
}

fn write_lock(opened: &Opened, lock: &LockFile) -> Result<(), Fault> {
    let path = &opened.settings.lock_path;
    opened.disk.write(path, lockfile::text(lock)?.as_bytes(), 0o644).map_err(|error| {
        Fault::new(Code::CONFIG_READ, format!("cannot write `{path}`: {error}"))
    })?;
    keep_lab(opened)
}

fn profile_of(typed: ProfileArg) -> Profile {
    match typed {
        ProfileArg::Dev => Profile::Dev,
        ProfileArg::Standard => Profile::Standard,
        ProfileArg::Production => Profile::Production,
    }
}
