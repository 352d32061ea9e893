#!/usr/bin/env bash
# Chromium repeats a POST that was answered with 408, or not at all, and the page cannot see it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/base.sh"
CHROMIUM=$(command -v chromium) || {
    echo "this needs Debian's package chromium"
    exit 1
}
export CHROMIUM
"$CHROMIUM" --version 2>/dev/null | cut -d' ' -f1-2

cat <<'TEXT'
Expected: fetch() sends a POST or a DELETE once. 408 is an answer like 503, and a connection that
          closes without an answer rejects, since only the page knows whether to repeat.
Matters:  a node that stops between executing and answering, or a proxy that closes instead of
          answering, makes a visitor join or leave twice without the page's knowledge: it sees only
          the second answer (the place is already released, say). Code in the page that handles 408
          runs only after a second attempt.
TEXT

run_each once <<'PYTHON'
import json
import threading

from claims import *

METHODS = ("POST", "DELETE")
CASES = ("408", "closed", "503")
PAGE = """<script>
(async () => {
    const seen = {};
    for (const name of CASES) for (const method of METHODS) {
        await fetch('/warm');
        const path = '/' + name + '/' + method;
        const options = { method, body: 'x', headers: { waitingToken: 'token' } };
        seen[path] = await fetch(path, options).then((answer) => answer.text(), String);
    }
    await fetch('/report', { method: 'POST', body: JSON.stringify(seen) });
})();
</script>""".replace("CASES", json.dumps(CASES)).replace("METHODS", json.dumps(METHODS))
sent = []
report = []
reported = threading.Event()


def answer(code, text):
    head = f"HTTP/1.1 {code} X\r\nContent-Type: text/html\r\nContent-Length: {len(text)}\r\n\r\n"
    return (head + text).encode()


def respond(path, body):
    sent.append(path)
    if path == "/":
        return answer(200, PAGE)
    if path == "/report":
        report.append(json.loads(body))
        return answer(200, "")
    name = path.split("/")[1]
    if name not in CASES:
        return answer(200, "")
    if sent.count(path) > 1:
        return answer(200, "the second")
    return None if name == "closed" else answer(name, "the first")


def serve(connection):
    with connection, connection.makefile("rb") as file:
        while line := file.readline():
            length = 0
            while (field := file.readline().decode().strip().lower()) != "":
                if field.startswith("content-length:"):
                    length = int(field.split(":")[1])
            response = respond(line.decode().split()[1], file.read(length))
            if response is None:
                return
            connection.sendall(response)
            if report:
                reported.set()


def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0), backlog=128)
threading.Thread(target=accept, daemon=True).start()
folder = tempfile.mkdtemp()
flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + folder + "/user"]
address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
browser = start([os.environ["CHROMIUM"], *flags, address], folder, {**os.environ, "HOME": folder})
if not reported.wait(50):
    sys.exit("the page did not come to its end")
browser.terminate()
browser.wait()

print("Chromium, requests with a body over a connection that was used before:")
for name, text, times, wanted in (
    ("408", "answered with 408", 2, "the second"),
    ("closed", "not answered, the connection closes", 2, "the second"),
    ("503", "answered with 503", 1, "the first"),
):
    for method in METHODS:
        path = f"/{name}/{method}"
        seen = report[0][path]
        holds = sent.count(path) == times and seen == wanted
        often = "sent once" if times == 1 else "sent twice"
        claim(f"{method}, {text}: {often}, the page sees {wanted} answer", holds,
              f"sent {sent.count(path)} times, the page sees: {seen}")
done()
PYTHON
