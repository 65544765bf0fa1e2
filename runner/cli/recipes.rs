//! Where the catalogue comes from: the recipes of `ops` and those of the repository.

use ops_core::error::{Code, Fault};
use ops_core::machine::{Machine, StepSpec};

use super::index::Index;
use crate::config::{Environment, Project};
use crate::engine::run::Bodies;
use crate::lua::Host;
use crate::recipe::source::Sources;
use crate::sys::disk::Disk;

impl Bodies for Host {
    fn spawn(&self, spec: StepSpec) -> Box<dyn Machine> {
        Host::spawn(self, spec)
    }
}

/// Every recipe of this place: from the written catalogue, or loaded and written down.
pub(super) fn load(project: &Project, env: &Environment) -> Result<Host, Fault> {
    let disk = Disk::new(&project.root).map_err(|error| {
        Fault::new(Code::CONFIG_READ, format!("cannot read `{}`: {error}", project.root.display()))
    })?;
    let sources = Sources::collect(&disk)?;
    let index = Index::new(env, disk.root(), &sources.digest());
    if let Some(catalog) = index.as_ref().and_then(Index::read) {
        return Ok(Host::with_catalog(sources, catalog));
    }
    let host = Host::new(sources);
    match host.faults() {
        [] => {
            if let Some(index) = index {
                index.write(host.catalog());
            }
            Ok(host)
        }
        [first, others @ ..] => {
            let more = others.iter().map(|fault| format!("also: {fault}"));
            Err(more.fold(first.clone(), Fault::detail))
        }
    }
}
