---Asks every node, etcd and Kubernetes, and says what is not healthy. Succeeds only when everything is; unknown is not healthy.
local health = require "ops.health"

return ops.recipe {
  desc = "Show the health of nodes, etcd and Kubernetes",
  always = true,
  run = function(cx)
    local areas = health.read(cx)
    log.table(areas, { "area", "state", "found" })
    local open = 0
    for _, area in ipairs(areas) do
      if area.state ~= "ok" then open = open + 1 end
    end
    cx:require(open == 0, "%d of %d areas are not healthy", open, #areas)
    return { healthy = true, areas = areas }
  end,
}
