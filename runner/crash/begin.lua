return ops.recipe {
  desc = "The first member of etcd",
  run = function()
    talos.apply_config { "cp-1", file = "nodes/cp-1.yaml" }
    wait.node { "cp-1", state = "settled" }
    talos.bootstrap { "cp-1" }
    wait.etcd { members = 1 }
  end,
}
