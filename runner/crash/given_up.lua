return ops.recipe {
  desc = "An arm that fails in the first attempt and takes the others with it",
  run = function(cx)
    cx:each({ "failing", "other" }, { jobs = 2 }, function(name)
      if name == "failing" then
        talos.version { "cp-1" }
        pcall(wait.node, { "w-1", state = "offline", timeout = "5s" })
        json.read { "out/ready.json" }
      else
        cx:defer(function()
          fs.write { "out/ready.json", content = "[]" }
          sh.exec { "deed", "tidy" }
        end)
        sh.exec { "deed", "first" }
        kube.cordon { "w-2" }
        pcall(wait.node, { "w-2", state = "offline", timeout = "30s" })
        kube.uncordon { "w-2" }
      end
    end)
    sh.exec { "deed", "last" }
  end,
}
