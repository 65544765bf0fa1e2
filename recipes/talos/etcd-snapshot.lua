---Saves an etcd snapshot, checks its length and hash, and keeps it under its own name. Its age is evidence for whatever touches a control plane.
return ops.recipe {
  desc   = "Save and verify an etcd snapshot",
  undo   = "delete the file",
  params = { path = param.path { desc = "File to write; named after the time where absent" } },
  run = function(cx, p)
    local path = p.path or (cx.cluster.snapshot_dir .. "/" .. time.format(time.now {}, "%Y%m%dT%H%M%SZ") .. ".db")
    local saved = talos.etcd.snapshot { path }
    return { path = saved.path, size = saved.size, sha256 = saved.sha256 }
  end,
}
