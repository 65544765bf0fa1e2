//! Rendering over files that fail, and what a rendered config may hold.

use ops_core::call::talos::Source;
use ops_core::error::{CallError, ErrorKind};
use ops_core::inventory::InstallDisk;
use ops_core::machines::{Origin, PatchText};
use serde_json::{Value, json};

use super::town::Town;
use crate::sys::faulty::FileFault;

const PATCH: &str = "machine:\n  sysctls: {a: one}\n";

/// A town whose w-1 has a patch.
fn patched() -> Town {
    let mut town = Town::healthy();
    town.put("p.yaml", PATCH.as_bytes());
    let patches = vec![PatchText::Text(Source::Path("p.yaml".into()))];
    town.cluster.machines.patches.insert("w-1".into(), patches);
    town
}

fn render(town: &Town) -> Result<Value, CallError> {
    town.perform("talos.render", json!({"node": "w-1"}))
}

fn write(town: &Town) -> Result<Value, CallError> {
    let config = render(town)?;
    let path = town.cluster.machine_config("w-1");
    town.perform("fs.write", json!({"path": path, "content": config, "mode": "0600"}))
}

#[test]
fn what_cannot_be_read_is_named_and_nothing_is_made_of_it() {
    for (path, fault, kind) in [
        ("p.yaml", FileFault::Unreadable, ErrorKind::Forbidden),
        ("secrets.yaml", FileFault::Unreadable, ErrorKind::Forbidden),
        ("p.yaml", FileFault::Stale, ErrorKind::Failed),
        ("secrets.yaml", FileFault::Stale, ErrorKind::Failed),
    ] {
        let mut town = patched();
        town.fault(path, fault);
        let error = render(&town).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(path) && error.before_effect, "{error}");
    }
}

#[test]
fn a_folder_that_takes_nothing_keeps_the_old_config() {
    for (fault, kind, words) in [
        (FileFault::ReadOnly, ErrorKind::Forbidden, "read-only"),
        (FileFault::Full, ErrorKind::Failed, "no storage space"),
    ] {
        let mut town = patched();
        let path = town.cluster.machine_config("w-1");
        let before = town.text(&path);
        town.fault("configs", fault);
        let error = write(&town).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(&path) && error.message.contains(words), "{error}");
        assert_eq!(town.text(&path), before);
    }
}

#[test]
fn an_install_disk_is_put_where_a_config_says_none() {
    let mut town = Town::healthy();
    town.put("w.yaml", b"version: v1alpha1\nmachine:\n  type: worker\n  install: {image: x}\n");
    town.cluster.machines.configs.insert("w-1".into(), "w.yaml".into());
    town.cluster.nodes[3].install_disk =
        Some(InstallDisk { serial: Some("S5".into()), ..InstallDisk::default() });
    let text = String::from_utf8(town.blob(&render(&town).unwrap())).unwrap();
    assert!(text.contains("serial: S5") && text.contains("hostname: w-1"), "{text}");
}

#[test]
fn a_cache_that_cannot_be_kept_is_only_slower() {
    let mut town = patched();
    town.fault(".ops", FileFault::Full);
    render(&town).unwrap();
    render(&town).unwrap();
    let asked = town.asked.borrow();
    assert_eq!(asked.iter().filter(|a| a.starts_with("gen config")).count(), 2);
}

#[test]
fn a_talconfig_or_topf_that_went_away_is_named() {
    for origin in [
        Origin::Talconfig { file: "t/talconfig.yaml".into() },
        Origin::Topf { file: "t/topf.yaml".into(), folder: "t".into(), images: [].into() },
    ] {
        let mut town = Town::healthy();
        town.put("t/all/a.yaml.tpl", b"a: {{ .ClusterName }}\n");
        town.cluster.machines.origin = origin;
        let error = render(&town).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.message.contains("`t/t"), "{error}");
    }
}

#[test]
fn a_folder_of_patches_that_cannot_be_listed_is_no_empty_one() {
    let mut town = Town::healthy();
    town.put("all/a.yaml", PATCH.as_bytes());
    town.cluster.machines.origin =
        Origin::Topf { file: "topf.yaml".into(), folder: String::new(), images: [].into() };
    town.fault("all", FileFault::Unreadable);
    let error = render(&town).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden, "{error}");
}

#[test]
fn a_changed_config_is_told_field_by_field_without_what_may_be_secret() {
    let town = patched();
    let config = render(&town).unwrap();
    let path = town.cluster.machine_config("w-1");
    let written = write(&town).unwrap();
    assert_eq!(written["changed"], json!(true));
    assert_eq!(written["diff"], json!("+ machine.sysctls.a: \"one\""));
    assert_eq!(write(&town).unwrap()["changed"], json!(false));
    let said = town.perform("talos.machineconfig.diff", json!({"file": config, "node": "w-1"}));
    assert_eq!(said.unwrap(), json!({"changed": false, "diff": ""}));
    let text = town.text(&path).replace("a: one", "a: two").replace("token: ", "token: x");
    town.put("other.yaml", text.as_bytes());
    let said =
        town.perform("talos.machineconfig.diff", json!({"file": "other.yaml", "node": "w-1"}));
    let said = said.unwrap()["diff"].as_str().unwrap().to_owned();
    assert_eq!(said, "~ cluster.token\n~ machine.sysctls.a: \"one\" → \"two\"\n~ machine.token");
}

#[test]
fn a_config_in_other_words_is_the_same_config_spelt_otherwise() {
    let town = Town::healthy();
    let path = town.cluster.machine_config("w-1");
    town.put("other.yaml", format!("# a comment\n{}", town.text(&path)).as_bytes());
    let said =
        town.perform("talos.machineconfig.diff", json!({"file": "other.yaml", "node": "w-1"}));
    assert_eq!(said.unwrap()["diff"], json!("~ only its spelling differs"));
}

#[test]
fn a_patch_of_files_alone_needs_no_node() {
    let town = patched();
    town.put("c.yaml", b"machine:\n  type: worker\n");
    let args =
        json!({"file": "c.yaml", "patch": ["p.yaml", {"debug": true}], "talos_version": "v1.13.0"});
    let reply = town.perform("talos.machineconfig.patch", args).unwrap();
    let text = String::from_utf8(town.blob(&reply)).unwrap();
    assert!(text.contains("a: one") && text.contains("debug: true"), "{text}");
    assert!(town.asked.borrow().is_empty(), "no tool is asked");
    let wrong = json!({"file": "c.yaml", "patch": ["p.yaml"], "talos_version": "new"});
    assert!(town.perform("talos.machineconfig.patch", wrong).is_err());
}
