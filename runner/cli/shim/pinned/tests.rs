//! What a child finds of the pinned cluster, from client configs that hold more.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

const KUBE: &str = r"
apiVersion: v1
kind: Config
current-context: other
contexts:
- {name: other, context: {cluster: other, user: other}}
- {name: home, context: {cluster: c, user: u, namespace: apps}}
clusters:
- {name: other, cluster: {server: https://other}}
- {name: c, cluster: {server: https://home, certificate-authority: pki/ca.crt}}
users:
- {name: other, user: {token: secret-of-other}}
- {name: u, user: {client-certificate-data: eA==, client-key: /keys/u}}
";
const TALOS: &str = r"
context: home
contexts:
  other: {endpoints: [10.9.9.9], ca: b3RoZXI=}
  home: {endpoints: [10.0.0.1], nodes: [10.0.0.2], ca: aG9tZQ==, crt: eA==, key: eQ==}
";

/// A repository with both client configs, and a private folder.
fn place() -> (TempDir, Pinned) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("private")).unwrap();
    let (kubeconfig, talosconfig) = (dir.path().join("kubeconfig"), dir.path().join("talosconfig"));
    fs::write(&kubeconfig, KUBE).unwrap();
    fs::write(&talosconfig, TALOS).unwrap();
    let pinned = Pinned { lab: false, context: "home".into(), kubeconfig, talosconfig };
    (dir, pinned)
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_pinned_context_stands_alone_without_default_nodes() {
    let (dir, pinned) = place();
    let private = dir.path().join("private");
    pinned.refresh(&private).unwrap();
    let talos = json_of(&private.join("talosconfig"));
    let home = json!({"endpoints": ["10.0.0.1"], "ca": "aG9tZQ==", "crt": "eA==", "key": "eQ=="});
    assert_eq!(talos, json!({"context": "home", "contexts": {"home": home}}));
    let kube = json_of(&private.join("kubeconfig"));
    assert_eq!(kube["current-context"], "home");
    assert_eq!(kube["contexts"][0]["context"]["namespace"], "apps");
    assert_eq!(kube["clusters"][0]["cluster"]["server"], "https://home");
    assert!(!kube.to_string().contains("other"), "{kube}");
    let beside = dir.path().join("pki/ca.crt");
    assert_eq!(kube["clusters"][0]["cluster"]["certificate-authority"], json!(beside));
    assert_eq!(kube["users"][0]["user"]["client-key"], "/keys/u");
}

#[test]
fn only_the_user_may_read_them() {
    let (dir, pinned) = place();
    let private = dir.path().join("private");
    pinned.refresh(&private).unwrap();
    pinned.write(&private).unwrap();
    for name in ["kubeconfig", "talosconfig", FILE] {
        let mode = fs::metadata(private.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn they_come_and_go_with_the_repositorys() {
    let (dir, pinned) = place();
    let private = dir.path().join("private");
    pinned.refresh(&private).unwrap();
    fs::remove_file(dir.path().join("kubeconfig")).unwrap();
    fs::write(dir.path().join("talosconfig"), "contexts: {other: {}}").unwrap();
    pinned.refresh(&private).unwrap();
    assert!(!private.join("kubeconfig").exists(), "there is none any more");
    assert!(!private.join("talosconfig").exists(), "it has no such context");
    fs::write(dir.path().join("talosconfig"), TALOS).unwrap();
    pinned.refresh(&private).unwrap();
    assert!(private.join("talosconfig").exists());
}

#[test]
fn the_lab_shows_no_client_config() {
    let (dir, pinned) = place();
    let private = dir.path().join("private");
    Pinned { lab: true, ..pinned }.refresh(&private).unwrap();
    assert_eq!(fs::read_dir(private).unwrap().count(), 0);
}

#[test]
fn a_target_is_the_pinned_one_only_where_that_is_certain() {
    let (dir, pinned) = place();
    let private = dir.path().join("private");
    let at = |path: &str| dir.path().join(path).display().to_string();
    let own = at("private/kubeconfig");
    let cases = [
        ("--context", "home", true),
        ("--kube-context", "home", true),
        ("--context", "other", false),
        ("--context", "", false),
        ("KUBECONFIG", own.as_str(), true),
        ("--kubeconfig", own.as_str(), true),
        // Its current context is another one.
        ("--kubeconfig", &at("kubeconfig"), false),
        ("--talosconfig", &at("talosconfig"), true),
        ("TALOSCONFIG", &at("private/../talosconfig"), true),
        ("--talosconfig", &own, false),
        ("KUBECONFIG", &format!("{own}:{}", at("kubeconfig")), false),
        ("KUBECONFIG", "", false),
        ("--endpoints", "10.9.9.9", true),
        ("--server", "https://home", false),
        ("--token", "x", false),
        ("TALOS_HOME", "/x", false),
    ];
    for (name, value, expected) in cases {
        let target = Override { name: name.into(), value: value.into() };
        assert_eq!(pinned.is_target(&target, &private), expected, "{name}={value}");
    }
    let none = Pinned::default();
    for name in ["--context", "--kubeconfig", "--talosconfig"] {
        let target = Override { name: name.into(), value: String::new() };
        assert!(!none.is_target(&target, &private), "{name}: no cluster is pinned");
    }
}
