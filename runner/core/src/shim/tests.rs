//! What a shell may do, and every way around it that was thought of.

#![allow(clippy::unwrap_used)]

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

/// Each would change something, or nobody knows what it would do.
const REFUSED: &[&str] = &[
    // talosctl reset, in every spelling.
    "talosctl reset",
    "talosctl reset -n 10.0.0.1",
    "talosctl -n 10.0.0.1 reset",
    "talosctl --nodes 10.0.0.1 reset",
    "talosctl --nodes=10.0.0.1 --endpoints=10.0.0.1 reset",
    "talosctl -n10.0.0.1 reset",
    "talosctl -n=10.0.0.1 reset",
    "talosctl --talosconfig t -e e -n x reset --reboot",
    "talosctl --context version reset",
    "talosctl -n version reset",
    "talosctl -nget reset",
    "talosctl -c get reset",
    "talosctl reset --system-labels-to-wipe STATE",
    "talosctl reset --system-labels-to-wipe=STATE,EPHEMERAL",
    "talosctl reset --system-labels-to-wipe STATE --system-labels-to-wipe EPHEMERAL",
    "talosctl reset --system-labels-to-wipe ''",
    "talosctl reset --system-labels-to-wipe=",
    "talosctl reset --system-labels-to-wipe --help",
    "talosctl reset --system-labels-to-wipe -h",
    "talosctl reset --system-labels-to-wipe get",
    "talosctl reset --system-labels-to-wipe META",
    "talosctl reset --wipe-mode all",
    "talosctl reset --wipe-mode=system-disk --system-labels-to-wipe STATE",
    "talosctl reset --wipe-mode USER-DISKS",
    "talosctl reset --wipe-mode=user-disks --user-disks-to-wipe /dev/sdb",
    "talosctl reset --user-disks-to-wipe /dev/sdb",
    "talosctl reset --graceful=false",
    "talosctl reset --graceful=f",
    "talosctl reset --graceful=0",
    "talosctl reset --graceful false",
    "talosctl reset --no-graceful",
    "talosctl reset --gracef=false",
    "talosctl reset --insecure --wait=false",
    "talosctl reset -i",
    "talosctl reset --help=false",
    "talosctl reset --help --wait",
    "talosctl reset -- --help",
    "talosctl -n reset get disks",
    "talosctl --nodes reset version",
    "talosctl -- reset",
    "talosctl -- get",
    "talosctl reset get",
    "talosctl RESET",
    "talosctl rese",
    "talosctl Reset --help",
    "talosctl '' reset",
    "talosctl ' reset'",
    // Other verbs of talosctl.
    "talosctl apply -f cp.yaml",
    "talosctl apply-config -f cp.yaml -n 10.0.0.1 --dry-run",
    "talosctl apply -i -f cp.yaml -n 10.0.0.1",
    "talosctl bootstrap",
    "talosctl bootstrap --recover-from db",
    "talosctl upgrade -i ghcr.io/x:v1",
    "talosctl upgrade --force",
    "talosctl upgrade-k8s --to v1.36.0 --dry-run",
    "talosctl reboot",
    "talosctl shutdown --force",
    "talosctl rollback",
    "talosctl wipe disk sdb",
    "talosctl wipe disk sdb --skip-volume-check",
    "talosctl etcd remove-member 1234",
    "talosctl etcd leave",
    "talosctl etcd forfeit-leadership",
    "talosctl etcd defrag",
    "talosctl etcd alarm disarm",
    "talosctl etcd snapshot db",
    "talosctl etcd",
    "talosctl etcd alarm",
    "talosctl etcd members remove",
    "talosctl service etcd stop",
    "talosctl service etcd restart",
    "talosctl services kubelet start",
    "talosctl service etcd status now",
    "talosctl restart kubelet",
    "talosctl patch mc -p x",
    "talosctl edit mc",
    "talosctl meta write 0x0a x",
    "talosctl meta delete 0x0a",
    "talosctl rotate-ca",
    "talosctl rotate-ca --dry-run=false",
    "talosctl gen secrets --force",
    "talosctl gen config home https://x",
    "talosctl kubeconfig -f",
    "talosctl config merge t",
    "talosctl config use-context other",
    "talosctl config remove home -y",
    "talosctl health --run-e2e",
    "talosctl health --run-e2e=true",
    "talosctl health --run-e2e=1",
    "talosctl health --run-e2e=yes",
    "talosctl image pull x",
    "talosctl images rm x",
    "talosctl mc patch cp.yaml -p x -o cp.yaml",
    "talosctl debug",
    "talosctl cluster destroy",
    "talosctl get disks --unknown",
    "talosctl get -Z disks",
    "talosctl get disks -o",
    "talosctl --version",
    "talosctl ---n reset",
    "talosctl --=x get",
    // kubectl.
    "kubectl delete ns prod",
    "kubectl -n x delete --all pods",
    "kubectl delete --all namespaces",
    "kubectl --context=home -nkube-system delete po x",
    "kubectl -n get delete ns prod",
    "kubectl delete -f get",
    "kubectl apply -f x",
    "kubectl apply --dry-run=client -f x",
    "kubectl apply --prune --all -f x",
    "kubectl replace --raw /api/v1/namespaces/x/finalize -f x",
    "kubectl get --raw /api/v1/namespaces/x/services/y/proxy/shutdown",
    "kubectl get --raw=/x",
    "kubectl create ns x",
    "kubectl patch pv x -p '{}'",
    "kubectl edit deploy x",
    "kubectl scale deploy x --replicas=0",
    "kubectl drain w-1 --force --delete-emptydir-data",
    "kubectl cordon w-1",
    "kubectl uncordon w-1",
    "kubectl taint nodes --all x:NoExecute",
    "kubectl label node --all x=y",
    "kubectl annotate ks x reconcile.fluxcd.io/requestedAt=now",
    "kubectl exec etcd -- etcdctl del '' --prefix",
    "kubectl debug node/w-1 --profile=sysadmin",
    "kubectl cp x y:/z",
    "kubectl run x --image y",
    "kubectl rollout restart ds/cilium",
    "kubectl rollout undo deploy/x",
    "kubectl rollout",
    "kubectl set image deploy/x y=z",
    "kubectl certificate approve x",
    "kubectl config use-context other",
    "kubectl config delete-context home",
    "kubectl config view --raw",
    "kubectl cluster-info dump --output-directory x",
    "kubectl cluster-info dump",
    "kubectl auth reconcile -f x",
    "kubectl kustomize x --enable-helm",
    "kubectl kustomize x -o out",
    "kubectl neat",
    "kubectl neat --help",
    "helm secrets --help",
    "kubectl create deployment --help",
    "kubectl get-all",
    "kubectl ctx other",
    "kubectl krew install x",
    "kubectl GET pods",
    "kubectl get pods --profile=cpu --profile-output=/etc/passwd",
    "kubectl get pods --force",
    "kubectl ge pods",
    // helm and helmfile.
    "helm uninstall cilium",
    "helm un cilium",
    "helm del cilium",
    "helm delete cilium",
    "helm -n kube-system uninstall cilium",
    "helm --kube-context list uninstall cilium",
    "helm upgrade -i x ./chart",
    "helm upgrade x ./chart --dry-run",
    "helm install x ./chart --dry-run=server",
    "helm rollback x",
    "helm test x",
    "helm template x ./chart --output-dir out",
    "helm template x ./chart --post-renderer ./evil",
    "helm template x ./chart --dependency-update",
    "helm repo add x https://x",
    "helm repo update",
    "helm plugin install https://x",
    "helm diff upgrade x ./chart",
    "helm secrets decrypt x",
    "helm get",
    "helm pull x",
    "helm registry login x",
    "helm --context x list",
    "helmfile apply",
    "helmfile sync",
    "helmfile destroy",
    "helmfile delete --purge",
    "helmfile -b ./evil list",
    "helmfile diff --args --post-renderer=./evil",
    "helmfile template --output-dir x",
    "helmfile -e prod -l name=list destroy",
    // flux and the others.
    "flux delete ks apps",
    "flux delete ks apps -s",
    "flux -n get delete hr x",
    "flux uninstall -s",
    "flux uninstall --dry-run",
    "flux suspend ks --all",
    "flux resume hr x",
    "flux reconcile hr x --force",
    "flux reconcile source git flux-system",
    "flux bootstrap github --owner x",
    "flux install --export",
    "flux create ks x --export",
    "flux push artifact oci://x",
    "flux tag artifact oci://x",
    "flux migrate",
    "flux export source git --all --with-credentials",
    "flux debug hr x --show-values",
    "flux build artifact -p x -o y",
    "flux trigger receiver x",
    "flux-operator delete instance flux",
    "flux-operator uninstall",
    "flux-operator patch instance x",
    "omnictl cluster delete home --destroy-disconnected-machines",
    "omnictl delete --all machines",
    "omnictl apply -f x",
    "omnictl cluster template sync -f x",
    "argocd app sync apps --prune",
    "argocd app delete apps",
    "argocd app get apps --hard-refresh",
    "argocd app get apps --refresh",
    "argocd app terminate-op apps",
    "argocd context other",
    "velero restore create --from-backup x",
    "velero backup delete x --confirm",
    "velero uninstall",
    // Tools that no shim knows.
    "etcdctl member list",
    "talosctl.exe version",
    "",
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
    assert!(REFUSED.len() >= 190, "{} attempts", REFUSED.len());
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
    let env = [("KUBECONFIG", "/tmp/k"), ("HELM_KUBECONTEXT", ""), ("HOME", "/root")];
    let named = named_by_environment("helm", env);
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].name, "KUBECONFIG");
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
