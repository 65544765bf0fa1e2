//! What a shell may do, and every way around it that was thought of.

#![allow(clippy::unwrap_used)]

mod attempts;

use attempts::REFUSED;

use super::{judge, named_by_environment, tools};
use crate::error::{Code, Exit};

/// Splits like a shell that knows only `''` and `""`.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(q), c) if q == c => quote = None,
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn code(line: &str) -> Result<String, Code> {
    let mut words = words(line);
    let tool = if words.is_empty() { String::new() } else { words.remove(0) };
    judge(&tool, &words).map(|read| read.verb).map_err(|fault| fault.code)
}

const READS: &[&str] = &[
    "talosctl",
    "talosctl --help",
    "talosctl help reset",
    "talosctl reset --help",
    "talosctl version",
    "talosctl version --client --short",
    "talosctl -n 10.0.0.1 version",
    "talosctl --nodes=10.0.0.1,10.0.0.2 -e 10.0.0.1 get members -o json",
    "talosctl -n=10.0.0.1 g members -ojson",
    "talosctl get -n10.0.0.1 disks -w",
    "talosctl get disks --insecure",
    "talosctl health --wait-timeout 30s --run-e2e=false",
    "talosctl services",
    "talosctl service etcd",
    "talosctl service etcd status",
    "talosctl logs -f kubelet",
    "talosctl dmesg --tail",
    "talosctl etcd members",
    "talosctl etcd -n 10.0.0.1 status",
    "talosctl etcd alarm list",
    "talosctl images ls --namespace system",
    "talosctl config info -o json",
    "talosctl config get-contexts",
    "talosctl validate -c cp.yaml -m metal --strict",
    "talosctl mc patch cp.yaml -p @patch.yaml",
    "talosctl list -lr -d 2 /var",
    "talosctl get -- disks",
    "kubectl get pods -A -o wide",
    "kubectl get -Aw po",
    "kubectl -n kube-system get ds,deploy -l app=x --field-selector=a=b",
    "kubectl get po -An kube-system",
    "kubectl --context home --kubeconfig k get ns",
    "kubectl describe node w-1",
    "kubectl logs -f deploy/x -c y --tail=5",
    "kubectl diff -f manifests/ --server-side",
    "kubectl wait --for=condition=Ready node/w-1 --timeout=60s",
    "kubectl rollout status ds/cilium -n kube-system",
    "kubectl auth can-i '*' '*'",
    "kubectl config current-context",
    "kubectl cluster-info",
    "kubectl kustomize overlays/home",
    "kubectl top no",
    "helm ls -A -a",
    "helm status cilium -n kube-system -o json",
    "helm get values cilium --all",
    "helm hist cilium --max 5",
    "helm template x ./chart -f values.yaml --set a=b --include-crds --dry-run=server",
    "helm template x ./chart --dry-run",
    "helm show values oci://registry/chart --version 1.2.3",
    "helm dep ls ./chart",
    "helmfile -e home list --output json",
    "helmfile -f helmfile.yaml diff",
    "flux get ks -A",
    "flux get sources git --no-header",
    "flux get -A helmreleases --status-selector ready=false",
    "flux check --pre",
    "flux diff ks apps --path ./apps",
    "flux version --client -o json",
    "flux-operator get instance -A",
    "omnictl get machines -o yaml",
    "argocd app get apps -o json",
    "argocd context",
    "velero backup describe daily --details",
];

