-- The trusted part of the sandbox that has to be Lua: only Lua code can wait, or be waited through.
local yield, isyieldable, raw_pcall, h = ...

local function finish(ok, ...)
  if ok then return ... end
  return h.raise(...)
end

-- wait(prepare, name): a function whose Rust half checks and prepares at once, and whose other half waits.
local function wait(prepare, name)
  return function(...)
    if not isyieldable() then return h.misplaced(name) end
    return finish(yield(prepare(...)))
  end
end

local function caught(ok, ...)
  if ok then return true, ... end
  return false, h.caught((...))
end

local function pcall(f, ...)
  return caught(raw_pcall(f, ...))
end

local function tried(kinds, ok, ...)
  if ok then return ... end
  return nil, h.tried(kinds, (...))
end

local function try(kinds, f, ...)
  return tried(h.kinds(kinds), raw_pcall(f, ...))
end

local function pairs(t)
  local target, keys, n = h.keys(t)
  local i = 0
  return function()
    while i < n do
      i = i + 1
      local k = keys[i]
      local v = target[k]
      if v ~= nil then return k, v end
    end
  end, t, nil
end

return { wait = wait, pcall = pcall, try = try, pairs = pairs }
