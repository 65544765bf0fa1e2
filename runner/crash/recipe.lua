return ops.recipe {
  desc        = "Everything that a crash can meet",
  destructive = true,
  params = {
    nodes      = param.nodes { desc = "Nodes to reset", required = true },
    partitions = param.partitions { desc = "Partitions to wipe", required = true, of = "nodes" },
    other      = param.node { desc = "A node to configure and reboot", required = true },
  },
  run = function(cx, p)
    cx:defer(function()
      sh.exec { "deed", "tidy" }
      fs.write { "out/end.txt", content = "over" }
    end)
    local began = time.now {}
    fs.write { "out/began.txt", content = "at " .. began }
    local notes = json.read { "notes.json" }
    fs.mkdir { "out/deep" }
    cx:parallel {
      files = function()
        for i = 1, 3 do fs.write { "out/" .. i .. ".txt", content = i .. " of " .. #notes } end
        fs.copy { "out/1.txt", to = "out/copy.txt" }
        fs.move { "out/copy.txt", to = "out/moved.txt" }
        fs.remove { "out/2.txt" }
        fs.exists { "out/2.txt" }
        fs.write { "out/list.yaml", content = "names: [a, b]" }
        yaml.edit { "out/list.yaml", at = "names[0]", value = "c" }
      end,
      reads = function()
        for _, node in ipairs(cx.cluster.nodes) do talos.version { node } end
        talos.stage { p.other }
        talos.etcd.status {}
        kube.get { kind = "node", name = p.other.name }
        talos.etcd.members {}
      end,
    }
    talos.client_config { "out/talosconfig" }
    talos.kubeconfig { "out/kubeconfig" }
    talos.etcd.snapshot { "out/etcd.snapshot" }
    sh.exec { "deed", "first" }
    talos.apply_config { p.other, file = "nodes/w-2.yaml" }
    kube.cordon { p.other }
    talos.reboot { p.other }
    wait.node { p.other, state = "settled" }
    kube.uncordon { p.other }
    talos.apply_config { p.other, file = "nodes/w-2-reboots.yaml" }
    wait.node { p.other, state = "settled" }
    sh { "deed second" }
    cx:rolling(p.nodes, function(node)
      kube.drain { node, ignore_daemonsets = true, delete_emptydir_data = true }
      talos.reset { node, system_labels_to_wipe = p.partitions, graceful = true, reboot = true }
      wait.node { node, state = "maintenance", timeout = "15m" }
    end)
    log.info("done with %d notes", #notes)
  end,
}
