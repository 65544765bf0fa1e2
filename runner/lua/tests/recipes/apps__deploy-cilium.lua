return ops.recipe {
  desc   = "Install or upgrade the Cilium core", phase = "hybrid",
  params = { release = param.path { kind = "file", default = "kubernetes/apps/kube-system/cilium/app/helmrelease.yaml" } },
  preconditions = function(cx, p)
    local cilium = helm.release { p.release }
    local native = cilium.values.ipv4NativeRoutingCIDR
    for _, pods in ipairs(cx.cluster.pod_cidrs.v4) do
      cx:require(net.contains(native, pods), "%s: ipv4NativeRoutingCIDR %s lacks the pod CIDR %s", p.release, native, pods)
    end
    return cilium
  end,
  run = function(cx, _, cilium)
    kube.apply { helm.crds { cilium } }
    helm.upgrade { cilium, install = true, skip_crds = true }
    cx:parallel {
      agent = function() wait.rollout { kind = "daemonset", name = "cilium", namespace = "kube-system" } end,
      dns   = function() wait.rollout { kind = "deployment", name = "coredns", namespace = "kube-system", optional = true } end,
    }
  end,
}
