---Renders one machine config per node of the inventory, checks it with the strict rules of Talos, and writes it only when it differs. Never makes
---secrets: without a bundle it fails and names `ops run talos:generate-secrets`; in the lab the lab's own bundle serves.
return ops.recipe {
  desc   = "Render one machine config per node", phase = "bootstrap",
  params = { nodes = param.nodes { desc = "Nodes to render", default = "all" } },
  undo   = "git checkout the files, or run it again with the old inputs",
  run = function(cx, p)
    local files = cx:each(p.nodes, { jobs = 8 }, function(node)
      local config = talos.render { node }
      talos.validate { config = config, mode = "metal", strict = true }
      return fs.write { cx.cluster:machine_config(node), content = config, mode = "0600" }
    end)
    talos.client_config { cx.cluster.talosconfig, renew_before = "30d" }
    return { written = files:where("changed"):keys() }
  end,
}
