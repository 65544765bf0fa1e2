---Reads the health of a cluster, area by area. An area is `ok`, `bad` or `unknown`, with what was found; unknown is not healthy.
local health = {}

local unanswered = { "unreachable", "timeout", "certificate", "unauthorized", "not_ready", "maintenance", "not_found", "failed" }

local function area(name, state, found)
  return { area = name, state = state, found = found }
end

---One node: the stage of its machine.
function health.node(node)
  local stage, err = ops.try(unanswered, talos.stage, { node })
  if err then return area("node " .. node.name, "unknown", err.message) end
  if stage.stage == "running" and stage.ready then return area("node " .. node.name, "ok", "running") end
  local lacks = ops.map(stage.unmet, function(unmet) return unmet.name .. ": " .. unmet.reason end)
  return area("node " .. node.name, "bad", table.concat({ stage.stage, table.unpack(lacks) }, "; "))
end

---etcd: every control plane a voter whose own member answers without errors, nobody learning, one leader.
function health.etcd(cx)
  local members, err = ops.try(unanswered, talos.etcd.members, {})
  if err then return area("etcd", "unknown", err.message) end
  local voters = 0
  for _, member in ipairs(members) do
    if not member.learner then voters = voters + 1 end
  end
  local wanted = #cx.cluster.nodes.controlplanes
  local found, sound = { string.format("%d of %d voters", voters, wanted) }, voters == wanted and #members == wanted
  local leader
  for _, node in ipairs(cx.cluster.nodes.controlplanes) do
    local status, silent = ops.try(unanswered, talos.etcd.status, { node = node })
    local own = status and status[1]
    local trouble = silent and silent.message or own.errors[1] or not own.leader and "no leader"
      or leader and leader ~= own.leader and "follows another leader"
    if trouble then
      sound, found[#found + 1] = false, node.name .. ": " .. trouble
    else
      leader = own.leader
    end
  end
  return area("etcd", sound and "ok" or "bad", table.concat(found, "; "))
end

---Kubernetes: every node of the inventory is registered and Ready.
function health.kubernetes(cx)
  local nodes, err = ops.try(unanswered, kube.list, { kind = "node" })
  if err then return area("kubernetes", "unknown", err.message) end
  local ready = 0
  for _, node in ipairs(nodes) do
    for _, condition in ipairs(node.status.conditions or {}) do
      if condition.type == "Ready" and condition.status == "True" then ready = ready + 1 end
    end
  end
  local wanted = #cx.cluster.nodes
  return area("kubernetes", ready >= wanted and "ok" or "bad", string.format("%d of %d nodes ready", ready, wanted))
end

---Every area, nodes first.
function health.read(cx)
  local areas = cx:each(cx.cluster.nodes, { jobs = 8 }, function(node) return health.node(node) end)
  local list = {}
  for _, found in ipairs(areas) do list[#list + 1] = found end
  list[#list + 1] = health.etcd(cx)
  list[#list + 1] = health.kubernetes(cx)
  return list
end

return health
