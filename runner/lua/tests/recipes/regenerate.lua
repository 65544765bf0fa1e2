local function regenerate(name, source)
  local patch = "bootstrap/talos/patches/" .. name .. ".yaml"
  return { name = name, desc = "Write the built " .. name .. " manifests into its Talos patch", run = function()
    return yaml.edit { patch, at = "cluster.inlineManifests[name=" .. name .. "].contents", value = kube.kustomize { source } }
  end }
end
return ops.recipes { phase = "hybrid", regenerate("cilium", "apps/kube-system/cilium"), regenerate("argocd", "apps/argocd/argocd") }
