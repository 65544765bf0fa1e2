//! `ops lab …`: the simulated cluster of this place. Its state and all of its files lie below `.ops/lab/NAME/`.

mod state;

use std::path::PathBuf;

use ops_core::error::{Code, Exit, Fault};
use ops_core::guard::Site;
use ops_lab::Lab;

use super::args::{Globals, LabArgs, LabCommand};
use super::sops::Sops;
use super::{Start, adopt};
use crate::config::Settings;
use crate::host::simulated::save_lab;
use crate::output::{Output, views};
use crate::store::folder_name;

pub(super) use state::spec;

/// Makes, shows, breaks or forgets the lab.
pub(super) fn run(start: &Start, args: &LabArgs) -> Result<Exit, Fault> {
    let out = start.output();
    if args.command == LabCommand::Facts {
        out.result(&views::facts(&ops_lab::header(), ops_lab::facts(), out.look()));
        out.document("ops.lab.facts", 1, || {
            views::facts_json(ops_lab::facts::MODEL, ops_lab::facts())
        });
        return Ok(Exit::Done);
    }
    let mut globals = start.globals.clone();
    globals.lab = true;
    let settings = Settings::resolve(start.project()?, &globals.typed(), start.env.clone(), &Sops)?;
    settings.need_cluster()?;
    match &args.command {
        LabCommand::Up { healthy, seed } => up(&settings, &globals, *healthy, *seed, &out),
        LabCommand::State => {
            show(&existing(&settings)?, &out);
            Ok(Exit::Done)
        }
        LabCommand::Break { fault, node } => change(&settings, fault, node.as_deref(), true, &out),
        LabCommand::Heal { fault, node } => change(&settings, fault, node.as_deref(), false, &out),
        LabCommand::Reset => reset(&settings, &out),
        LabCommand::Facts => Ok(Exit::Done),
    }
}

/// Where the lab of these settings is kept between commands.
pub(super) fn state_path(settings: &Settings) -> Result<PathBuf, Fault> {
    Ok(settings.root().join(settings.lab_dir()?).join("state.json"))
}

/// The lab of these settings: as it was left, or new with bare nodes.
pub(super) fn open(settings: &Settings) -> Result<Lab, Fault> {
    let cluster = settings.need_cluster()?;
    let mut lab = if let Some(lab) = stored(settings)? {
        lab
    } else {
        forget_runs(settings)?;
        Lab::bare(spec(cluster, 1))
    };
    state::write_bundle(settings.root(), cluster, &mut lab)?;
    Ok(lab)
}

fn stored(settings: &Settings) -> Result<Option<Lab>, Fault> {
    let path = state_path(settings)?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&path, &error.to_string())),
    };
    let lab = Lab::load(&text).map_err(|error| unreadable(&path, &error.to_string()))?;
    let cluster = settings.need_cluster()?;
    // A lab of other machines would answer for nodes that the inventory does not have.
    let known: Vec<(&str, &str)> =
        lab.spec().nodes.iter().map(|n| (n.name.as_str(), n.address.as_str())).collect();
    let wanted: Vec<(&str, &str)> =
        cluster.nodes.iter().map(|n| (n.name.as_str(), n.address.as_str())).collect();
    if known != wanted {
        let title =
            format!("the lab was made for other nodes than clusters/{}.toml has", cluster.name);
        return Err(Fault::new(Code::LAB, title).next("ops lab reset"));
    }
    Ok(Some(lab))
}

fn unreadable(path: &std::path::Path, why: &str) -> Fault {
    Fault::new(Code::LAB, why.to_owned()).detail(path.display().to_string()).next("ops lab reset")
}

fn existing(settings: &Settings) -> Result<Lab, Fault> {
    stored(settings)?.ok_or_else(|| {
        let cluster = settings.cluster.as_ref().map_or("", |c| c.name.as_str());
        Fault::new(Code::LAB, format!("there is no lab of `{cluster}` yet"))
            .next("ops lab up")
            .next("ops lab up --healthy")
    })
}

