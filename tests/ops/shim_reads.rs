//! What passes a shim, as the tool behind it sees it: reads of the pinned cluster, unchanged.

use std::fs;

use crate::shim_tools::Tools;

const TALOSCONFIG: &str = "context: home\ncontexts:\n  home: {endpoints: [10.20.30.11], nodes: [10.20.30.11], ca: eA==, crt: eA==, key: eA==}\n";

#[test]
fn a_read_passes_with_its_words_its_stdin_and_its_exit_code() {
    let tools = Tools::new();
    let ran = tools.shell(
        &["run"],
        "echo from-stdin | FAKE_EXIT=7 kubectl get pods -l 'a in (b, c)' -o 'jsonpath={.x y}' ''",
    );
    let ran = ran.exit(0).stdout_has("exit=7").stdout_has("from-stdin");
    assert_eq!(
        tools.started(),
        ["kubectl [get] [pods] [-l] [a in (b, c)] [-o] [jsonpath={.x y}] []"]
    );
    drop(ran);
}

#[test]
fn a_command_without_a_shell_passes_the_same_shim() {
    let tools = Tools::new();
    let read = "sh.exec { 'helm', 'list', '-A' }";
    let _ = tools.body(&["run"], read).exit(0);
    assert_eq!(tools.started(), ["helm [list] [-A]"]);
    let write = tools.body(&["run"], "sh.exec { 'helm', 'uninstall', 'x' }").exit(3);
    assert!(write.all().contains("OPS0360"), "{}", write.all());
    assert!(tools.started().is_empty());
    let path = tools.space.path("fakes/helm");
    let around = format!("sh.exec {{ '{}', 'uninstall', 'x' }}", path.display());
    let around = tools.body(&["run"], &around).exit(1);
    assert!(around.all().contains("would pass by the shim of `helm`"), "{}", around.all());
    assert!(tools.started().is_empty());
}

#[test]
fn the_client_configs_of_a_shell_hold_the_pinned_cluster_alone() {
    let tools = Tools::new();
    tools.space.write("clusterconfig/talosconfig", TALOSCONFIG);
    let ran = tools
        .shell(&["run"], "stat -c '%a' \"$TALOSCONFIG\"; cat \"$TALOSCONFIG\"; ls \"$KUBECONFIG\"")
        .exit(0)
        .stdout_has("600")
        .stdout_has("\"context\": \"home\"")
        .stdout_has("exit=2");
    assert!(!ran.stdout().contains("nodes"), "no default nodes: {}", ran.stdout());
    // Where the repository has none, the variable leads nowhere, and not to the user's own.
    assert!(ran.stdout().contains("cannot access"), "{}", ran.all());
}

#[test]
fn a_tool_finds_them_even_from_an_empty_environment() {
    let tools = Tools::new();
    let ran = tools.shell(&["run"], "env -i PATH=\"$PATH\" kubectl get nodes").exit(0);
    assert_eq!(tools.started(), ["kubectl [get] [nodes]"]);
    let line = ran.stdout().lines().find(|l| l.contains("KUBECONFIG=")).unwrap().to_owned();
    assert!(line.contains("/shims-") && line.ends_with("/talosconfig"), "{line}");
}

#[test]
fn a_target_of_its_own_is_refused_unless_it_is_the_pinned_one() {
    let tools = Tools::new();
    tools.space.write("clusterconfig/talosconfig", TALOSCONFIG);
    let pinned = [
        "kubectl --context home get nodes",
        "talosctl --talosconfig clusterconfig/talosconfig -n 10.20.30.11 version",
        "TALOSCONFIG=clusterconfig/talosconfig talosctl -n 10.20.30.11 -e 10.20.30.12 version",
    ];
    for line in pinned {
        let _ = tools.shell(&["run"], line).exit(0).stdout_has("exit=0");
        assert_eq!(tools.started().len(), 1, "{line}");
    }
    let others = [
        "kubectl --context other get nodes",
        "kubectl get nodes --server=https://10.9.9.9",
        "KUBECONFIG=$HOME/.kube/config kubectl get nodes",
        "kubectl --kubeconfig \"$HOME/.kube/config\" get nodes",
        "HELM_KUBECONTEXT=other helm list",
        "kubectl --token canary-token get nodes",
    ];
    for line in others {
        let ran = tools.shell(&["run"], line).exit(3);
        assert!(ran.all().contains("names a target of its own"), "{line}: {}", ran.all());
        assert!(!ran.stderr().contains("canary"), "{}", ran.all());
        assert!(tools.started().is_empty(), "{line}");
    }
}

#[test]
fn a_tool_that_is_not_there_is_told_as_missing() {
    let tools = Tools::new();
    let ran = tools.shell(&["run"], "velero backup get").exit(0).stdout_has("exit=6");
    assert!(ran.all().contains("`velero` is not on PATH"), "{}", ran.all());
    let _ = tools
        .shell(&["run"], "k=$(command -v kubectl); PATH=; $k get nodes")
        .exit(0)
        .stdout_has("exit=6");
    assert!(tools.started().is_empty());
}

