---Starts etcd on the first control plane, after asking every control plane whether one has it already. Does nothing on a bootstrapped cluster.
return ops.recipe {
  desc  = "Bootstrap etcd on the first control plane", phase = "bootstrap",
  undo  = "a bootstrapped cluster is undone only by rebuilding it",
  run = function(cx)
    local first = cx.cluster.nodes.controlplanes[1]
    local done = talos.bootstrap { first }
    wait.etcd { members = #cx.cluster.nodes.controlplanes, timeout = "15m" }
    return { changed = done.changed }
  end,
}
