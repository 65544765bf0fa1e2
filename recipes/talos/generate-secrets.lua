---Makes the secrets of a new cluster: every certificate authority and token. Refused where any node of the inventory already answers with a CA,
---because another bundle would be another cluster.
return ops.recipe {
  desc  = "Make a new cluster's secrets bundle", phase = "bootstrap",
  undo  = "delete the file, as long as no node was configured with it",
  run = function(cx)
    return talos.gen.secrets { cx.cluster.secrets, talos_version = cx.cluster.versions.talos }
  end,
}