#[test]
fn reads_pass() {
    let wrong: Vec<&&str> = READS.iter().filter(|line| code(line).is_err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn everything_else_is_refused_with_exit_3() {
    let passed: Vec<&&str> = REFUSED.iter().filter(|line| code(line).is_ok()).collect();
    assert!(passed.is_empty(), "{passed:#?}");
    for line in REFUSED {
        assert_eq!(code(line).unwrap_err().exit, Exit::Refused, "{line}");
    }
    assert!(REFUSED.len() >= 270, "{} attempts", REFUSED.len());
}

#[test]
fn an_empty_variable_is_told_to_mean_the_whole_disk() {
    for line in [
        "talosctl reset -n x",
        "talosctl -n x reset --system-labels-to-wipe ''",
        "talosctl reset --system-labels-to-wipe= --reboot",
        "talosctl reset --wipe-mode=all --system-labels-to-wipe ''",
        "talosctl reset --user-disks-to-wipe /dev/sdb",
    ] {
        assert_eq!(code(line), Err(Code::GUARD_PARTITIONS), "{line}");
    }
    assert_eq!(code("talosctl reset --system-labels-to-wipe STATE"), Err(Code::SHIM));
    assert_eq!(
        code("talosctl reset --insecure --wait=false --system-labels-to-wipe STATE"),
        Err(Code::GUARD_PARTITIONS)
    );
}

#[test]
fn a_target_of_its_own_is_reported() {
    let read = judge("kubectl", &words("get po --context=other -s https://x")).unwrap();
    let targets: Vec<String> =
        read.targets.iter().map(|t| format!("{}={}", t.name, t.value)).collect();
    assert_eq!(targets, ["--context=other", "--server=https://x"]);
    for line in [
        "kubectl get po --insecure-skip-tls-verify",
        "kubectl get po --insecure-skip-tls-verify=1",
        "kubectl get po --certificate-authority ca.crt",
        "kubectl get po --tls-server-name x",
        "kubectl get po --as-group system:masters",
        "kubectl get po --client-certificate=x --client-key=y",
        "kubectl get po --username admin --password x",
        "kubectl --kuberc x get po",
        "kubectl get po --user=other",
        "helm list --kube-ca-file x",
        "helm list --kube-insecure-skip-tls-verify",
        "helm --kube-as-group=x list",
        "flux get ks -s https://x",
        "flux get ks --insecure-skip-tls-verify=T",
        "talosctl -c other version",
        "talosctl --siderov1-keys-dir x version",
        "omnictl --insecure-skip-tls-verify get machines",
        "argocd --plaintext app list",
        "argocd app list -H x",
        "velero --kubecontext other get backups",
    ] {
        let mut words = words(line);
        let tool = words.remove(0);
        assert!(!judge(&tool, &words).unwrap().targets.is_empty(), "{line}");
    }
    let off = words("get po --insecure-skip-tls-verify=false");
    assert_eq!(judge("kubectl", &off).unwrap().targets, []);
    let env = [("KUBECONFIG", "/tmp/k"), ("HELM_KUBECONTEXT", ""), ("HOME", "/root")];
    let named = named_by_environment("helm", env);
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].name, "KUBECONFIG");
    for (tool, name) in [
        ("kubectl", "KUBERNETES_SERVICE_HOST"),
        ("kubectl", "KUBERC"),
        ("kubectl", "KUBECTL_EXTERNAL_DIFF"),
        ("helm", "HELM_KUBECAFILE"),
        ("helm", "HELM_KUBEINSECURE_SKIP_TLS_VERIFY"),
        ("helm", "HELM_DRIVER"),
        ("helmfile", "HELMFILE_FILE_PATH"),
        ("flux", "KUBERNETES_MASTER"),
        ("talosctl", "TALOS_HOME"),
        ("talosctl", "SIDEROV1_KEYS_DIR"),
        ("argocd", "ARGOCD_OPTS"),
        ("argocd", "ARGOCD_CONFIG_DIR"),
        ("velero", "VELERO_NAMESPACE"),
        ("omnictl", "OMNICONFIG"),
    ] {
        assert_eq!(named_by_environment(tool, [(name, "x")])[0].name, name, "{tool}");
        assert_eq!(named_by_environment(tool, [(name, "")]), [], "{tool} {name}");
    }
}

#[test]
fn a_refusal_names_the_call_that_stands_in() {
    let fault = judge("kubectl", &words("drain w-1 --force")).unwrap_err();
    assert_eq!(fault.title, "`kubectl drain` is no read");
    assert_eq!(fault.help, ["in a recipe: kube.drain"]);
}

#[test]
fn an_alias_is_its_verb() {
    for (line, verb) in [
        ("talosctl g members", "get"),
        ("helm ls", "list"),
        ("talosctl images l", "image list"),
        ("flux diff ks x", "diff kustomization"),
    ] {
        assert_eq!(code(line).unwrap(), verb, "{line}");
    }
}

#[test]
fn no_table_names_a_verb_twice() {
    for tool in &super::TOOLS {
        let mut words: Vec<&str> = tool.verbs.iter().map(|verb| verb.words).collect();
        words.sort_unstable();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all, "{}", tool.name);
    }
    assert_eq!(tools().count(), 9);
}
