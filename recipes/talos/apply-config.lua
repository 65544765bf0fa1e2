---Applies each node's machine config where it differs: workers first, then control planes one at a time, each settled before the next. Nodes
---fresh from the installer are reached too: the engine proves maintenance mode and chooses the insecure channel by itself, never as a fallback.
return ops.recipe {
  desc   = "Apply machine configs to nodes", phase = "bootstrap",
  needs  = { "talos:generate-config" },
  undo   = "restore the old inputs and run it again",
  params = {
    nodes = param.nodes { desc = "Nodes to configure", default = "all", positional = true },
    mode  = param.choice { "auto", "no-reboot", "reboot", "staged", "try", desc = "How a change takes effect", default = "auto" },
  },
  run = function(cx, p)
    local results = cx:rolling(p.nodes, function(node)
      local done = talos.apply_config { node, file = cx.cluster:machine_config(node), mode = p.mode }
      if done.changed then wait.node { node, state = "settled" } end
      return { changed = done.changed }
    end)
    return { changed = results:where("changed"):keys() }
  end,
}
