---Which evidence an operation needs is declared once: in the guard catalogue, and by `ops.evidence` for a team's own.
---A recipe may ask for more of it, never for less, and never supplies its value: `report` is a handle, the engine keeps what it holds.
return ops.recipe {
  desc   = "Prove a recipe safe and grant it, for the next 15 minutes",
  undo   = "nothing to undo: a grant that nobody uses ends by itself",
  params = {
    recipe = param.string { desc = "The recipe to prove; none: the cluster's state alone", positional = true, complete = "recipes" },
    with   = param.rest { desc = "Its parameters" },
  },
  run = function(cx, p)
    local report = safety.evidence { p.recipe, with = p.with }
    local rows = ops.map(report.checks, function(check)
      return { node = check.node or "", code = check.code, state = check.state, found = check.found, age = check.age, next = check.way_out or "" }
    end)
    log.table(rows, { "node", "code", "state", "found", "age", "next" })
    if p.recipe then return safety.issue { report.report } end
    cx:require(report.proven, "%d of %d checks failed or could not be answered", report.open, #report.checks)
  end,
}
