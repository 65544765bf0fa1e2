//! Inline manifests: built by kustomize, put into a Talos patch, compared with their sources. Most tests have a fake kustomize that prints a file;
//! those at the end ask the real tools.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::space::{Ran, Space};
use crate::watch::Watch;

const PATCH: &str = "bootstrap/talos/patches/cilium.yaml";
/// As ugly as people write them: comments, trailing spaces, an anchor, no line break at the end.
const UGLY: &str = "cluster: # ours\n  inlineManifests:\n    - name: cilium   # pinned  \n      contents: \"\"\n    - &other\n      name: other\n      contents: |\n        a: 1   \nmachine: {type: worker} # why";

/// Writes its command line down and prints what lies beside the kustomization.
const FAKE: &str =
    "#!/bin/sh\nprintf '%s\\n' \"NAME $*\" >> LOG\nfor folder; do :; done\ncat \"$folder/built\"\n";

fn object(kind: &str, name: &str, rest: &str) -> String {
    format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n{rest}")
}

/// A repository of which only a fake tool of each of these names is on the path.
fn space(tools: &[&str]) -> Space {
    let mut space = Space::new();
    let log = space.path("log").display().to_string();
    for tool in tools {
        let path = format!("fakes/{tool}");
        space.write(&path, &FAKE.replace("LOG", &log).replace("NAME", tool));
        fs::set_permissions(space.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    // A folder of our own with the few programs that the fakes need: the machine may have the real tools.
    for tool in ["sh", "cat", "printf"] {
        let real = ["/bin", "/usr/bin"].map(|f| format!("{f}/{tool}"));
        let real = real.iter().find(|p| fs::exists(p).unwrap()).expect("a program of every system");
        fs::create_dir_all(space.path("fakes")).unwrap();
        let _ = std::os::unix::fs::symlink(real, space.path(&format!("fakes/{tool}")));
    }
    let path = space.path("fakes").display().to_string();
    space.env("PATH", &path);
    source(&space, &object("ConfigMap", "a", "data: {x: \"1\"}\n"));
    space.write(PATCH, UGLY);
    space
}

fn source(space: &Space, built: &str) {
    let folder = "apps/kube-system/cilium";
    space.write(&format!("{folder}/kustomization.yaml"), "resources: []\n");
    space.write(&format!("{folder}/built"), built);
}

fn regenerated(space: &Space) -> Ran {
    space.run(["run", "regenerate:cilium"]).exit(0)
}

#[test]
fn the_built_manifests_stand_in_the_patch_and_every_other_byte_stays() {
    let space = space(&["kustomize"]);
    let _ = regenerated(&space).stdout_has("changed");
    let block = "contents: |\n        apiVersion: v1\n        kind: ConfigMap\n        metadata:\n          name: a\n        data: {x: \"1\"}\n";
    assert_eq!(space.read(PATCH), UGLY.replace("contents: \"\"\n", block));
}

#[test]
fn the_second_run_writes_nothing() {
    let space = space(&["kustomize"]);
    let _ = regenerated(&space);
    let modified = |space: &Space| fs::metadata(space.path(PATCH)).unwrap().modified().unwrap();
    let before = modified(&space);
    let _ = regenerated(&space).stdout_has("unchanged");
    assert_eq!(modified(&space), before);
}

#[test]
fn a_plan_shows_the_difference_and_writes_nothing() {
    let space = space(&["kustomize"]);
    let plan = space.run(["plan", "regenerate:cilium", "--json"]).exit(0).stdout();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let edit = plan["calls"].as_array().unwrap().iter().find(|c| c["call"] == "yaml.edit").unwrap();
    assert_eq!(edit["changed"], true);
    let diff = edit["reply"]["diff"].as_str().unwrap();
    assert!(diff.contains("-      contents: \"\"\n+      contents: |\n"), "{diff}");
    assert_eq!(space.read(PATCH), UGLY);
}

#[test]
fn both_can_be_planned_at_once_and_neither_hides_the_other() {
    let space = space(&["kustomize"]);
    space.write("apps/argocd/argocd/kustomization.yaml", "resources: []\n");
    space.write("apps/argocd/argocd/built", &object("ConfigMap", "b", ""));
    space.write("bootstrap/talos/patches/argocd.yaml", &UGLY.replace("cilium", "argocd"));
    let asked = ["plan", "regenerate:cilium", "regenerate:argocd", "-j", "1"];
    let _ = space.run(asked).exit(0).stdout_has("2 write files");
}

#[test]
fn paths_of_another_layout_are_parameters() {
    let space = space(&["kustomize"]);
    space.write("k8s/cni/kustomization.yml", "");
    space.write("k8s/cni/built", &object("ConfigMap", "mine", ""));
    space.write("talos/cni.yaml", "cluster:\n  inlineManifests:\n  - {name: net, contents: x}\n");
    let asked = [
        "run",
        "regenerate:cilium",
        "--source",
        "k8s/cni",
        "--patch",
        "talos/cni.yaml",
        "--manifest",
        "net",
    ];
    let _ = space.run(asked).exit(0);
    assert!(
        space.read("talos/cni.yaml").contains("name: mine"),
        "{}",
        space.read("talos/cni.yaml")
    );
    // The same, said once for the repository.
    space.write(
        "ops.toml",
        "api = 1\n[recipes.\"regenerate:cilium\"]\nsource = \"k8s/cni\"\npatch = \"talos/cni.yaml\"\nmanifest = \"net\"\n",
    );
    let _ = regenerated(&space).stdout_has("unchanged");
}

#[test]
fn a_folder_that_is_not_there_is_named_with_its_flag() {
    let space = space(&["kustomize"]);
    let ran = space.run(["run", "regenerate:argocd"]).exit(1);
    let ran = ran.stderr_has("apps/argocd/argocd").stderr_has("--source");
    drop(ran);
    fs::remove_file(space.path(PATCH)).unwrap();
    let _ = space.run(["run", "regenerate:cilium"]).exit(1).stderr_has(PATCH).stderr_has("--patch");
}

#[test]
fn a_secret_with_values_is_refused_by_name_and_not_shown() {
    let space = space(&["kustomize"]);
    let secret = object("Secret", "hubble", "stringData:\n  ca.key: canary-7d1\n");
    source(&space, &format!("{}---\n{secret}", object("Secret", "empty", "type: Opaque\n")));
    for verb in ["plan", "run"] {
        let ran = space.run([verb, "regenerate:cilium"]).exit(1);
        let ran =
            ran.stderr_has("Secret hubble").stderr_has("ca.key").stderr_has("--allow-secrets");
        assert!(!ran.all().contains("canary-7d1"), "{}", ran.all());
    }
    assert_eq!(space.read(PATCH), UGLY);
    let kept = crate::secret_output::holding(&space.state(), "canary-7d1");
    assert!(kept.len() <= 1, "outside of the sealed blob: {kept:?}");
}

#[test]
fn a_secret_that_is_allowed_is_written_into_a_private_file() {
    let space = space(&["kustomize"]);
    source(&space, &object("Secret", "hubble", "stringData:\n  ca.key: canary-7d1\n"));
    let ran = space.run(["run", "regenerate:cilium", "--allow-secrets"]).exit(0);
    assert!(!ran.all().contains("canary-7d1"), "{}", ran.all());
    assert!(space.read(PATCH).contains("canary-7d1"));
    assert_eq!(fs::metadata(space.path(PATCH)).unwrap().permissions().mode() & 0o777, 0o600);
    let again = space.run(["run", "regenerate:cilium", "--allow-secrets"]).exit(0);
    let _ = again.stdout_has("unchanged");
}

#[test]
fn kustomize_is_preferred_and_kubectl_does_where_it_is_not() {
    for (tools, line) in [
        (&["kustomize", "kubectl"][..], "kustomize build ./apps/kube-system/cilium\n"),
        (&["kubectl"], "kubectl kustomize ./apps/kube-system/cilium\n"),
    ] {
        let space = space(tools);
        let _ = regenerated(&space);
        assert_eq!(space.read("log"), line);
    }
}

#[test]
fn without_either_tool_the_run_ends_with_6_and_names_both() {
    let space = space(&[]);
    let ran = space.run(["run", "regenerate:cilium"]).exit(6);
    let _ = ran.stderr_has("kustomize").stderr_has("kubectl").stderr_has("install");
}

#[test]
fn the_lab_builds_with_the_real_tool_because_no_cluster_is_asked() {
    let space = space(&["kubectl"]);
    let example = Space::example("home");
    fs::create_dir_all(space.path("clusters")).unwrap();
    fs::copy(example.path("clusters/home.toml"), space.path("clusters/home.toml")).unwrap();
    space.write("apps/argocd/argocd/kustomization.yaml", "resources: []\n");
    space.write("apps/argocd/argocd/built", &object("ConfigMap", "b", ""));
    let argocd = PATCH.replace("cilium", "argocd");
    space.write(&argocd, &UGLY.replace("cilium", "argocd"));
    for (recipe, patch) in [("regenerate:cilium", PATCH), ("regenerate:argocd", &argocd)] {
        let lab = |verb| space.run(["--lab", verb, recipe]).exit(0);
        let before = space.read(patch);
        let _ = lab("plan").stdout_has("1 write files");
        assert_eq!(space.read(patch), before, "a plan changes nothing");
        let _ = lab("run").stdout_has("changed");
        let after = space.read(patch);
        let _ = lab("run").stdout_has("unchanged");
        assert_eq!(space.read(patch), after);
    }
    for verb in ["plan", "run"] {
        let _ = space.run(["--lab", verb, "regenerate:check"]).exit(0);
    }
    let state = space.run(["--lab", "lab", "state", "--json"]).exit(0).stdout();
    let again = space.run(["--lab", "run", "regenerate:check"]).exit(0);
    let _ = again.stdout_has("nothing changed");
    assert_eq!(space.run(["--lab", "lab", "state", "--json"]).exit(0).stdout(), state);
}

#[test]
fn what_lies_on_another_machine_is_refused_where_it_is_named_and_no_tool_starts() {
    let space = space(&["kustomize"]);
    let folder = "apps/kube-system/cilium";
    for (text, place) in [
        ("resources:\n- a.yaml\n- https://example.org/x.yaml\n", "kustomization.yaml:3:3"),
        ("components: [github.com/o/r//p?ref=v1]\n", "kustomization.yaml:1:14"),
        (
            "configMapGenerator:\n- name: x\n  files: [k=http://example.org/f]\n",
            "kustomization.yaml:3:11",
        ),
        ("resources: [../base]\n", "../base/kustomization.yaml:2:1"),
        ("generators: [g.yaml]\n", "g.yaml:2:7"),
        (
            "transformers:\n- |\n  kind: PatchTransformer\n  path: https://example.org\n",
            "kustomization.yaml:3:3",
        ),
    ] {
        space.write(&format!("{folder}/kustomization.yaml"), text);
        space.write(&format!("{folder}/a.yaml"), "");
        space.write(&format!("{folder}/g.yaml"), "kind: X\npath: https://example.org/p\n");
        space.write("apps/kube-system/base/kustomization.yaml", "bases:\n- git@example.org:a/b\n");
        let ran = space.run(["run", "regenerate:cilium"]).exit(1);
        let place = place.strip_prefix("../base/").map_or_else(
            || format!("{folder}/{place}"),
            |place| format!("apps/kube-system/base/{place}").replace(":2:1", ":2:3"),
        );
        let _ = ran.stderr_has(&place).stderr_has("another machine").stderr_has("remote = true");
        assert!(!space.path("log").exists(), "{text}");
    }
    let _ = space.run(["run", "regenerate:cilium", "--remote"]).exit(0);
    assert!(space.path("log").exists(), "declared, it is the tool's to fetch");
}

#[test]
fn what_a_kustomization_cannot_be_built_from_is_told_with_its_place() {
    let space = space(&["kustomize"]);
    let folder = "apps/kube-system/cilium";
    std::os::unix::fs::symlink(space.state(), space.path("apps/out")).unwrap();
    for (text, words) in [
        ("resources: [../../../../etc]\n", "leaves the repository"),
        ("resources: [/etc/hosts]\n", "leaves the repository"),
        ("resources: [../../out/x]\n", "leaves the repository"),
        ("resources: [nothing.yaml]\n", "there is no `apps/kube-system/cilium/nothing.yaml`"),
        ("resources: [../empty]\n", "holds no kustomization.yaml"),
        (
            "helmCharts:\n- {name: cilium, repo: https://helm.example.org}\n",
            "kustomization.yaml:2:3",
        ),
        ("resources: [\n", "not YAML"),
        ("- a\n", "a kustomization is a mapping"),
    ] {
        space.write("apps/kube-system/empty/readme", "");
        space.write(&format!("{folder}/kustomization.yaml"), text);
        let ran = space.run(["run", "regenerate:cilium"]).exit(1);
        let _ = ran.stderr_has(words);
        assert!(!space.path("log").exists(), "{text}");
    }
}

#[test]
fn folders_that_name_one_another_end() {
    let space = space(&["kustomize"]);
    space.write("apps/kube-system/cilium/kustomization.yaml", "resources: [../base]\n");
    space.write("apps/kube-system/base/kustomization.yaml", "resources: [../cilium]\n");
    let _ = regenerated(&space);
}

#[test]
fn a_tool_that_fails_says_why_and_the_patch_is_as_it_was() {
    let space = space(&["kustomize"]);
    fs::remove_file(space.path("apps/kube-system/cilium/built")).unwrap();
    let _ = space.run(["run", "regenerate:cilium"]).exit(1).stderr_has("built");
    source(&space, "a: [\n");
    let _ = space.run(["run", "regenerate:cilium"]).exit(1).stderr_has("no YAML");
    source(&space, "");
    let _ = space.run(["run", "regenerate:cilium"]).exit(1).stderr_has("builds no object");
    assert_eq!(space.read(PATCH), UGLY);
}

#[test]
fn a_patch_that_cannot_be_edited_is_told_with_its_place() {
    let space = space(&["kustomize"]);
    for (patch, words) in [
        ("cluster: {}\n", "cilium.yaml:1:10"),
        (
            "cluster:\n  inlineManifests:\n  - name: other\n    contents: x\n",
            "no item with `name: cilium`",
        ),
        ("cluster:\n  inlineManifests:\n  - name: cilium\n", "no key `contents`"),
        (
            "cluster: {inlineManifests: [{name: cilium, contents: &c old}, {name: b, contents: *c}]}\n",
            "anchor",
        ),
        ("cluster: [\n", "not YAML"),
        ("cluster: \u{7}\n", "control character"),
    ] {
        space.write(PATCH, patch);
        let _ = space.run(["run", "regenerate:cilium"]).exit(1).stderr_has(words);
        assert_eq!(space.read(PATCH), patch);
    }
}

fn check(space: &Space) -> Ran {
    space.run(["run", "regenerate:check", "--only", "cilium"])
}

#[test]
fn check_lists_what_differs_and_ends_with_1() {
    let space = space(&["kustomize"]);
    let text = |image: &str, also: &str| {
        format!(
            "{}---\n{}",
            object("Pod", "p", &format!("spec: {{image: {image}}}\n")),
            object("ConfigMap", also, "")
        )
    };
    source(&space, &text("a:1", "old"));
    let _ = regenerated(&space);
    let _ = check(&space).exit(0);
    source(&space, &text("a:2", "new"));
    let ran = check(&space).exit(1);
    let ran = ran
        .stdout_has("spec.image: a:1 → a:2")
        .stdout_has("ConfigMap old")
        .stdout_has("only in the patch");
    let _ = ran.stdout_has("ConfigMap new").stderr_has("ops run regenerate:cilium");
    let _ = regenerated(&space);
    let _ = check(&space).exit(0);
}

#[test]
fn what_argocd_is_told_to_overlook_is_left_out() {
    let space = space(&["kustomize"]);
    let config = |x: &str| object("ConfigMap", "a", &format!("data: {{x: \"{x}\", y: \"1\"}}\n"));
    source(&space, &config("1"));
    let _ = regenerated(&space);
    source(&space, &config("2"));
    let application = |path: &str, ignore: &str| {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec:\n  source: {{path: {path}}}\n  ignoreDifferences:\n  - kind: ConfigMap\n    {ignore}\n"
        );
        space.write("apps/argocd/applications/cilium.yaml", &text);
    };
    let ignore = "jsonPointers: [/data/x]";
    application("apps/other", ignore);
    let _ = check(&space).exit(1);
    application("apps/kube-system/cilium", ignore);
    let _ = check(&space).exit(0);
    application("apps/kube-system/cilium", "jqPathExpressions: ['.data | keys']");
    let _ = check(&space).exit(1).stdout_has("`.data | keys` is not understood");
    // A template that is no YAML yet is told, and hides nothing.
    space.write("apps/argocd/applications/cilium.yaml", "{{ if }}\nignoreDifferences: [\n");
    let _ = check(&space).exit(1).stdout_has("apps/argocd/applications/cilium.yaml");
}

#[test]
fn a_manifest_too_long_for_a_value_goes_through_all_the_same() {
    let space = space(&["kustomize"]);
    let line = format!("  k: {}\n", "x".repeat(200));
    let long: Vec<String> = (0..8_000).map(|i| line.replace('k', &format!("k{i}"))).collect();
    source(&space, &object("ConfigMap", "long", &format!("data:\n{}", long.concat())));
    let _ = regenerated(&space);
    assert!(space.read(PATCH).len() > 1_600_000);
    let _ = check(&space).exit(0);
}

#[expect(clippy::disallowed_methods, reason = "the oracle is a program, named by the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn another_kustomize_builds_again() {
    let mut space = Space::new();
    let tool = |space: &Space, name: &str| {
        let object = format!("apiVersion: v1\\nkind: ConfigMap\\nmetadata: {{name: {name}}}\\n");
        space.write("new", &format!("#!/bin/sh\nprintf '{object}'\n"));
        fs::set_permissions(space.path("new"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(space.path("tools")).unwrap();
        fs::rename(space.path("new"), space.path("tools/kustomize")).unwrap();
    };
    let body = "fs.write { 'out', content = kube.kustomize { 'app' } }";
    let recipe =
        format!("return ops.recipe {{ desc = 'B', cluster = false, run = function() {body} end }}");
    space.write("recipes/b.lua", &recipe).write("app/kustomization.yaml", "resources: []\n");
    tool(&space, "old");
    let path = format!("{}:/usr/bin:/bin", space.path("tools").display());
    let watch = Watch::of(space.env("PATH", &path), &["b"]);
    assert!(space.read("out").contains("old"));
    tool(&space, "new");
    let _ = watch.until_it_waits();
    assert!(space.read("out").contains("name: new"));
}

/// The real tools: kustomize as `tests/tools/build` makes it, kubectl where it is installed.
fn real() -> Vec<(&'static str, String)> {
    let kustomize = variable("OPS_KUSTOMIZE");
    if kustomize.is_none() {
        assert!(variable("CI").is_none(), "OPS_KUSTOMIZE is not set, and CI needs it");
        eprintln!("SKIPPED: the real kustomize: OPS_KUSTOMIZE is not set");
    }
    let kubectl = Some("/usr/bin/kubectl".to_owned()).filter(|path| fs::exists(path).unwrap());
    if kubectl.is_none() {
        eprintln!("SKIPPED: the real kubectl: it is not installed");
    }
    let found = [("kustomize", kustomize), ("kubectl", kubectl)];
    found.into_iter().filter_map(|(name, path)| Some((name, path?))).collect()
}

#[test]
fn the_real_tools_build_what_the_recipes_write_and_check() {
    for (name, path) in real() {
        let space = space(&[]);
        std::os::unix::fs::symlink(&path, space.path(&format!("fakes/{name}"))).unwrap();
        let folder = "apps/kube-system/cilium";
        space.write(
            &format!("{folder}/kustomization.yaml"),
            "namespace: kube-system\nresources: [../base, agent.yaml]\nconfigMapGenerator:\n- name: settings\n  files: [settings.txt]\n",
        );
        space.write(&format!("{folder}/settings.txt"), "one\n\ttab \ntwo");
        space.write(&format!("{folder}/agent.yaml"), &object("Pod", "agent", "spec: {image: a}\n"));
        space.write("apps/kube-system/base/kustomization.yaml", "resources: [sa.yaml]\n");
        space.write("apps/kube-system/base/sa.yaml", &object("ServiceAccount", "cilium", ""));
        let _ = regenerated(&space);
        let written = space.read(PATCH);
        assert!(
            written.contains("namespace: kube-system") && written.contains("\\ttab"),
            "{name}: {written}"
        );
        assert!(written.ends_with("machine: {type: worker} # why"), "{name}: {written}");
        let _ = regenerated(&space).stdout_has("unchanged");
        let _ = check(&space).exit(0);
        space.write(&format!("{folder}/agent.yaml"), &object("Pod", "agent", "spec: {image: b}\n"));
        let _ = check(&space).exit(1).stdout_has("spec.image: a → b");
    }
}
