//! Files as recipes see them.

use std::os::unix::fs::symlink;
use std::rc::Rc;

use ops_core::error::ErrorKind;
use serde_json::{Value, json};

use super::super::bench::{Bench, CANARY};
use crate::sys::disk::Disk;
use crate::sys::files::Files;
use crate::sys::overlay::Overlay;

fn kind(bench: &Bench, call: &str, args: Value) -> ErrorKind {
    let error = bench.call(call, args).unwrap_err();
    assert!(error.before_effect, "{error}");
    assert_eq!(error.call, call);
    error.kind
}

#[test]
fn a_write_converges() {
    let bench = Bench::new();
    let write = |content: &str| {
        bench.call("fs.write", json!({"path": "out/./a.txt", "content": content})).unwrap()
    };
    assert_eq!(write("x\n"), json!({"path": "out/a.txt", "changed": true, "diff": "+x\n"}));
    let inode = bench.disk.stat("out/a.txt").unwrap().unwrap().inode;
    assert_eq!(write("x\n"), json!({"path": "out/a.txt", "changed": false, "diff": ""}));
    assert_eq!(bench.disk.stat("out/a.txt").unwrap().unwrap().inode, inode, "it was not touched");
    assert_eq!(write("y\n")["diff"], "-x\n+y\n");
}

#[test]
fn a_mode_is_set_where_it_is_given_and_kept_where_not() {
    let bench = Bench::new();
    let mode = || bench.disk.stat("f").unwrap().unwrap().mode;
    let write = |args: Value| bench.call("fs.write", args).unwrap()["changed"].clone();
    write(json!({"path": "f", "content": "x"}));
    assert_eq!(mode(), 0o644);
    assert_eq!(write(json!({"path": "f", "content": "x", "mode": "0755"})), true);
    assert_eq!(mode(), 0o755);
    assert_eq!(write(json!({"path": "f", "content": "y"})), true);
    assert_eq!(mode(), 0o755);
    for wrong in ["", "rwx", "0999", "17777"] {
        let args = json!({"path": "f", "content": "x", "mode": wrong});
        assert_eq!(kind(&bench, "fs.write", args), ErrorKind::Invalid);
    }
}

#[test]
fn a_secret_is_written_for_its_owner_alone_and_shown_nowhere() {
    let bench = Bench::new();
    let secret = bench.call("secrets.env", json!({"name": "TOKEN"})).unwrap();
    let reply = bench.call("fs.write", json!({"path": "token", "content": secret})).unwrap();
    assert_eq!(reply, json!({"path": "token", "changed": true, "diff": ""}));
    assert_eq!(
        (bench.text("token").as_str(), bench.disk.stat("token").unwrap().unwrap().mode),
        (CANARY, 0o600)
    );
    let open = json!({"path": "token", "content": secret, "mode": "0644"});
    assert_eq!(kind(&bench, "fs.write", open), ErrorKind::Invalid);
}

#[test]
fn content_goes_from_call_to_call_as_a_blob() {
    let bench = Bench::new();
    bench.write("a", "text");
    let blob = bench.call("fs.read", json!({"path": "a"})).unwrap();
    assert_eq!(bench.opened(&blob), ("text".into(), false));
    bench.call("fs.write", json!({"path": "b", "content": blob})).unwrap();
    assert_eq!(bench.text("b"), "text");
}

#[test]
fn what_only_its_owner_may_read_is_secret() {
    let bench = Bench::new();
    bench.disk.write("private", b"x", 0o600).unwrap();
    bench.write("talos/talosconfig", "x");
    for path in ["private", "talos/talosconfig"] {
        let blob = bench.call("fs.read", json!({"path": path})).unwrap();
        assert!(bench.opened(&blob).1, "{path}");
    }
}

#[test]
fn no_path_leaves_the_repository() {
    let bench = Bench::new();
    bench.write("in", "x");
    symlink("/etc", bench.root().join("out")).unwrap();
    for path in ["../x", "/etc/passwd", "a/../../x", "out/passwd", "out", "a/.."] {
        for (call, args) in [
            ("fs.read", json!({"path": path})),
            ("fs.exists", json!({"path": path})),
            ("fs.stat", json!({"path": path})),
            ("fs.write", json!({"path": path, "content": "x"})),
            ("fs.copy", json!({"path": "in", "to": path})),
            ("fs.copy", json!({"path": path, "to": "new"})),
            ("fs.move", json!({"path": path, "to": "new"})),
            ("fs.mkdir", json!({"path": path})),
            ("fs.remove", json!({"path": path})),
            ("yaml.read", json!({"path": path})),
            ("template.render", json!({"path": path})),
        ] {
            assert_eq!(kind(&bench, call, args), ErrorKind::Invalid, "{call} {path}");
        }
    }
    assert!(!bench.root().join("new").exists());
}

