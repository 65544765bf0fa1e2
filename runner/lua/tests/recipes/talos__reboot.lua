local drained = require "ops.drained"
return ops.recipe {
  desc   = "Reboot nodes one at a time, quorum kept",
  params = { nodes = param.nodes { required = true, positional = true } },
  run = function(cx, p)
    cx:rolling(p.nodes, function(node)
      drained(node, function() talos.reboot { node } end)
    end)
  end,
}