#[test]
fn a_plan_runs_only_declared_reads_and_they_meet_the_shims() {
    let tools = Tools::new();
    let script = |effect: &str, line: &str| format!("sh {{ '{line}', effect = '{effect}' }}");
    let _ = tools.body(&["plan"], &script("mutates", "kubectl get nodes; touch reached")).exit(0);
    assert!(tools.started().is_empty() && !tools.space.path("reached").exists());
    let read =
        format!("error({}.stdout)", script("reads", "kubectl get nodes; touch reached || true"));
    let ran = tools.body(&["plan"], &read).exit(1);
    assert!(ran.all().contains("KUBECONFIG="), "its output has arrived: {}", ran.all());
    let ran = tools.body(&["plan"], &script("reads", "kubectl delete node w-1"));
    assert!(ran.code() == 3 && ran.all().contains("OPS0360"), "{}", ran.all());
    assert!(ran.all().contains("recipes/probe.lua:1"), "{}", ran.all());
    assert!(tools.started().is_empty());
}

#[test]
fn a_line_that_is_declared_to_read_writes_to_its_temporary_folder_alone() {
    let tools = Tools::new();
    let body = |line: &str| format!("sh {{ [==[{line}]==], effect = 'reads' }}");
    let fine = "f=$(mktemp); kubectl get nodes | cat > $f; grep KUBECONFIG $f; case $f in */shims-*) ;; *) exit 1;; esac";
    for words in [["run"], ["plan"]] {
        let _ = tools.body(&words, &body(fine)).exit(0);
        // The tool's own stand-in writes down that it was started, and may not.
        assert_eq!(tools.started(), [""; 0]);
        if !confines() {
            eprintln!("skipped: this kernel has no Landlock");
            continue;
        }
        for line in
            ["touch reached", "echo x > ops.toml", "rm -r clusters", "touch \"$HOME/reached\""]
        {
            let ran = tools.body(&words, &body(line)).exit(1);
            assert!(ran.all().contains("writes below $TMPDIR only"), "{line}\n{}", ran.all());
            assert!(!tools.space.path("reached").exists(), "{line}\n{}", ran.all());
            assert!(tools.space.path("clusters").exists() && tools.space.read("ops.toml") != "x\n");
        }
    }
    let _ = tools.body(&["run"], "sh 'touch reached'").exit(0);
    assert!(tools.space.path("reached").exists(), "what is not declared to read may write");
}

/// Whether this kernel has Landlock: since 5.13, where it is built in and not switched off.
#[cfg(target_os = "linux")]
fn confines() -> bool {
    use landlock::{AccessFs, Ruleset, RulesetAttr, RulesetError, RulesetStatus};
    let confined = || -> Result<_, RulesetError> {
        let made = Ruleset::default().handle_access(AccessFs::MakeDir)?.create()?;
        Ok(made.restrict_self()?.ruleset)
    };
    let status = std::thread::spawn(move || confined().unwrap()).join().unwrap();
    status != RulesetStatus::NotEnforced
}

#[cfg(not(target_os = "linux"))]
fn confines() -> bool {
    false
}

#[test]
fn the_lab_runs_a_shell_and_answers_its_reads() {
    let tools = Tools::new();
    let lab = ["--lab", "run"];
    let _ = tools.space.run(["lab", "up", "--healthy"]).exit(0);
    let _ = tools.shell(&lab, "echo 6 | sed s/6/7/ > made; cat made").exit(0).stdout_has("7");
    assert_eq!(tools.space.read("made"), "7\n");
    for (line, answer) in [
        ("talosctl -n 10.20.30.21 version --short | grep Tag", "Tag:"),
        ("kubectl get nodes -o name", "node/w-1"),
        ("env -i PATH=\"$PATH\" kubectl get nodes --no-headers | wc -l", "5"),
        ("kubectl --context home get nodes -o name", "node/cp-1"),
        ("cd recipes; talosctl -n 10.20.30.11 etcd members | head -1", "HOSTNAME"),
        ("(kubectl get nodes & kubectl get nodes & wait) | grep -c w-1", "2"),
        ("for n in 21 22; do talosctl -n 10.20.30.$n get machinestatus -o json; done", "running"),
    ] {
        let ran = tools.shell(&lab, line).exit(0);
        assert!(ran.stdout().contains(answer), "{line}\n{}", ran.all());
        assert!(tools.started().is_empty(), "{line}");
    }
    let unmodelled = tools.shell(&lab, "kubectl api-resources").exit(0);
    assert!(unmodelled.all().contains("lab: not modelled"), "{}", unmodelled.all());
    let writes = tools.shell(&lab, "kubectl drain w-1 || true").exit(3);
    assert!(writes.all().contains("`kubectl drain` is no read"), "{}", writes.all());
    let ran = tools.body(&lab, "sh.exec { 'talosctl', 'reset', '-n', '10.20.30.21' }").exit(3);
    assert!(ran.all().contains("OPS0301"), "the partitions are missing: {}", ran.all());
}

/// The folders of shims in the state folder.
fn folders(tools: &Tools) -> usize {
    let clusters = fs::read_dir(tools.space.state().join("ops")).unwrap();
    let all = clusters.flat_map(|cluster| fs::read_dir(cluster.unwrap().path()).unwrap());
    all.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("shims-")).count()
}

#[test]
fn the_private_folder_goes_with_the_run_and_a_killed_runs_with_the_next() {
    let tools = Tools::new();
    let _ = tools.shell(&["run"], "stat -c '%a' \"${KUBECONFIG%/*}\"").exit(0).stdout_has("700");
    assert_eq!(folders(&tools), 0);
    let _ = tools.body(&["run"], "sh 'kill -9 $PPID'").exit(-1);
    assert_eq!(folders(&tools), 1);
    let _ = tools.shell(&["run"], "true").exit(0);
    assert_eq!(folders(&tools), 0);
}
