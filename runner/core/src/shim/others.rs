//! The command lines of omnictl, argocd and velero, as far as they read. Short on purpose: what is missing here is refused.

use super::grammar::{Does, Tool, Verb, reads, writes};

pub(super) const OMNICTL: Tool = Tool {
    name: "omnictl",
    globals: "context= insecure-skip-tls-verify omniconfig= siderov1-keys-dir=",
    env: &["OMNICONFIG", "OMNI_ENDPOINT"],
    targets: &["context", "omniconfig"],
    verbs: &[
        reads("get|g", "id-match-regexp= n:namespace= o:output= l:selector= w:watch"),
        reads("cluster|c status", "q:quiet w:wait="),
        reads("cluster|c template|t diff", "f:file="),
        reads("cluster|c template|t status", "f:file= q:quiet w:wait="),
        reads("cluster|c template|t validate", "f:file="),
        reads("cluster|c template|t render", "f:file="),
        reads("config info", ""),
        reads("config contexts", ""),
        reads("machine-logs", "f:follow log-format= tail="),
        writes("apply", "a typed call"),
        writes("delete|d", "a typed call"),
        writes("cluster|c delete", "a typed call"),
        writes("cluster|c template|t sync", "a typed call"),
        writes("cluster|c template|t delete", "a typed call"),
        writes("cluster|c kubernetes", "a typed call"),
        writes("kubeconfig", "talos.kubeconfig"),
        writes("talosconfig", "talos.client_config"),
    ],
};

const ARGOCD_OBJECT: &str = "N:app-namespace= !hard-refresh o:output= p:project= !refresh repo= l:selector= show-operation \
    show-params timeout= c:cluster=";

pub(super) const ARGOCD: Tool = Tool {
    name: "argocd",
    globals: "argocd-context= auth-token= client-crt= client-crt-key= config= core grpc-web grpc-web-root-path= H:header= \
        http-retry-max= insecure kube-context= logformat= loglevel= plaintext port-forward port-forward-namespace= server= \
        server-crt=",
    env: &["ARGOCD_SERVER", "ARGOCD_AUTH_TOKEN", "ARGOCD_OPTS", "KUBECONFIG"],
    targets: &["argocd-context", "server", "config", "kube-context", "auth-token"],
    verbs: &[
        reads("app list", ARGOCD_OBJECT),
        reads("app get", ARGOCD_OBJECT),
        reads("app history", ARGOCD_OBJECT),
        reads("app resources", ARGOCD_OBJECT),
        reads("app manifests", "N:app-namespace= revision= source="),
        reads("app logs", "c:container= f:follow group= kind= name= namespace= p:previous tail="),
        reads("appset list", ARGOCD_OBJECT),
        reads("appset get", ARGOCD_OBJECT),
        reads("proj list", "o:output="),
        reads("proj get", "o:output="),
        reads("cluster list", "o:output="),
        reads("cluster get", "o:output="),
        reads("repo list", "o:output="),
        reads("repo get", "o:output="),
        reads("version", "client o:output= short"),
        reads("account can-i", ""),
        reads("account get-user-info", "o:output="),
        Verb { words: "context|ctx", flags: "", does: Does::ReadsUpTo(0) },
        writes("app create", "a typed call"),
        writes("app set", "a typed call"),
        writes("app sync", "a typed call"),
        writes("app delete", "a typed call"),
        writes("app rollback", "a typed call"),
        writes("app patch", "a typed call"),
        writes("app terminate-op", "a typed call"),
        writes("appset delete", "a typed call"),
        writes("proj delete", "a typed call"),
    ],
};

pub(super) const VELERO: Tool = Tool {
    name: "velero",
    globals: "colorized features= kubeconfig= kubecontext= n:namespace=",
    env: &["KUBECONFIG", "VELERO_NAMESPACE"],
    targets: &["kubeconfig", "kubecontext"],
    verbs: &[
        reads("get", "o:output= l:selector= show-labels label-columns="),
        reads("describe", "details o:output= l:selector= cacert= insecure-skip-tls-verify"),
        reads("backup get", "o:output= l:selector= show-labels"),
        reads("backup describe", "details o:output= l:selector= cacert= insecure-skip-tls-verify"),
        reads("backup logs", "cacert= insecure-skip-tls-verify timeout="),
        reads("restore get", "o:output= l:selector= show-labels"),
        reads("restore describe", "details o:output= l:selector= cacert= insecure-skip-tls-verify"),
        reads("restore logs", "cacert= insecure-skip-tls-verify timeout="),
        reads("schedule get", "o:output= l:selector= show-labels"),
        reads("schedule describe", "l:selector="),
        reads("backup-location get", "default o:output="),
        reads("snapshot-location get", "o:output="),
        reads("plugin get", "o:output="),
        reads("repo get", "o:output="),
        reads("version", "client-only timeout="),
        writes("backup create", "a typed call"),
        writes("backup delete", "a typed call"),
        writes("restore create", "a typed call"),
        writes("restore delete", "a typed call"),
        writes("schedule create", "a typed call"),
        writes("schedule delete", "a typed call"),
        writes("install", "a typed call"),
        writes("uninstall", "a typed call"),
    ],
};
