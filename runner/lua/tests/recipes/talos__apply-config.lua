---Nodes fresh from the installer are reached too: the engine proves maintenance mode and chooses the insecure channel by itself, never as a fallback.
return ops.recipe {
  desc   = "Apply machine configs to nodes", phase = "bootstrap",
  needs  = { "talos:generate-config" },
  params = {
    nodes = param.nodes { default = "all", positional = true },
    mode  = param.choice { "auto", "no-reboot", "reboot", "staged", "try", default = "auto" },
  },
  run = function(cx, p)
    cx:rolling(p.nodes, function(node)
      local done = talos.apply_config { node, file = cx.cluster:machine_config(node), mode = p.mode }
      if done.changed then wait.node { node, state = "settled" } end
    end)
  end,
}
