---Which evidence an operation needs is declared once: in the guard catalogue, and by `ops.evidence` for a team's own.
---A recipe may ask for more of it, never for less, and never supplies its value: `report` is a handle, the engine keeps what it holds.
return ops.recipe {
  desc   = "Prove a recipe safe and grant it, for the next 15 minutes",
  params = {
    recipe = param.string { desc = "The recipe to prove; none: the cluster's state alone", positional = true, complete = "recipes" },
    with   = param.rest { desc = "Its parameters" },
  },
  run = function(cx, p)
    local report = safety.evidence { p.recipe, with = p.with }
    log.table(report.checks, { "node", "code", "state", "found", "age", "way_out" })
    if p.recipe then return safety.issue { report } end
    cx:require(report.proven, "%d of %d checks failed or could not be answered", report.open, #report.checks)
  end,
}
