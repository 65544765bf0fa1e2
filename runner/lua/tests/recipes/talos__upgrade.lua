local drained = require "ops.drained"
return ops.recipe {
  desc   = "Upgrade Talos one node at a time, workers first",
  params = {
    version = param.semver { default = function(cx) return cx.cluster.versions.talos end },
    image   = param.string { desc = "Installer image, when not the node's own schematic" },
    nodes   = param.nodes { default = "all" },
  },
  run = function(cx, p)
    cx:rolling(p.nodes, { order = "workers-first" }, function(node)
      if talos.version { node }.version == p.version then cx:skip("already runs " .. p.version) end
      local image = p.image or cx.cluster:installer(node, p.version)
      drained(node, function() talos.upgrade { node, image = image, drain = false } end)
    end)
  end,
}
