//! The command line of kubectl 1.36, as far as it reads.

use super::grammar::{Does, Tool, Verb, reads, writes};

/// Flags that name a target in every tool that speaks to the Kubernetes API by client-go.
pub(super) const CLIENT_TARGETS: &[&str] = &[
    "kubeconfig",
    "context",
    "cluster",
    "server",
    "token",
    "user",
    "as",
    "as-group",
    "as-uid",
    "as-user-extra",
    "certificate-authority",
    "client-certificate",
    "client-key",
    "insecure-skip-tls-verify",
    "tls-server-name",
];

pub(super) const KUBECTL: Tool = Tool {
    name: "kubectl",
    globals: "as= as-group= as-uid= as-user-extra= cache-dir= certificate-authority= client-certificate= client-key= cluster= \
        context= disable-compression insecure-skip-tls-verify kubeconfig= kuberc= log-flush-frequency= match-server-version \
        n:namespace= password= !profile= !profile-output= request-timeout= s:server= tls-server-name= token= user= username= v:v= \
        vmodule= warnings-as-errors",
    // Without a client config a tool inside a pod takes that pod's own cluster.
    env: &[
        "KUBECONFIG",
        "KUBERC",
        "KUBECTL_EXTERNAL_DIFF",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_MASTER",
    ],
    targets: &[CLIENT_TARGETS, &["username", "password", "kuberc"]],
    verbs: &[
        reads(
            "get",
            "A:all-namespaces allow-missing-template-keys chunk-size= field-selector= f:filename= ignore-not-found k:kustomize= \
             L:label-columns= no-headers o:output= output-watch-events !raw= R:recursive l:selector= server-print show-kind \
             show-labels show-managed-fields sort-by= subresource= template= w:watch watch-only",
        ),
        reads(
            "describe",
            "A:all-namespaces chunk-size= f:filename= k:kustomize= R:recursive l:selector= show-events",
        ),
        reads(
            "logs",
            "all-containers all-pods c:container= f:follow ignore-errors insecure-skip-tls-verify-backend limit-bytes= \
             max-log-requests= pod-running-timeout= prefix p:previous l:selector= since= since-time= tail= timestamps",
        ),
        reads(
            "events",
            "A:all-namespaces allow-missing-template-keys chunk-size= for= no-headers o:output= show-managed-fields template= \
             types= w:watch",
        ),
        reads(
            "top node|nodes|no",
            "no-headers l:selector= show-capacity show-swap sort-by= use-protocol-buffers",
        ),
        reads(
            "top pod|pods|po",
            "A:all-namespaces containers field-selector= no-headers l:selector= sort-by= sum show-swap use-protocol-buffers",
        ),
        reads("explain", "api-version= o:output= recursive"),
        reads("version", "client o:output="),
        reads(
            "api-resources",
            "api-group= cached categories= namespaced no-headers o:output= sort-by= verbs=",
        ),
        reads("api-versions", ""),
        Verb { words: "cluster-info", flags: "", does: Does::ReadsUpTo(0) },
        reads("auth can-i", "A:all-namespaces list no-headers q:quiet subresource="),
        reads("auth whoami", "allow-missing-template-keys o:output= show-managed-fields template="),
        reads(
            "config view",
            "allow-missing-template-keys flatten merge minify o:output= !raw show-managed-fields template=",
        ),
        reads("config get-contexts", "no-headers o:output="),
        reads("config current-context", ""),
        reads("config get-clusters", ""),
        reads("config get-users", ""),
        reads(
            "diff",
            "concurrency= field-manager= f:filename= force-conflicts k:kustomize= prune prune-allowlist= R:recursive l:selector= \
             server-side show-managed-fields",
        ),
        reads(
            "wait",
            "all A:all-namespaces allow-missing-template-keys field-selector= f:filename= for= local o:output= R:recursive \
             l:selector= show-managed-fields template= timeout=",
        ),
        reads(
            "rollout status",
            "f:filename= k:kustomize= R:recursive revision= l:selector= timeout= w:watch",
        ),
        reads(
            "rollout history",
            "allow-missing-template-keys f:filename= k:kustomize= o:output= R:recursive revision= l:selector= \
             show-managed-fields template=",
        ),
        reads(
            "kustomize",
            "as-current-user !enable-alpha-plugins !enable-exec !enable-helm e:env= load-restrictor= !mount= !network !o:output=",
        ),
        reads("options", ""),
        writes("delete", "kube.delete"),
        writes("apply", "kube.apply"),
        writes("create", "kube.create"),
        writes("replace", "kube.replace"),
        writes("patch", "kube.patch"),
        writes("edit", "kube.patch"),
        writes("scale", "kube.scale"),
        writes("drain", "kube.drain"),
        writes("cordon", "kube.cordon"),
        writes("uncordon", "kube.uncordon"),
        writes("taint", "kube.taint"),
        writes("label", "kube.label"),
        writes("annotate", "kube.annotate"),
        writes("exec", "kube.exec"),
        writes("debug", "kube.debug"),
        writes("cp", "kube.cp"),
        writes("run", "kube.run"),
        writes("expose", "kube.expose"),
        writes("autoscale", "kube.autoscale"),
        writes("set", "kube.set"),
        writes("attach", "an interactive recipe"),
        writes("port-forward", "kube.port_forward"),
        writes("proxy", "an interactive recipe"),
        writes("certificate", "kube.certificate"),
        writes("rollout restart", "kube.rollout.restart"),
        writes("rollout undo", "kube.rollout.undo"),
        writes("rollout pause", "kube.rollout.pause"),
        writes("rollout resume", "kube.rollout.resume"),
        writes("auth reconcile", "kube.apply"),
        writes("config use-context", "the pinned context, which nobody switches"),
        writes("config set-context", "the inventory"),
        writes("config set-cluster", "the inventory"),
        writes("config set-credentials", "the inventory"),
        writes("config set", "the inventory"),
        writes("config unset", "the inventory"),
        writes("config rename-context", "the inventory"),
        writes("config delete-context", "the inventory"),
        writes("config delete-cluster", "the inventory"),
        writes("config delete-user", "the inventory"),
    ],
};
