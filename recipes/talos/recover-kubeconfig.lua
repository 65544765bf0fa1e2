---Writes the repository's own kubeconfig with the inventory's context. Your own ~/.kube/config is never touched.
return ops.recipe {
  desc = "Write the repository's kubeconfig", phase = "bootstrap",
  undo = "git-ignored: delete the file",
  run = function(cx)
    local file = talos.kubeconfig { cx.cluster.kubeconfig, force_context_name = cx.cluster.context }
    return { changed = file.changed, path = file.path }
  end,
}
