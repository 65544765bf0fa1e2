//! How settings come together from command line, environment and files.

use super::*;
use tempfile::TempDir;

const NODES: &str = r#"
endpoint = "https://10.20.30.10:6443"
nodes.cp-1 = { role = "controlplane", address = "10.20.30.11" }
"#;

fn repository(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("clusters")).unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn settings(dir: &TempDir, typed: &Typed, env: &[(&str, &str)]) -> Result<Settings, Fault> {
    let project = Project::find(dir.path())?;
    Settings::resolve(project, typed, Environment::from_pairs(env.iter().copied()), &Sealed)
}

fn chosen(dir: &TempDir, typed: &Typed, env: &[(&str, &str)]) -> String {
    match settings(dir, typed, env) {
        Ok(settings) => settings.cluster.map_or("none".into(), |c| c.name),
        Err(fault) => fault.to_string(),
    }
}

fn typed(cluster: &str) -> Typed {
    Typed { cluster: Some(cluster.into()), ..Typed::default() }
}

#[test]
fn the_cluster_is_that_of_the_flag_then_the_variable_then_the_default_then_the_only_one() {
    let edge = format!("kubeconfig = \"k\"\ntalosconfig = \"t\"\nsecrets = \"s\"\n{NODES}");
    let two = |toml: &str| {
        repository(&[
            ("ops.toml", toml),
            ("clusters/home.toml", NODES),
            ("clusters/edge.toml", &edge),
        ])
    };
    let none = Typed::default();
    let default = two("api = 1\ndefaults.cluster = \"home\"");
    assert_eq!(chosen(&default, &typed("edge"), &[("OPS_CLUSTER", "home")]), "edge");
    assert_eq!(chosen(&default, &none, &[("OPS_CLUSTER", "edge")]), "edge");
    assert_eq!(chosen(&default, &none, &[]), "home");
    assert_eq!(chosen(&two("api = 1"), &none, &[]), "none");
    assert_eq!(chosen(&repository(&[("clusters/home.toml", NODES)]), &none, &[]), "home");
    assert_eq!(chosen(&default, &typed("hoem"), &[]), "OPS0204 there is no cluster `hoem`");
    let wrong = two("api = 1\ndefaults.cluster = \"hom\"");
    assert_eq!(chosen(&wrong, &none, &[]), "OPS0204 there is no cluster `hom` (ops.toml:2:20)");
}

#[test]
fn without_a_choice_the_clusters_are_named() {
    let dir = repository(&[("clusters/a.toml", NODES), ("clusters/b.toml", NODES)]);
    let settings = settings(&dir, &Typed::default(), &[]).unwrap();
    let fault = settings.need_cluster().unwrap_err();
    assert_eq!(fault.details, ["clusters: a, b"]);
}

#[test]
fn the_labs_material_lies_apart_from_the_real() {
    let dir =
        repository(&[("clusters/home.toml", NODES), ("clusters/home.lock.toml", "version = 1")]);
    let lab = Typed { lab: true, ..Typed::default() };
    let settings = settings(&dir, &lab, &[]).unwrap();
    let cluster = settings.cluster.as_ref().unwrap();
    for path in [
        &cluster.kubeconfig,
        &cluster.talosconfig,
        &cluster.secrets,
        &cluster.config_dir,
        &cluster.snapshot_dir,
        &settings.lock_path,
    ] {
        assert!(path.starts_with(".ops/lab/home/"), "{path}");
    }
    assert_eq!(settings.lock, None, "the real cluster's pins say nothing about the lab's");
}

#[test]
fn a_client_config_of_the_environment_counts_only_inside_the_repository() {
    let dir = repository(&[("clusters/home.toml", NODES)]);
    let root = dir.path().canonicalize().unwrap();
    let inside = root.join("k/config").display().to_string();
    let location = |value: &str| {
        let settings = settings(&dir, &Typed::default(), &[("KUBECONFIG", value)]).unwrap();
        settings.cluster.unwrap().kubeconfig
    };
    assert_eq!(location(&inside), "k/config");
    assert_eq!(location("/home/somebody/.kube/config"), "kubeconfig");
    assert_eq!(location(&format!("{inside}:{inside}")), "kubeconfig");
    assert_eq!(location(&root.join("../x").display().to_string()), "kubeconfig");
}

#[test]
fn two_clusters_may_not_share_a_file_of_secrets() {
    let dir = repository(&[("clusters/a.toml", NODES), ("clusters/b.toml", NODES)]);
    let fault = settings(&dir, &typed("a"), &[]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "OPS0202 clusters `a` and `b` share `kubeconfig` (clusters/a.toml:1)"
    );
    assert_eq!(fault.help, ["give each its own: kubeconfig = \"clusters/a/kubeconfig\""]);
}

#[test]
fn the_root_is_found_from_below_and_paths_keep_where_the_user_stands() {
    let dir = repository(&[("ops.toml", "api = 1")]);
    let below = dir.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let project = Project::find(&below).unwrap();
    assert_eq!(project.root, dir.path().canonicalize().unwrap());
    assert_eq!(project.here, below.canonicalize().unwrap());
    assert!(project.found);
}

#[test]
fn a_folder_without_a_repository_is_its_own_root() {
    let dir = TempDir::new().unwrap();
    let project = Project::find(dir.path()).unwrap();
    assert_eq!((project.found, project.root), (false, dir.path().canonicalize().unwrap()));
    assert_eq!(Project::find(&dir.path().join("none")).unwrap_err().code, Code::CONFIG_READ);
}

#[test]
fn the_state_folder_follows_the_xdg_rules() {
    let dir = repository(&[]);
    let state = |env: &[(&str, &str)]| {
        settings(&dir, &Typed::default(), env).unwrap().state_dir().map_err(|f| f.code)
    };
    assert_eq!(state(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]), Ok("/s/ops".into()));
    assert_eq!(state(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")]), Ok("/h/.local/state/ops".into()));
    assert_eq!(state(&[]), Err(Code::STATE_STORE));
}
