-- Prints the figures of a run on one line, times in microseconds.
function done(summary, latency, requests)
  local function at(percent) return string.format("%d", latency:percentile(percent)) end
  local wrong = summary.errors
  print("figures: {"
    .. '"requests":' .. string.format("%d", summary.requests)
    .. ',"seconds":' .. string.format("%.6f", summary.duration / 1e6)
    .. ',"p50":' .. at(50) .. ',"p90":' .. at(90) .. ',"p95":' .. at(95) .. ',"p99":' .. at(99)
    .. ',"p999":' .. at(99.9) .. ',"longest":' .. string.format("%d", latency.max)
    .. ',"mean":' .. string.format("%.1f", latency.mean)
    .. ',"errors":' .. string.format("%d", wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout)
    .. "}")
end
