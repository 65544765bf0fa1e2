return ops.recipe {
  desc = "Arms that others end, by failing and by taking too long",
  run = function(cx)
    cx:defer(function() fs.write { "out/end.txt", content = "over" } end)
    local function tidy(name)
      return function()
        fs.write { "out/" .. name .. ".txt", content = "tidy" }
        sh.exec { "deed", "tidy " .. name }
      end
    end
    pcall(function()
      cx:each({ "busy", "failing", "idle" }, { jobs = 3 }, function(name)
        cx:defer(tidy(name))
        if name == "failing" then
          talos.version { "cp-1" }
          wait.node { "w-1", state = "offline", timeout = "5s" }
        elseif name == "busy" then
          kube.cordon { "w-2" }
          talos.reboot { "w-2" }
        else
          sh.exec { "deed", "idle" }
          wait.node { "cp-2", state = "offline", timeout = "1h" }
        end
      end)
    end)
    wait.node { "w-2", state = "settled" }
    sh.exec { "deed", "between" }
    pcall(function()
      cx:timeout("10s", function()
        cx:defer(tidy("late"))
        sh.exec { "deed", "late" }
        wait.node { "cp-3", state = "offline", timeout = "1h" }
      end)
    end)
    local tried = 0
    cx:retry({ times = 2, backoff = "1s", kinds = { "timeout" } }, function()
      tried = tried + 1
      local mark = tried
      cx:each({ "first", "second" }, { jobs = 2 }, function(name)
        cx:defer(tidy(name .. mark))
        if mark == 1 and name == "first" then
          wait.node { "w-1", state = "offline", timeout = "2s" }
        else
          sh.exec { "deed", name .. mark }
          if mark == 1 then wait.node { "w-1", state = "offline", timeout = "1h" } end
        end
      end)
    end)
    kube.uncordon { "w-2" }
    sh.exec { "deed", "last" }
  end,
}
