-- Load, for wrk: `wrk … -s load.lua URL -- BODIES HEADERS`, files with one body and one authorization (or nothing) a line.
-- Requests go through both in turn. The last line that is printed says what came back, as JSON.
local requests, sent = {}, 0

local function lines(name)
  local found = {}
  for line in io.lines(name) do
    found[#found + 1] = line
  end
  return found
end

function init(arguments)
  local bodies, authorizations = lines(arguments[1]), lines(arguments[2])
  for index, body in ipairs(bodies) do
    local headers = { ["content-type"] = "application/json" }
    local authorization = authorizations[(index - 1) % #authorizations + 1]
    if authorization ~= "" then
      headers["authorization"] = authorization
    end
    requests[index] = wrk.format("POST", nil, headers, body)
  end
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency, _)
  local errors, failed = summary.errors, 0
  for _, kind in ipairs({ "connect", "read", "write", "status", "timeout" }) do
    failed = failed + errors[kind]
  end
  local form = '{"responses": %d, "seconds": %f, "failed": %d, "p50": %f, "p99": %f}\n'
  local seconds, p50, p99 = summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  io.write(string.format(form, summary.requests, seconds, failed, p50, p99))
end