#[test]
fn an_absolute_path_into_the_repository_is_one_of_it() {
    let bench = Bench::new();
    bench.write("a", "x");
    let path = bench.disk.root().join("a").to_str().unwrap().to_owned();
    assert_eq!(bench.call("fs.exists", json!({"path": path})).unwrap(), true);
}

#[test]
fn what_is_not_there_is_not_found_or_nothing() {
    let bench = Bench::new();
    let none = || json!({"path": "none"});
    assert_eq!(kind(&bench, "fs.read", none()), ErrorKind::NotFound);
    assert_eq!(kind(&bench, "fs.move", json!({"path": "none", "to": "x"})), ErrorKind::NotFound);
    assert_eq!(bench.call("fs.exists", none()).unwrap(), false);
    assert_eq!(bench.call("fs.stat", none()).unwrap(), Value::Null);
    assert_eq!(bench.call("fs.remove", none()).unwrap()["changed"], false);
}

#[test]
fn an_empty_glob_is_an_error_unless_it_may_be() {
    let bench = Bench::new();
    assert_eq!(kind(&bench, "fs.glob", json!({"pattern": "*.yaml"})), ErrorKind::NotFound);
    let empty = json!({"pattern": "*.yaml", "allow_empty": true});
    assert_eq!(bench.call("fs.glob", empty).unwrap(), json!([]));
    bench.write("b.yaml", "");
    bench.write("a.yaml", "");
    let found = bench.call("fs.glob", json!({"pattern": "*.yaml"})).unwrap();
    assert_eq!(found, json!(["a.yaml", "b.yaml"]));
}

#[test]
fn copies_and_moves_keep_content_and_mode() {
    let bench = Bench::new();
    bench.disk.write("a", b"x", 0o755).unwrap();
    let copy = json!({"path": "a", "to": "d/b"});
    assert_eq!(bench.call("fs.copy", copy.clone()).unwrap()["changed"], true);
    assert_eq!(bench.call("fs.copy", copy).unwrap()["changed"], false);
    bench.call("fs.move", json!({"path": "d/b", "to": "c"})).unwrap();
    assert_eq!(
        (bench.text("c").as_str(), bench.disk.stat("c").unwrap().unwrap().mode),
        ("x", 0o755)
    );
    assert_eq!(bench.disk.stat("d/b").unwrap(), None);
}

#[test]
fn a_folder_is_removed_only_if_git_knows_all_of_it() {
    let bench = Bench::new();
    bench.write("known/deep/a", "x");
    bench.write("mixed/a", "x");
    bench.write(".gitignore", "*.log\n");
    let remove = |path: &str| bench.call("fs.remove", json!({"path": path}));
    assert!(remove("known").is_err(), "no repository of Git's yet");
    bench.commit();
    bench.write("mixed/b.log", "ignored, so lost for good");
    let refused = remove("mixed").unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Precondition);
    assert!(refused.message.contains("mixed/b.log"), "{refused}");
    assert_eq!(remove("known").unwrap()["changed"], true);
    assert_eq!(bench.disk.stat("known").unwrap(), None);
    assert_eq!(bench.text("mixed/a"), "x");
    assert!(remove(".").is_err());
}

#[test]
fn a_plan_writes_to_its_overlay_and_reads_from_it() {
    let bench = Bench::new();
    bench.write("a", "old\n");
    let overlay = Overlay::over(Rc::new(Disk::new(bench.root()).unwrap()));
    let write = json!({"path": "a", "content": "new\n"});
    let first = bench.foresee(&overlay, "fs.write", write.clone());
    assert_eq!((first.changed, &first.reply["diff"]), (true, &json!("-old\n+new\n")));
    assert!(!bench.foresee(&overlay, "fs.write", write).changed);
    assert!(bench.foresee(&overlay, "fs.move", json!({"path": "a", "to": "b"})).changed);
    assert_eq!(overlay.read("b").unwrap(), b"new\n");
    assert_eq!(
        (bench.text("a").as_str(), bench.disk.list(".").unwrap()),
        ("old\n", vec!["a".to_owned()])
    );
}

#[test]
fn temporary_paths_are_the_repositorys_and_differ() {
    let bench = Bench::new();
    let [a, b] = [(); 2].map(|()| bench.call("fs.temp", json!({})).unwrap());
    assert!(a.as_str().unwrap().starts_with(".ops/tmp/") && a != b);
    bench.call("fs.write", json!({"path": a, "content": "x"})).unwrap();
}
