//! The command lines of flux 2.9 and flux-operator, as far as they read.

use super::grammar::{Tool, reads, writes};
use super::kubectl::CLIENT_TARGETS;

const CLIENT: &str = "as= as-group= as-uid= as-user-extra= cache-dir= certificate-authority= client-certificate= client-key= \
    cluster= context= disable-compression insecure-skip-tls-verify kube-api-burst= kube-api-qps= kubeconfig= n:namespace= \
    ns-follows-kube-context s:server= timeout= tls-server-name= token= user= verbose";

/// Where a command goes, as whom, and by what it knows the server.
const BUILD: &str = "dry-run ignore-paths= in-memory-build kustomization-file= local-sources= path= r:recursive strict-substitute \
    ignore-not-found progress-bar";

pub(super) const FLUX: Tool = Tool {
    name: "flux",
    globals: CLIENT,
    env: &[
        "KUBECONFIG",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_MASTER",
        "FLUX_SYSTEM_NAMESPACE",
        "FLUX_NS_FOLLOWS_KUBE_CONTEXT",
    ],
    targets: &[CLIENT_TARGETS],
    verbs: &[
        // Every word behind `get` names a kind or an object; none of them writes.
        reads(
            "get",
            "A:all-namespaces no-header w:watch status-selector= l:label-selector= show-source",
        ),
        reads("export", "all A:all-namespaces with-source !with-credentials"),
        reads("check", "pre components= components-extra= poll-interval="),
        reads("trace", "kind= api-version="),
        reads("events", "A:all-namespaces for= no-header types= w:watch"),
        reads(
            "logs",
            "A:all-namespaces f:follow flux-namespace= kind= level= name= since= since-time= tail=",
        ),
        reads("stats", "A:all-namespaces"),
        reads("tree", "compact o:output="),
        reads("debug", "!show-history show-status !show-values !show-vars"),
        reads("version", "client o:output="),
        reads("envsubst", "strict"),
        reads("build kustomization|ks", BUILD),
        reads("diff kustomization|ks", BUILD),
        reads("diff artifact", "creds= ignore-paths= path= provider="),
        writes("build artifact", "flux.artifact"),
        writes("reconcile", "flux.reconcile"),
        writes("suspend", "flux.suspend"),
        writes("resume", "flux.resume"),
        writes("create", "flux.create"),
        writes("delete", "flux.delete"),
        writes("install", "flux.install"),
        writes("bootstrap", "flux.bootstrap"),
        writes("uninstall", "flux.uninstall"),
        writes("push", "flux.artifact.push"),
        writes("pull", "flux.artifact.pull"),
        writes("tag", "flux.artifact.tag"),
        writes("trigger", "flux.trigger"),
        writes("migrate", "flux.migrate"),
        writes("plugin", "flux.plugin"),
    ],
};

pub(super) const FLUX_OPERATOR: Tool = Tool {
    name: "flux-operator",
    globals: CLIENT,
    env: &["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_MASTER"],
    targets: &[CLIENT_TARGETS],
    verbs: &[
        reads("get", "A:all-namespaces o:output= ready-status="),
        reads("export", "A:all-namespaces o:output="),
        reads("stats", "o:output="),
        reads("trace", ""),
        reads("tree", "o:output="),
        reads("version", "client o:output="),
        writes("reconcile", "a typed call"),
        writes("suspend", "a typed call"),
        writes("resume", "a typed call"),
        writes("create", "a typed call"),
        writes("delete", "a typed call"),
        writes("patch", "a typed call"),
        writes("install", "a typed call"),
        writes("uninstall", "a typed call"),
    ],
};
