---Renders each node's machine config and says how it differs from the node's file, or with `--live` from what the node runs with. Changes nothing.
---Values that may be secret are left out. Also `ops diff`.
return ops.recipe {
  desc   = "Show how machine configs would change", phase = "bootstrap",
  params = {
    nodes = param.nodes { desc = "Nodes to look at", default = "all", positional = true },
    live  = param.bool { desc = "Against what the nodes run with, not against the files" },
  },
  run = function(cx, p)
    local found = cx:each(p.nodes, { jobs = 8 }, function(node)
      local said = talos.machineconfig.diff { talos.render { node }, node = node, live = p.live }
      log.info("%s %s", node, said.changed and "\n" .. said.diff or "unchanged")
      return { changed = said.changed }
    end)
    return { changed = found:where("changed"):keys() }
  end,
}
