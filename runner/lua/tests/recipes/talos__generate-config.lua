return ops.recipe {
  desc   = "Render one machine config per node", phase = "bootstrap",
  params = { nodes = param.nodes { default = "all" } },
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
