//! Real talconfigs out of a folder that `OPS_TALCONFIGS` names: what variables
//! they ask for is made up, what they name is read beside them.

use std::path::{Path, PathBuf};
use std::{env, fs};

use ops_render::Source;
use ops_render::talconfig::{Talconfig, Variables};

use crate::tools::{Compared, Tools};

#[test]
fn real_talconfigs_are_rendered_like_talhelper() {
    let Some(root) = env::var_os("OPS_TALCONFIGS").map(PathBuf::from) else {
        eprintln!("SKIPPED: real talconfigs: OPS_TALCONFIGS is not set");
        return;
    };
    let Some(mut tools) = Tools::find("real") else { return };
    let mut found = Vec::new();
    talconfigs(&root, &mut found);
    found.sort();
    let (mut equal, mut wrong) = (0, 0);
    for file in &found {
        let text = fs::read_to_string(file).unwrap();
        let folder = file.parent().unwrap();
        let read = |name: &str| fs::read(folder.join(name)).map_err(|error| error.to_string());
        let variables = made_up(&text, &tools);
        let name = file.strip_prefix(&root).unwrap().display();
        match tools.compare(folder, &text, &variables, &read) {
            Ok(Compared::Equal) => equal += 1,
            Ok(Compared::TalhelperRefuses(why)) => eprintln!("TALHELPER REFUSES {name}: {why}"),
            Ok(Compared::BothRefuse(why)) => eprintln!("BOTH REFUSE {name}: {why}"),
            Err(why) => {
                wrong += 1;
                eprintln!("DIFFERS {name}: {why}");
            }
        }
    }
    eprintln!("{} real talconfigs, {equal} equal, {wrong} different", found.len());
    assert_eq!(wrong, 0);
}

/// A value for every variable that the talconfig or a file of it asks for.
fn made_up(text: &str, tools: &Tools) -> Variables {
    let mut variables = Variables::new();
    let source = Source { name: "talconfig.yaml", bytes: text.as_bytes() };
    let _ = Talconfig::read(source, &tools.schema, &variables);
    for name in variables.asked() {
        variables.insert(&name, "10.1.2.3");
    }
    variables
}

fn talconfigs(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            talconfigs(&entry, out);
        } else if entry.file_name().is_some_and(|name| name == "talconfig.yaml") {
            out.push(entry);
        }
    }
}
