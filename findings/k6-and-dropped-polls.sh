#!/usr/bin/env bash
# k6 counts a GET whose connection was closed without an answer as one request that succeeded.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/proxies.sh"
install_k6

cat <<'TEXT'
Expected: a request whose connection closes without an answer is a failed request in k6
          (`http_req_failed`, status 0), whatever its method.
Matters:  polls are GET and nearly all of an on-sale's requests. A load test in which nodes drop
          polls, as a killed or restarted node does, reports no failures. The lost time
          is in `sending`, so `http_req_waiting`, the time to the first byte, stays low. Compare
          `http_reqs` with what the nodes count.
TEXT

run_each once <<'PYTHON'
import json

from proxies import *

SCRIPT = """import http from 'k6/http';
export const options = { iterations: 1, noConnectionReuse: __ENV.REUSE === 'no' };
export default function () {
    http.get(__ENV.NODE + '/concerts');
    const { status, timings } = http.request(__ENV.METHOD, __ENV.NODE + '/place');
    console.log('seen ' + JSON.stringify({ status, timings }));
}
export function handleSummary({ metrics }) {
    const { http_reqs, http_req_failed } = metrics;
    const counted = { requests: http_reqs.values.count, failed: http_req_failed.values.passes };
    return { stdout: 'counted ' + JSON.stringify(counted) + '\\n' };
}
"""
folder = tempfile.mkdtemp()
with open(folder + "/script.js", "w", encoding="utf-8") as file:
    file.write(SCRIPT)


def run(method, reuse):
    """What k6 reports for a request dropped after a second, and how often the node got it."""

    def answer(_, path, __):
        if path == "/place" and upstream.times(f"{method} /place") == 1:
            time.sleep(1)
            return None
        return OK

    upstream = Upstream(answer)
    node = f"http://127.0.0.1:{upstream.port}"
    environment = {**os.environ, "HOME": folder, "NODE": node, "METHOD": method, "REUSE": reuse}
    command = [os.environ["K6"], "run", "--quiet", "--no-usage-report", folder + "/script.js"]
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=40
    )
    seen = next(line for line in ended.stderr.splitlines() if "seen {" in line)
    seen = json.loads(seen.split("seen ", 1)[1].rsplit('"', 1)[0].replace('\\"', '"'))
    counted = next(line for line in ended.stdout.splitlines() if line.startswith("counted "))
    return seen, json.loads(counted.split(" ", 1)[1]), len(upstream.requests)


print("k6 1.1, the second request of a connection, dropped by the node after a second:")
seen, counted, received = run("GET", "yes")
holds = seen["status"] == 200 and counted == {"requests": 2, "failed": 0} and received == 3
claim("GET: sent again, status 200, no failure, two requests counted of three", holds,
      f"status {seen['status']}, {counted}, the node got {received}")
timings = seen["timings"]
holds = timings["sending"] > 900 and timings["waiting"] < 500
claim("its lost second is in `sending`, not in `waiting`", holds,
      f"sending {timings['sending']:.0f} ms, waiting {timings['waiting']:.0f} ms")
for method, reuse, text in (
    ("POST", "yes", "POST: status 0 and a failure"),
    ("GET", "no", "GET with `noConnectionReuse`: status 0 and a failure"),
):
    seen, counted, received = run(method, reuse)
    holds = seen["status"] == 0 and counted == {"requests": 2, "failed": 1} and received == 2
    claim(text, holds, f"status {seen['status']}, {counted}, the node got {received}")
done()
PYTHON
