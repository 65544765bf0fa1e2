---The way from bare nodes to a Kubernetes API that answers. Each stage is a recipe of its own; `--from`, `--until` and `--only` name a stage.
return ops.recipes { phase = "bootstrap",
  { name = "cluster",    desc = "From bare nodes to a cluster that answers, in three stages", stages = { "talos", "k8s", "kubeconfig" } },
  { name = "talos",      desc = "Stage 1: machine configs onto the nodes",       stages = { "talos:apply-config" } },
  { name = "k8s",        desc = "Stage 2: etcd and the control plane",           stages = { "talos:bootstrap" } },
  { name = "kubeconfig", desc = "Stage 3: the repository's kubeconfig",          stages = { "talos:recover-kubeconfig" } },
}
