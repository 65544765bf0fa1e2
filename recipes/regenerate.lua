---Talos applies inline manifests once, while it bootstraps a cluster; afterwards GitOps owns the same objects. Both must come from one source:
---these recipes build it and put the result into the Talos patch, where every other byte stays as it is.
local HINT = "\n  cluster:\n    inlineManifests:\n      - name: %s\n        contents: \"\""

local function source_of(name, folder)
  return param.path { kind = "dir", default = folder, desc = "Folder of the kustomization of " .. name }
end

local function patch_of(name)
  return param.path { kind = "file", default = "bootstrap/talos/patches/" .. name .. ".yaml", desc = "Talos patch that holds " .. name }
end

local function remote()
  return param.bool { desc = "Let kustomize fetch bases from other machines" }
end

local function at(name)
  return "cluster.inlineManifests[name=" .. name .. "].contents"
end

---What a kustomization builds. A folder that is not there is told with the flag that names another one.
local function build(cx, name, source, flag, p)
  cx:require(fs.exists { source }, "there is no folder `%s`\nThe kustomization of %s is looked for there.\nnext: ops run %s %s FOLDER", source, name, cx.recipe, flag)
  return kube.kustomize { source, remote = p.remote }
end

local function regenerate(name, folder)
  return {
    name = name, desc = "Write the built " .. name .. " manifests into its Talos patch",
    undo = "git restore the Talos patch",
    params = {
      source        = source_of(name, folder),
      patch         = patch_of(name),
      manifest      = param.string { default = name, desc = "Name of the inline manifest in the patch" },
      allow_secrets = param.bool { desc = "Write Secrets with values too: they stay readable in every machine config" },
      remote        = remote(),
    },
    run = function(cx, p)
      local built = build(cx, name, p.source, "--source", p)
      local objects = kube.objects { built }
      cx:require(#objects > 0, "%s builds no object", p.source)
      for _, object in ipairs(objects) do
        cx:require(p.allow_secrets or #object.secret_keys == 0,
          "%s holds values (%s), and an inline manifest is no place for them: leave it to what fills Secrets in the cluster, or --allow-secrets",
          object.object, table.concat(object.secret_keys, ", "))
      end
      cx:require(fs.exists { p.patch }, "there is no Talos patch `%s`\nIf it is yet to be written, begin it with:" .. HINT .. "\nnext: ops run %s --patch FILE", p.patch, p.manifest, cx.recipe)
      return yaml.edit { p.patch, at = at(p.manifest), value = built }
    end,
  }
end

local check = {
  name = "check", desc = "Compare inline manifests with their GitOps sources",
  params = {
    only          = param.choice { "cilium", "argocd", multiple = true, default = { "cilium", "argocd" }, desc = "Which are compared" },
    cilium_source = source_of("cilium", "apps/kube-system/cilium"),
    cilium_patch  = patch_of "cilium",
    argocd_source = source_of("argocd", "apps/argocd/argocd"),
    argocd_patch  = patch_of "argocd",
    applications  = param.string { default = "apps/**/*.yaml", desc = "Files with ArgoCD Applications: their ignoreDifferences are left out" },
    remote        = remote(),
  },
  run = function(cx, p)
    local stale, rows = {}, {}
    local applications = fs.glob { p.applications, allow_empty = true }
    for _, name in ipairs(p.only) do
      local source, patch = p[name .. "_source"], p[name .. "_patch"]
      cx:require(fs.exists { patch }, "there is no Talos patch `%s`\nIt holds the inline manifest of %s.\nnext: ops run %s --%s-patch FILE", patch, name, cx.recipe, name)
      local found = kube.diff {
        yaml.read { patch, at = at(name) },
        against = build(cx, name, source, "--" .. name .. "-source", p),
        ignore_differences = applications, source = source,
      }
      for _, text in ipairs(found.not_understood) do log.warn("not left out: %s", text) end
      for _, object in ipairs(found.objects) do
        local fields = #object.fields > 0 and object.fields or { object.how == "extra" and "only in the patch" or "only in " .. source }
        for i, field in ipairs(fields) do
          rows[#rows + 1] = { manifest = name, object = i == 1 and object.object or "", difference = field }
        end
        stale[name] = true
      end
    end
    if ops.is_empty(stale) then return { stale = {} } end
    log.table(rows, { "manifest", "object", "difference" })
    local names = {}
    for name in pairs(stale) do names[#names + 1] = name end
    cx:fail("inline manifests differ from their sources: %s\nnext: ops run regenerate:%s", table.concat(names, ", "), table.concat(names, " regenerate:"))
  end,
}

return ops.recipes { phase = "hybrid", cluster = false,
  regenerate("cilium", "apps/kube-system/cilium"),
  regenerate("argocd", "apps/argocd/argocd"),
  check,
}
