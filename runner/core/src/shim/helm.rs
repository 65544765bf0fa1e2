//! The command lines of helm 3 and 4 and of helmfile 1, as far as they read.

use super::grammar::{Tool, reads, writes};

/// Flags of verbs that take a chart.
macro_rules! chart {
    ($($more:literal)?) => {
        concat!(
            "ca-file= cert-file= devel insecure-skip-tls-verify key-file= keyring= pass-credentials password= plain-http repo= \
             username= verify version= ",
            $($more)?
        )
    };
}

/// Flags of verbs that take values.
macro_rules! values {
    ($more:expr) => {
        concat!("f:values= set= set-file= set-json= set-literal= set-string= ", $more)
    };
}

pub(super) const HELM: Tool = Tool {
    name: "helm",
    globals: "burst-limit= color= colour= debug kube-apiserver= kube-as-group= kube-as-user= kube-ca-file= kube-context= \
        kube-insecure-skip-tls-verify kube-tls-server-name= kube-token= kubeconfig= n:namespace= qps= registry-config= \
        repository-cache= repository-config=",
    env: &[
        "KUBECONFIG",
        "HELM_KUBECONTEXT",
        "HELM_KUBEAPISERVER",
        "HELM_KUBETOKEN",
        "HELM_KUBEASUSER",
        "HELM_KUBEASGROUPS",
        "HELM_KUBECAFILE",
        "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
        "HELM_KUBETLS_SERVER_NAME",
        "HELM_DRIVER_SQL_CONNECTION_STRING",
        "KUBERNETES_SERVICE_HOST",
        "KUBERNETES_MASTER",
        "HELM_NAMESPACE",
        "HELM_DRIVER",
    ],
    targets: &[&[
        "kubeconfig",
        "kube-context",
        "kube-apiserver",
        "kube-token",
        "kube-as-user",
        "kube-as-group",
        "kube-ca-file",
        "kube-insecure-skip-tls-verify",
        "kube-tls-server-name",
    ]],
    verbs: &[
        reads(
            "list|ls",
            "a:all A:all-namespaces d:date deployed failed f:filter= m:max= no-headers offset= o:output= pending r:reverse \
             l:selector= q:short superseded time-format= uninstalled uninstalling",
        ),
        reads("status", "o:output= revision= show-desc show-resources"),
        reads("history|hist", "max= o:output="),
        reads("get all", "revision= template="),
        reads("get values", "a:all o:output= revision="),
        reads("get manifest", "revision="),
        reads("get hooks", "revision="),
        reads("get notes", "revision="),
        reads("get metadata", "o:output= revision="),
        reads("show|inspect chart", chart!()),
        reads("show|inspect values", chart!("jsonpath=")),
        reads("show|inspect readme", chart!()),
        reads("show|inspect crds", chart!()),
        reads("show|inspect all", chart!()),
        reads(
            "search repo",
            "devel fail-on-no-result max-col-width= o:output= r:regexp version= l:versions",
        ),
        reads("search hub", "endpoint= fail-on-no-result list-repo-url max-col-width= o:output="),
        reads("env", ""),
        reads("version", "c:client short template="),
        reads("lint", values!("kube-version= quiet skip-schema-validation strict with-subcharts")),
        reads(
            "template",
            values!(chart!(
                "a:api-versions= create-namespace !dependency-update description= disable-openapi-validation dry-run? \
                 g:generate-name hide-notes include-crds is-upgrade kube-version= labels= name-template= no-hooks !output-dir= \
                 !post-renderer= !post-renderer-args= release-name render-subchart-notes s:show-only= skip-crds \
                 skip-schema-validation skip-tests timeout= validate"
            )),
        ),
        reads("verify", "keyring="),
        reads("repo list|ls", "no-headers o:output="),
        reads("dependency|dep|dependencies list|ls", "max-col-width="),
        reads("plugin list|ls", "type="),
        writes("install", "helm.install"),
        writes("upgrade", "helm.upgrade"),
        writes("uninstall|del|delete|un", "helm.uninstall"),
        writes("rollback", "helm.rollback"),
        writes("test", "helm.test"),
        writes("pull|fetch", "helm.pull"),
        writes("push", "helm.push"),
        writes("package", "helm.package"),
        writes("create", "helm.create"),
        writes("registry", "helm.registry"),
        writes("repo add", "helm.repo.add"),
        writes("repo update|up", "helm.repo.update"),
        writes("repo remove|rm", "helm.repo.remove"),
        writes("repo index", "helm.repo.index"),
        writes("dependency|dep|dependencies build", "helm.dependency.build"),
        writes("dependency|dep|dependencies update|up", "helm.dependency.update"),
        writes("plugin install|add", "helm.plugin"),
        writes("plugin uninstall|rm|remove", "helm.plugin"),
        writes("plugin update|up", "helm.plugin"),
    ],
};

/// Hooks of a helmfile run programs even on reads; what they call of these tools passes the shims too.
pub(super) const HELMFILE: Tool = Tool {
    name: "helmfile",
    globals: "f:file= e:environment= n:namespace= l:selector= c:chart= !b:helm-binary= !k:kustomize-binary= kube-context= \
        kubeconfig= state-values-set= state-values-set-string= state-values-file= i:interactive q:quiet log-level= debug color \
        no-color skip-deps skip-refresh allow-no-matching-release sequential-helmfiles enable-live-output \
        strip-args-values-on-exit-error enforce-plugin-verification",
    env: &[
        "KUBECONFIG",
        "HELMFILE_ENVIRONMENT",
        "HELMFILE_FILE_PATH",
        "HELM_KUBECONTEXT",
        "HELM_KUBEAPISERVER",
        "HELM_KUBETOKEN",
        "KUBERNETES_SERVICE_HOST",
    ],
    targets: &[&["kubeconfig", "kube-context", "environment"]],
    verbs: &[
        reads("list", "keep-temp-dir output= skip-charts"),
        reads(
            "template",
            "!args= include-crds include-needs include-transitive-needs kube-version= no-hooks !output-dir= \
             !output-dir-template= !post-renderer= !post-renderer-args= set= skip-cleanup skip-needs skip-tests show-only= \
             validate values=",
        ),
        reads("lint", "!args= set= values= skip-deps"),
        reads("build", "embed-values"),
        reads("print-env", "output="),
        reads("show-dag", ""),
        reads("status", "!args="),
        reads(
            "diff",
            "!args= context= detailed-exitcode !diff-args= include-needs include-tests no-hooks output= !post-renderer= \
             !post-renderer-args= reset-values reuse-values set= show-secrets skip-diff-on-install skip-needs suppress= \
             suppress-secrets values=",
        ),
        reads("version", "o:output="),
        writes("apply", "helm.sync"),
        writes("sync", "helm.sync"),
        writes("destroy|delete", "helm.uninstall"),
        writes("test", "helm.test"),
        writes("write-values", "a typed call"),
        writes("fetch", "a typed call"),
        writes("deps", "a typed call"),
        writes("repos", "helm.repo"),
        writes("cache", "a typed call"),
        writes("init", "a typed call"),
    ],
};
