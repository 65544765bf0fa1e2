---Runs `work` on a drained node and uncordons it once healthy. After a failure it stays cordoned, and the report says so.
return function(node, work)
  local cordoned = kube.get { kind = "node", name = node.name }.spec.unschedulable
  kube.drain { node, ignore_daemonsets = true, delete_emptydir_data = true }
  work()
  wait.node { node, state = "healthy", timeout = "10m" }
  if not cordoned then kube.uncordon { node } end
end
