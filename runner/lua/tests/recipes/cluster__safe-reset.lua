---Needs a grant for exactly these nodes and partitions: `ops verify cluster:safe-reset …`.
return ops.recipe {
  desc        = "Reset named partitions of nodes, one at a time",
  destructive = true,
  params = {
    nodes      = param.nodes { required = true },
    partitions = param.partitions { required = true, of = "nodes" },
  },
  run = function(cx, p)
    local back = p.partitions:has("STATE") and "maintenance" or "running"
    cx:rolling(p.nodes, { order = "workers-first", on_failure = "ask" }, function(node)
      kube.drain { node, ignore_daemonsets = true, delete_emptydir_data = true }
      talos.reset { node, system_labels_to_wipe = p.partitions, graceful = true, reboot = true }   -- graceful: leaves etcd first
      wait.node { node, state = back, timeout = "15m" }
      if back == "running" then kube.uncordon { node } elseif node.is_control_plane then wait.etcd { without = node } end
    end)
  end,
  on_failure = function(_, p) log.info("The way back: ops run talos:apply-config --nodes %s", p.nodes) end,
}