fn up(
    settings: &Settings,
    globals: &Globals,
    healthy: bool,
    seed: u64,
    out: &Output,
) -> Result<Exit, Fault> {
    if state_path(settings)?.exists() {
        return Err(Fault::new(Code::LAB, "there is a lab already")
            .next("ops lab state")
            .next("ops lab reset"));
    }
    let cluster = settings.need_cluster()?;
    forget_runs(settings)?;
    let spec = spec(cluster, seed);
    let lab = if healthy {
        let mut lab = Lab::healthy(spec);
        state::write_files(settings.root(), cluster, &mut lab)?;
        lab
    } else {
        Lab::bare(spec)
    };
    keep(settings, &lab)?;
    if healthy {
        // A cluster that runs has been adopted by whoever brought it up; the lab's pins are the lab's own file.
        adopt::adopt_lab(settings, globals, out)?;
    }
    // Read anew: the adoption has asked the cluster, so its time and its requests have moved on.
    show(&existing(settings)?, out);
    Ok(Exit::Done)
}

fn change(
    settings: &Settings,
    fault: &str,
    node: Option<&str>,
    breaks: bool,
    out: &Output,
) -> Result<Exit, Fault> {
    use ops_lab::{Fault as Broken, FaultError};
    let wrong = |error: FaultError| {
        let title = match &error {
            FaultError::Unknown(name) => format!("there is no fault `{name}`"),
            other => other.to_string(),
        };
        let told = Fault::new(Code::LAB, title);
        match error {
            FaultError::Unknown(name) => told
                .detail(format!("faults: {}", Broken::NAMES.join(", ")))
                .did_you_mean(&name, Broken::NAMES),
            FaultError::NodeMissing(fault) => told.next(format!("ops lab break {fault} NODE")),
            FaultError::NoNode(name) => {
                let names = settings.cluster.iter().flat_map(|c| &c.nodes).map(|n| n.name.as_str());
                told.did_you_mean(&name, names)
            }
        }
    };
    let fault = Broken::parse(fault, node).map_err(wrong)?;
    let mut lab = existing(settings)?;
    let done = if breaks { lab.break_(&fault) } else { lab.heal(&fault) };
    done.map_err(wrong)?;
    keep(settings, &lab)?;
    show(&lab, out);
    Ok(Exit::Done)
}

fn reset(settings: &Settings, out: &Output) -> Result<Exit, Fault> {
    let dir = settings.lab_dir()?;
    match std::fs::remove_dir_all(settings.root().join(&dir)) {
        Ok(()) => out.progress(&format!("{dir} is gone\n")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            out.progress("there was no lab\n");
        }
        Err(error) => {
            return Err(Fault::new(Code::CONFIG_READ, format!("cannot remove `{dir}`: {error}")));
        }
    }
    Ok(Exit::Done)
}

/// Runs and grants of an earlier lab go with it: its clock began anew, so their ages would mean nothing.
fn forget_runs(settings: &Settings) -> Result<(), Fault> {
    let site = Site { cluster: settings.need_cluster()?, lock: None, lab: true };
    let root = settings.root().canonicalize().unwrap_or_else(|_| settings.root().to_owned());
    let folder = settings.state_dir()?.join(folder_name(&site, &root));
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let title = format!("cannot remove `{}`: {error}", folder.display());
            Err(Fault::new(Code::STATE_STORE, title))
        }
        _ => Ok(()),
    }
}

fn keep(settings: &Settings, lab: &Lab) -> Result<(), Fault> {
    let path = state_path(settings)?;
    save_lab(lab, &path).map_err(|error| {
        Fault::new(Code::CONFIG_READ, format!("cannot write `{}`: {error}", path.display()))
    })
}

fn show(lab: &Lab, out: &Output) {
    let look = out.look();
    out.result(&lab.draw(look.room(), look.colour));
    out.document("ops.lab.state", 1, || views::lab_state_json(&lab.state()));
}
