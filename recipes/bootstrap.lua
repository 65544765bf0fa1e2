---The way from bare nodes to a Kubernetes API that answers. Each stage is a recipe of its own, and can be run alone.
return ops.recipes { phase = "bootstrap",
  { name = "cluster",    desc = "From bare nodes to a cluster that answers, in four stages", stages = { "talos", "k8s", "kubeconfig", "wait" } },
  { name = "talos",      desc = "Stage 1: machine configs onto the nodes",       stages = { "talos:apply-config" } },
  { name = "k8s",        desc = "Stage 2: etcd and the control plane",           stages = { "talos:bootstrap" } },
  { name = "kubeconfig", desc = "Stage 3: the repository's kubeconfig",          stages = { "talos:recover-kubeconfig" } },
  { name = "wait",       desc = "Stage 4: every node registered, and Ready once there is a network",
    run = function(cx)
      cx:each(cx.cluster.nodes, { jobs = 8 }, function(node) wait.node { node, state = "settled", timeout = "10m" } end)
    end },
}
