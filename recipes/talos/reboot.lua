---Drains, reboots and uncordons each node, one at a time; a control plane only while etcd keeps its quorum without it.
local drained = require "ops.drained"

return ops.recipe {
  desc   = "Reboot nodes one at a time, quorum kept",
  undo   = "nothing to undo: a node that stays away is listed by ops status",
  params = { nodes = param.nodes { desc = "Nodes to reboot", required = true, positional = true } },
  run = function(cx, p)
    cx:rolling(p.nodes, function(node)
      drained(node, function() talos.reboot { node } end)
    end)
  end,
}
