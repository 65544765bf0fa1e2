//! Ways around the shims, as a script that means no harm would take them: what is refused, and what no shim can see.

use crate::shim_tools::Tools;

#[test]
fn a_write_is_refused_however_the_shell_comes_to_it() {
    let tools = Tools::new();
    let ways = [
        "kubectl delete node w-1",
        "command kubectl delete node w-1",
        "exec kubectl delete node w-1",
        "(kubectl delete node w-1)",
        "x=$(kubectl delete node w-1)",
        "kubectl delete node w-1 & wait $!",
        "eval 'kubectl delete node w-1'",
        "k=kubectl; $k delete node w-1",
        "k() { kubectl \"$@\"; }; k delete node w-1",
        "shopt -s expand_aliases; alias k=kubectl; eval 'k delete node w-1'",
        "bash -c 'kubectl delete node w-1'",
        "sh -c 'kubectl delete node w-1'",
        "bash -lc 'PATH=\"'\"$PATH\"'\"; kubectl delete node w-1'",
        "env kubectl delete node w-1",
        "env -u OPS_SHIMS -u KUBECONFIG kubectl delete node w-1",
        "env -i PATH=\"$PATH\" kubectl delete node w-1",
        "PATH=\"$PATH:/other\" kubectl delete node w-1",
        "cd / && kubectl delete node w-1",
        "timeout 60 kubectl delete node w-1",
        "nice kubectl delete node w-1",
        "\"$(command -v kubectl)\" delete node w-1",
        "k=$(command -v kubectl); unset PATH; \"$k\" delete node w-1",
        "exec -a kubectl \"$(command -v helm)\" delete node w-1",
        "exec -a /elsewhere/kubectl \"$(command -v kubectl)\" delete node w-1",
        // Another program's links are no shims of a run.
        "mkdir own; ln \"$(command -v kubectl)\" own/ || ln -s \"$(command -v kubectl)\" own/; PATH=own:$PATH kubectl delete node w-1",
        "kubectl get nodes $'\\xff'",
        // What redirects a tool, makes it run something else, or makes it believe another server.
        "KUBECONFIG=one:two kubectl get nodes",
        "export KUBECONFIG=/dev/stdin; kubectl get nodes",
        "TALOSCONFIG=/dev/null talosctl -n 10.20.30.21 version",
        "TALOS_HOME=$PWD talosctl -n 10.20.30.21 version",
        "KUBERC=$PWD/kuberc kubectl get nodes",
        "KUBECTL_EXTERNAL_DIFF='touch reached' kubectl diff -f x.yaml",
        "KUBERNETES_SERVICE_HOST=10.9.9.9 KUBERNETES_SERVICE_PORT=443 kubectl get nodes",
        "HELM_KUBEAPISERVER=https://10.9.9.9 helm list",
        "HELM_KUBEINSECURE_SKIP_TLS_VERIFY=1 helm list",
        "HELM_DRIVER=sql HELM_DRIVER_SQL_CONNECTION_STRING=x helm list",
        "HELM_PLUGINS=$PWD helm evil",
        "kubectl get nodes --insecure-skip-tls-verify",
        "kubectl get nodes --kubeconfig=",
        "kubectl get nodes --context ''",
        "kubectl --context home --context other get nodes",
        "helm template x . --post-renderer f",
        "kubectl kustomize . -o f",
        "kubectl neat",
        "kubectl @response-file",
        "xargs kubectl <<< 'delete node w-1'",
        "kubectl $(echo delete) node w-1",
        "kubectl $'d\\x65lete' node w-1",
        "kubectl {get,delete,node} w-1 --raw=/x",
        "a=(kubectl delete node w-1); \"${a[@]}\"",
        "printf 'kubectl delete node w-1\\n' | sh",
        "source <(echo kubectl delete node w-1)",
        "awk 'BEGIN { system(\"kubectl delete node w-1\") }'",
        "sed -n '1e kubectl delete node w-1' ops.toml",
        "env -S 'kubectl delete node w-1'",
        "git -c alias.x='!kubectl delete node w-1' x",
    ];
    for way in ways {
        let ran = tools.shell(&["run"], way).exit(3);
        assert!(ran.all().contains("OPS0360"), "{way}\n{}", ran.all());
        assert_eq!(tools.started(), [""; 0], "{way}");
    }
}

#[test]
fn a_write_reaches_nothing_by_other_ways_to_a_shim() {
    let tools = Tools::new();
    let ways = [
        "unset PATH; kubectl delete node w-1",
        // Under any other name it is `ops`, which has no such recipe.
        "ln -sf \"$(command -v kubectl)\" k; ./k delete node w-1",
        "exec -a tool \"$(command -v kubectl)\" delete node w-1",
    ];
    for way in ways {
        let ran = tools.shell(&["run"], way).exit(0);
        assert!(!ran.stdout().contains("exit=0"), "{way}\n{}", ran.all());
        assert_eq!(tools.started(), [""; 0], "{way}");
    }
}

#[test]
fn without_its_shims_no_further_shell_starts() {
    let tools = Tools::new();
    for removal in ["rm \"$(command -v kubectl)\"", "rm -r \"${KUBECONFIG%/*}\""] {
        let body = format!("sh '{removal}' sh 'kubectl delete node w-1'");
        let ran = tools.body(&["run"], &body).exit(3);
        assert!(ran.all().contains("changed the shims of its run"), "{}", ran.all());
    }
    assert_eq!(tools.started(), [""; 0]);
}

#[test]
fn a_tool_under_another_name_is_not_seen() {
    let tools = Tools::new();
    for name in ["kubectl-1.36", "oc", "kubectl-neat"] {
        let line = format!("ln -sf kubectl fakes/{name}; {name} delete node w-1");
        let _ = tools.shell(&["run"], &line).exit(0);
        assert_eq!(tools.started(), [format!("{name} [delete] [node] [w-1]")]);
    }
}

#[test]
fn a_path_of_the_scripts_own_is_not_seen() {
    let tools = Tools::new();
    // `docs/architecture.md` says so; a shim that learns to see one of them moves it to the table above.
    let unseen = [
        "fakes/kubectl delete node w-1",
        "\"$PWD/fakes/kubectl\" delete node w-1",
        "PATH=\"$PWD/fakes:$PATH\" kubectl delete node w-1",
        "PATH=\"$PWD/fakes\"; kubectl delete node w-1",
        "hash -p \"$PWD/fakes/kubectl\" kubectl; kubectl delete node w-1",
        "env PATH=\"$PWD/fakes:$PATH\" kubectl delete node w-1",
    ];
    for way in unseen {
        let _ = tools.shell(&["run"], way).exit(0);
        assert_eq!(tools.started(), ["kubectl [delete] [node] [w-1]"], "{way}");
    }
}
