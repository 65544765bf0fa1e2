---Wipes exactly the named partitions of the named nodes, one node at a time: drained, reset gracefully (a control plane leaves etcd by itself),
---rebooted, awaited. Needs a grant for exactly these nodes and partitions: `ops verify cluster:safe-reset …`.
return ops.recipe {
  desc        = "Reset named partitions of nodes, one at a time",
  destructive = true,
  undo        = "ops run talos:apply-config --nodes … brings the node back; what was on the partitions is gone",
  params = {
    nodes      = param.nodes { desc = "Nodes to reset", required = true },
    partitions = param.partitions { desc = "Labels of the partitions to wipe", required = true, of = "nodes" },
  },
  run = function(cx, p)
    local back = p.partitions:has("STATE") and "maintenance" or "running"
    cx:rolling(p.nodes, { order = "workers-first", on_failure = "ask" }, function(node)
      local cordoned = kube.get { kind = "node", name = node.name }.spec.unschedulable
      kube.drain { node, ignore_daemonsets = true, delete_emptydir_data = true }
      talos.reset { node, system_labels_to_wipe = p.partitions, graceful = true, reboot = true }
      wait.node { node, state = back, timeout = "15m" }
      if back == "maintenance" and node.is_control_plane then wait.etcd { without = node } end
      -- A node without its config takes no pods anyway, and must not come back cordoned when it gets one.
      if not cordoned then kube.uncordon { node } end
    end)
  end,
  on_failure = function(_, p) log.info("The way back: ops run talos:apply-config --nodes %s", p.nodes) end,
}
