//! Renders every node of a talconfig on two given bases, for measurements and
//! for trying a repository: `talconfig FOLDER CONTROL_PLANE_BASE WORKER_BASE OUT`.
//! Variables come from the environment and the plain environment files beside
//! the talconfig; nothing is decrypted.

#![expect(clippy::print_stderr, reason = "a program of its own")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::{env, fs};

use ops_render::talconfig::{Role, Schema, Talconfig, VARIABLE_FILES, Variables};
use ops_render::{Diagnostic, Profile, Source};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [folder, control_plane, worker, out] = &arguments[..] else {
        return Err("usage: talconfig FOLDER CONTROL_PLANE_BASE WORKER_BASE OUT".into());
    };
    let folder = Path::new(folder);
    let mut variables: Variables = env::vars().collect();
    for name in VARIABLE_FILES {
        if let Ok(bytes) = fs::read(folder.join(name)) {
            variables.load(Source { name, bytes: &bytes }).map_err(|problems| shown(&problems))?;
        }
    }
    let (schema, profile) = (Schema::load()?, Profile::load("1.13.0")?);
    let bytes = fs::read(folder.join("talconfig.yaml"))?;
    let source = Source { name: "talconfig.yaml", bytes: &bytes };
    let config =
        Talconfig::read(source, &schema, &variables).map_err(|problems| shown(&problems))?;
    let bases = [fs::read(control_plane)?, fs::read(worker)?];
    // Nodes share their files, as they do in `ops`.
    let files: RefCell<BTreeMap<String, Result<Vec<u8>, String>>> = RefCell::default();
    let read = |name: &str| {
        let from_disk = || fs::read(folder.join(name)).map_err(|error| error.to_string());
        files.borrow_mut().entry(name.to_owned()).or_insert_with(from_disk).clone()
    };
    fs::create_dir_all(out)?;
    for node in &config.nodes {
        let base = &bases[usize::from(node.role == Role::Worker)];
        let base = Source { name: "base", bytes: base };
        let rendered = config
            .render(node, base, &schema, &profile, &variables, &read)
            .map_err(|problems| shown(&problems))?;
        for warning in &rendered.warnings {
            eprintln!("{warning}");
        }
        let name = config.output_name(node, &schema)?;
        fs::write(Path::new(out).join(name), rendered.text)?;
    }
    Ok(())
}

fn shown(problems: &[Diagnostic]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
