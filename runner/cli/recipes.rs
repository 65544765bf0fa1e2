//! Where the catalogue comes from: the recipes of `ops` and those of the repository.

use ops_core::error::{Code, Fault};
use ops_core::machine::{Machine, StepSpec};

use crate::config::Project;
use crate::engine::run::Bodies;
use crate::lua::Host;
use crate::recipe::Catalog;
use crate::recipe::source::Sources;
use crate::sys::disk::Disk;

impl Bodies for Host {
    fn spawn(&self, spec: StepSpec) -> Box<dyn Machine> {
        Host::spawn(self, spec)
    }
}

/// Loads every recipe of this place.
pub(super) fn load(project: &Project) -> Result<Host, Fault> {
    let disk = Disk::new(&project.root).map_err(|error| {
        Fault::new(Code::CONFIG_READ, format!("cannot read `{}`: {error}", project.root.display()))
    })?;
    let host = Host::new(Sources::collect(&disk)?);
    match host.faults() {
        [] => Ok(host),
        [first, others @ ..] => {
            let more = others.iter().map(|fault| format!("also: {fault}"));
            Err(more.fold(first.clone(), Fault::detail))
        }
    }
}

/// Every recipe of this place.
pub(super) fn catalog(project: &Project) -> Result<Catalog, Fault> {
    load(project).map(|host| host.catalog().clone())
}
