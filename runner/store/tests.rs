//! What the state folder keeps, across processes and against hands that reach into it.

#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use ops_core::error::{Code, Fault};
use ops_core::guard::{GRANT_VERSION, Grant, GrantKind, Open, OpenKind, Site, Slot, Who};
use ops_core::ident::RunId;
use ops_core::inventory::{Cluster, LockFile};
use ops_core::time::Time;
use ops_core::value::{Digest, Value};
use serde_json::json;
use tempfile::TempDir;

use super::{Store, folder_name, rename_folder};

const NOW: Time = Time(1_000_000);

fn who() -> Who {
    Who { user: "ops".into(), machine: "m-1".into() }
}

fn open(path: &Path) -> Result<Store, Box<Fault>> {
    Store::open(path, who(), NOW, || [7; 32])
}

fn fresh() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = open(&folder.path().join("home")).unwrap();
    (folder, store)
}

fn run(name: &str) -> RunId {
    RunId(name.into())
}

fn grant(id: &str, issued: Time) -> Grant {
    let slot = |node: &str| Slot {
        node: node.into(),
        pin: Digest::of(&json!(node)),
        verb: "reset".into(),
        partitions: vec!["STATE".into()],
        graceful: true,
        reboot: true,
    };
    Grant {
        version: GRANT_VERSION,
        id: id.into(),
        cluster: "home".into(),
        pin: Digest::of(&Value::Null),
        lab: false,
        kind: GrantKind::NodeReset,
        recipe: "cluster:safe-reset".into(),
        args: Digest::of(&Value::Null),
        slots: vec![slot("w-1"), slot("w-2")],
        issued,
        who: who(),
        mac: Digest::of(&Value::Null),
    }
    .seal(&[7; 32])
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn code<T>(result: Result<T, Box<Fault>>) -> Option<Code> {
    result.err().map(|fault| fault.code)
}

#[test]
fn everything_in_the_folder_is_its_owners_alone() {
    let (_folder, store) = fresh();
    store.lock(&run("7k2m"), NOW).unwrap();
    assert_eq!(mode(store.path()), 0o700);
    for name in ["key", "state.db", "lock"] {
        assert_eq!(mode(&store.path().join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_folder_or_key_that_others_may_read_is_refused() {
    let (_folder, store) = fresh();
    let path = store.path().to_owned();
    drop(store);
    fs::set_permissions(path.join("key"), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(code(open(&path)), Some(Code::STATE_STORE));
    fs::set_permissions(path.join("key"), Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code(open(&path)), Some(Code::STATE_STORE));
}

#[test]
fn the_key_is_made_once_and_kept() {
    let (_folder, store) = fresh();
    let path = store.path().to_owned();
    drop(store);
    let again = Store::open(&path, who(), NOW, || [9; 32]).unwrap();
    assert_eq!(again.key(), [7; 32]);
    drop(again);
    fs::write(path.join("key"), b"short").unwrap();
    assert_eq!(code(open(&path)), Some(Code::STATE_STORE), "a cut key seals nothing");
}

#[test]
fn a_grant_survives_the_process_with_what_became_of_it() {
    let (_folder, store) = fresh();
    let path = store.path().to_owned();
    let given = grant("g1", NOW);
    store.issue(&given).unwrap();
    store.claim("g1", &run("7k2m"), Time(NOW.0 + 1)).unwrap();
    store.use_slot("g1", 1, &run("7k2m"), Time(NOW.0 + 2)).unwrap();
    drop(store);
    let held = open(&path).unwrap().grants().unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].grant, given);
    assert!(held[0].grant.genuine(&[7; 32]));
    assert_eq!(held[0].claimed, Some((run("7k2m"), Time(NOW.0 + 1))));
    assert_eq!(held[0].used.keys().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_grant_is_claimed_by_one_run() {
    let (_folder, store) = fresh();
    store.issue(&grant("g1", NOW)).unwrap();
    store.claim("g1", &run("7k2m"), NOW).unwrap();
    store.claim("g1", &run("7k2m"), Time(NOW.0 + 9)).unwrap();
    assert_eq!(code(store.claim("g1", &run("8abc"), NOW)), Some(Code::GRANT_USED));
    assert_eq!(code(store.claim("none", &run("7k2m"), NOW)), Some(Code::STATE_STORE));
    assert_eq!(
        store.grants().unwrap()[0].claimed,
        Some((run("7k2m"), NOW)),
        "the first time holds"
    );
}

#[test]
fn a_slot_is_used_once_even_from_two_processes() {
    let (_folder, store) = fresh();
    store.issue(&grant("g1", NOW)).unwrap();
    store.claim("g1", &run("7k2m"), NOW).unwrap();
    let other = open(store.path()).unwrap();
    other.use_slot("g1", 0, &run("7k2m"), NOW).unwrap();
    assert_eq!(code(store.use_slot("g1", 0, &run("7k2m"), NOW)), Some(Code::GRANT_USED));
    assert_eq!(code(store.use_slot("g1", 1, &run("8abc"), NOW)), Some(Code::GRANT_USED));
    store.use_slot("g1", 1, &run("7k2m"), NOW).unwrap();
}

#[test]
fn a_slot_of_an_unclaimed_grant_cannot_be_used() {
    let (_folder, store) = fresh();
    store.issue(&grant("g1", NOW)).unwrap();
    assert_eq!(code(store.use_slot("g1", 0, &run("7k2m"), NOW)), Some(Code::GRANT_USED));
}

#[test]
fn a_slot_whose_call_did_not_happen_is_given_back_by_its_run_alone() {
    let (_folder, store) = fresh();
    store.issue(&grant("g1", NOW)).unwrap();
    store.claim("g1", &run("7k2m"), NOW).unwrap();
    store.free_slot("g1", 0, &run("7k2m"), NOW).unwrap();
    store.use_slot("g1", 0, &run("7k2m"), NOW).unwrap();
    assert_eq!(code(store.free_slot("g1", 0, &run("8abc"), NOW)), Some(Code::GRANT_USED));
    store.free_slot("g1", 0, &run("7k2m"), NOW).unwrap();
    store.use_slot("g1", 0, &run("7k2m"), NOW).unwrap();
}

#[test]
fn the_newest_record_is_that_of_any_table() {
    let (_folder, store) = fresh();
    assert_eq!(store.newest().unwrap(), Time(0));
    store.issue(&grant("g1", Time(10))).unwrap();
    assert_eq!(store.newest().unwrap(), Time(10));
    store.claim("g1", &run("7k2m"), Time(20)).unwrap();
    assert_eq!(store.newest().unwrap(), Time(20));
    store.use_slot("g1", 0, &run("7k2m"), Time(30)).unwrap();
    assert_eq!(store.newest().unwrap(), Time(30));
    store.free_slot("g1", 0, &run("7k2m"), Time(40)).unwrap();
    assert_eq!(store.newest().unwrap(), Time(40));
    store.claim_plan("p1", "7k2m", Time(50)).unwrap();
    assert_eq!(store.newest().unwrap(), Time(50));
    store.audit(Time(60), "x", &Value::Null).unwrap();
    assert_eq!(store.newest().unwrap(), Time(60));
}

#[test]
fn a_saved_plan_is_claimed_once() {
    let (_folder, store) = fresh();
    store.claim_plan("p1", "7k2m", NOW).unwrap();
    store.claim_plan("p1", "7k2m", NOW).unwrap();
    assert_eq!(code(store.claim_plan("p1", "8abc", NOW)), Some(Code::JOURNAL_STALE));
}

#[test]
fn one_run_holds_the_lock_and_the_refusal_names_it() {
    let (_folder, store) = fresh();
    store.lock(&run("7k2m"), NOW).unwrap();
    store.lock(&run("7k2m"), NOW).unwrap();
    let other = open(store.path()).unwrap();
    let fault = other.lock(&run("8abc"), Time(NOW.0 + 65_000)).unwrap_err();
    assert_eq!(fault.code, Code::LOCKED);
    assert_eq!(fault.title, "run 7k2m holds the cluster");
    assert!(fault.details[0].starts_with("ops, process "), "{:?}", fault.details);
    assert!(fault.details[0].ends_with("since 1m5s"), "{:?}", fault.details);
    store.unlock();
    other.lock(&run("8abc"), NOW).unwrap();
    drop(other);
    store.lock(&run("9xyz"), NOW).unwrap();
}

#[test]
fn the_audit_log_is_a_chain_that_a_kept_head_vouches_for() {
    let (_folder, store) = fresh();
    assert_eq!(store.audit_head().unwrap().lines, 0);
    store.audit(NOW, "run.begin", &json!({"run": "7k2m"})).unwrap();
    let kept = store.audit_head().unwrap();
    store.audit(Time(NOW.0 + 5), "call.done", &json!({"node": "w-1", "é": [1, null]})).unwrap();
    let head = store.audit_head().unwrap();
    assert_eq!(head.lines, 2);
    assert_eq!(store.audit_verify(None).unwrap().unwrap(), head);
    assert_eq!(store.audit_verify(Some(&kept)).unwrap().unwrap(), head);
    let lines = store.audit_lines(0, 10).unwrap();
    assert_eq!((lines[1].what.as_str(), &lines[1].who), ("call.done", &who()));
}

/// Reaches into the database behind the store's back.
fn behind(store: &Store, sql: &str) {
    let db = rusqlite::Connection::open(store.path().join("state.db")).unwrap();
    db.execute_batch("DROP TRIGGER audit_grows; DROP TRIGGER audit_stays;").unwrap();
    db.execute_batch(sql).unwrap();
}

#[test]
fn every_change_of_the_audit_log_is_found() {
    let changes = [
        ("UPDATE audit SET line = replace(line, 'w-1', 'w-2') WHERE seq = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 2", 3),
        ("DELETE FROM audit WHERE seq = 1", 2),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit", 3),
        ("UPDATE audit SET line = 'x' WHERE seq = 1", 1),
        ("UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 1) WHERE seq = 2", 2),
    ];
    for (change, line) in changes {
        let (_folder, store) = fresh();
        for _ in 0..3 {
            store.audit(NOW, "call.done", &json!({"node": "w-1"})).unwrap();
        }
        let kept = store.audit_head().unwrap();
        behind(&store, change);
        let broken = store.audit_verify(Some(&kept)).unwrap().unwrap_err();
        assert_eq!(broken.seq, line, "{change}: {broken}");
    }
}

#[test]
fn the_audit_log_only_grows() {
    let (_folder, store) = fresh();
    store.audit(NOW, "x", &Value::Null).unwrap();
    let db = rusqlite::Connection::open(store.path().join("state.db")).unwrap();
    assert!(db.execute("DELETE FROM audit", []).is_err());
    assert!(db.execute("UPDATE audit SET line = ''", []).is_err());
}

#[test]
fn an_edited_grant_is_no_longer_genuine() {
    let (_folder, store) = fresh();
    store.issue(&grant("g1", NOW)).unwrap();
    behind(&store, "UPDATE grants SET body = replace(body, 'STATE', 'EPHEMERAL')");
    let held = store.grants().unwrap();
    assert!(!held[0].grant.genuine(&store.key()));
    behind_again(&store, "UPDATE grants SET body = 'x'");
    assert_eq!(store.grants().unwrap(), [], "what cannot be read permits nothing");
}

fn behind_again(store: &Store, sql: &str) {
    rusqlite::Connection::open(store.path().join("state.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let (_folder, store) = fresh();
    let path = store.path().to_owned();
    behind_again(&store, "PRAGMA user_version = 99");
    drop(store);
    let before = fs::read(path.join("state.db")).unwrap();
    let fault = open(&path).err().unwrap();
    assert!(fault.title.contains("newer ops"), "{}", fault.title);
    assert_eq!(fs::read(path.join("state.db")).unwrap(), before);
}

#[test]
fn a_damaged_database_is_set_aside_never_deleted() {
    let (_folder, store) = fresh();
    let path = store.path().to_owned();
    store.issue(&grant("g1", NOW)).unwrap();
    drop(store);
    for n in 1..=2 {
        let mut bytes = fs::read(path.join("state.db")).unwrap();
        if n == 1 {
            bytes[..16].copy_from_slice(b"not a database!!");
        } else {
            let length = bytes.len();
            bytes[4096..length].fill(0xa5);
        }
        fs::write(path.join("state.db"), &bytes).unwrap();
        let store = open(&path).unwrap();
        let aside = path.join(format!("state.db.damaged-{n}"));
        assert_eq!(store.set_aside(), Some(aside.as_path()));
        assert_eq!(fs::read(&aside).unwrap(), bytes);
        assert_eq!(store.grants().unwrap(), [], "no grant survives it");
        assert_eq!(store.audit_lines(0, 9).unwrap()[0].what, "state.set-aside");
    }
}

#[test]
fn what_is_left_open_is_kept_until_it_is_closed() {
    let (_folder, store) = fresh();
    let away = Open { kind: OpenKind::Away, node: "cp-1".into(), run: "7k2m".into() };
    let window = Open { kind: OpenKind::TryWindow, node: "w-1".into(), run: "8abc".into() };
    store.leave_open(&away, "reset", NOW).unwrap();
    store.leave_open(&window, "", Time(NOW.0 + 1)).unwrap();
    store.leave_open(&away, "reset again", NOW).unwrap();
    assert_eq!(store.open_items().unwrap(), [away.clone(), window.clone()]);
    store.close(OpenKind::Away, "cp-1").unwrap();
    store.close(OpenKind::Away, "cp-1").unwrap();
    assert_eq!(store.open_items().unwrap(), [window]);
}

#[test]
fn adoption_renames_the_folder_and_never_over_another() {
    let base = TempDir::new().unwrap();
    open(&base.path().join("home-1")).unwrap().audit(NOW, "x", &Value::Null).unwrap();
    assert!(rename_folder(base.path(), "home-1", "home-2").unwrap());
    assert!(!rename_folder(base.path(), "home-1", "home-2").unwrap(), "done already");
    assert_eq!(open(&base.path().join("home-2")).unwrap().audit_head().unwrap().lines, 1);
    open(&base.path().join("home-1")).unwrap();
    let both = rename_folder(base.path(), "home-1", "home-2");
    assert_eq!(both.map_err(|fault| fault.code), Err(Code::STATE_STORE));
}

fn cluster(name: &str) -> Cluster {
    serde_json::from_value(json!({
        "name": name, "context": name, "endpoint": "https://x:6443", "nodes": [], "kubeconfig": "k",
        "talosconfig": "t", "secrets": "s", "config_dir": "c", "snapshot_dir": "d",
    }))
    .unwrap()
}

#[test]
fn clones_share_a_folder_and_other_clusters_do_not() {
    let pinned = |uid: &str| LockFile {
        talos_ca: Some("ca".into()),
        kube_system_uid: Some(uid.into()),
        ..LockFile::default()
    };
    let (home, edge) = (cluster("home"), cluster("edge"));
    let (one, two) = (pinned("1"), pinned("2"));
    let name =
        |cluster, lock, lab, root: &str| folder_name(&Site { cluster, lock, lab }, Path::new(root));
    let here = name(&home, Some(&one), false, "/a");
    assert!(here.starts_with("home-"), "{here}");
    assert_eq!(here, name(&home, Some(&one), false, "/b"), "another clone");
    let others = [
        name(&home, Some(&two), false, "/a"),
        name(&home, None, false, "/a"),
        name(&edge, None, false, "/a"),
        name(&home, Some(&one), true, "/a"),
        name(&home, Some(&one), true, "/b"),
    ];
    for (i, other) in others.iter().enumerate() {
        assert_ne!(*other, here);
        assert!(!others[..i].contains(other), "{other}");
    }
    assert_eq!(name(&cluster("../x"), None, false, "/a").find('/'), None);
}

#[test]
fn two_processes_that_open_a_new_folder_at_once_both_get_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("home");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4u8)
            .map(|n| {
                let path = path.clone();
                scope.spawn(move || {
                    let store = Store::open(&path, who(), NOW, || [n + 1; 32])?;
                    store.audit(NOW, "x", &Value::Null)?;
                    Ok::<_, Box<Fault>>(store.key())
                })
            })
            .collect();
        let keys: Vec<[u8; 32]> = threads.into_iter().map(|t| t.join().unwrap().unwrap()).collect();
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "one key");
    });
    let store = open(&path).unwrap();
    assert_eq!(store.audit_verify(None).unwrap().unwrap().lines, 4);
}
