#!/usr/bin/env python3
"""Measures how long a browser takes to solve the join puzzle, and the cost of a WebCrypto call.

    loadtest/puzzle-in-browser.py [PUZZLES]     (40 of each kind by default)

Runs headless Chromium (Debian's package `chromium`) with deploy/examples/solve-puzzle.js on a page
of localhost: at full speed; with the processor throttled four times by DevTools, which slows
scripts but not the thread that WebCrypto hashes on; and with the whole browser stopped for three
quarters of the time, which slows that thread as well. Neither is a phone.
"""
import functools
import http.server
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ITERATIONS, PARTS = 200, 2
EXAMPLES = Path(__file__).resolve().parent.parent / "deploy/examples"


class Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path != "/":
            return super().do_GET()
        page = b"<!doctype html><title>puzzle</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


class Browser:
    """Speaks the DevTools protocol over the pipes 3 and 4 of the browser."""

    def __init__(self, profile):
        commands, self.to = os.pipe()
        self.answers, answers = os.pipe()

        def pipes():
            first, second = os.dup(commands), os.dup(answers)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=pipes, pass_fds=(3, 4), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self.rest, self.last, self.rate, self.throttled = b"", 0, 1, 0
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.page = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]

    def send(self, method, params, session):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        return self.last

    def call(self, method, params={}, session=None):
        wanted = self.send(method, params, session)
        while True:
            message = self.receive()
            if message.get("id") == wanted:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            if message.get("method") == "Target.attachedToTarget":
                self.worker(message["params"]["sessionId"])

    def worker(self, session):
        """Throttles a new worker like the page."""
        self.send("Emulation.setCPUThrottlingRate", {"rate": self.rate}, session)
        self.send("Runtime.runIfWaitingForDebugger", {}, session)
        self.throttled += 1

    def receive(self):
        while b"\0" not in self.rest:
            data = os.read(self.answers, 65536)
            if not data:
                sys.exit("the browser ended")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, url):
        self.call("Page.enable", {}, self.page)
        self.call("Page.navigate", {"url": url}, self.page)
        watch = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        self.call("Target.setAutoAttach", watch, self.page)
        while self.value("document.title") != "puzzle":
            time.sleep(0.05)

    def throttle(self, rate):
        self.rate = rate
        self.call("Emulation.setCPUThrottlingRate", {"rate": rate}, self.page)

    def processor_time(self):
        """Processor time of all processes of the browser, in seconds."""
        ticks = 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            # From the third field on: state, parent, process group, ..., user and system time.
            if int(fields[2]) == self.process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def value(self, script):
        params = {"expression": script, "awaitPromise": True, "returnByValue": True}
        result = self.call("Runtime.evaluate", params, self.page)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")


class Quarter:
    """Lets the browser run for 5 ms of every 20."""

    def __init__(self, group):
        self.group, self.is_over = group, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.is_over.is_set():
            os.killpg(self.group, signal.SIGSTOP)
            time.sleep(0.015)
            os.killpg(self.group, signal.SIGCONT)
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


# Milliseconds a call by iterations and calls in flight; the best of five rounds.
CALLS = """(async () => {
  const key = await crypto.subtle.importKey('raw', new Uint8Array(52), 'PBKDF2', false, ['deriveBits']);
  const one = async (n, iterations) => {
    const salt = new Uint8Array(8); new DataView(salt.buffer).setUint32(0, n);
    await crypto.subtle.deriveBits({name: 'PBKDF2', hash: 'SHA-256', salt, iterations}, key, 256);
  };
  const rows = [];
  for (const iterations of [1, 100, 200, 400, 800, 1600]) for (const inFlight of [1, 8]) {
    const calls = Math.ceil(60000 / (iterations + 100));
    let best = Infinity;
    for (let round = 0; round < 5; round += 1) {
      let next = 0; const began = performance.now();
      await Promise.all(Array.from({length: inFlight}, async () => {
        while (next < calls) { next += 1; await one(next, iterations); }
      }));
      best = Math.min(best, (performance.now() - began) / calls);
    }
    rows.push([iterations, inFlight, best]);
  }
  return rows;
})()"""

SOLVE = """(async (puzzle) => {
  const { solvePuzzle } = await import('/solve-puzzle.js');
  const began = performance.now();
  const solution = await solvePuzzle(puzzle);
  return [performance.now() - began, solution];
})(%s)"""


def solve(browser, bits, many):
    times, began = [], 0
    for n in range(many + 1):
        puzzle = {"puzzle": secrets.token_urlsafe(39), "bits": bits, "iterations": ITERATIONS, "parts": PARTS}
        took, solution = browser.value(SOLVE % json.dumps(puzzle))
        assert solution.startswith(puzzle["puzzle"] + ".") and solution.count(",") == PARTS - 1, solution
        # The first puzzle also loads the script.
        if n > 0:
            times.append(took)
        else:
            began = browser.processor_time()
    ran = (browser.processor_time() - began) / many * 1000
    times.sort()
    mean, median, p95 = statistics.mean(times), statistics.median(times), times[int(len(times) * 0.95)]
    print(f"{bits:>4} bits: median {median:6.0f} ms, mean {mean:6.0f} ms, p95 {p95:6.0f} ms; "
          f"processor time a puzzle {ran:6.0f} ms ({many} puzzles)", flush=True)


def show_load(when):
    print(f"load of the machine {when}: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)


def main():
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Pages, directory=str(EXAMPLES)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            print(browser.call("Browser.getVersion")["product"])
            show_load("before")
            browser.open(f"http://127.0.0.1:{server.server_port}/")
            print("\nWebCrypto: iterations, calls under way, time a call")
            for iterations, in_flight, took in browser.value(CALLS):
                print(f"{iterations:>6} {in_flight:>2} {took * 1000:8.1f} us")
            print(f"\nsolving {PARTS} parts of {ITERATIONS} iterations, at full speed")
            for bits in (8, 10, 13):
                solve(browser, bits, many if bits < 13 else many // 4)
            browser.throttle(4)
            print("\nthe same, scripts throttled four times by DevTools")
            for bits in (8, 10, 11):
                solve(browser, bits, many)
            print(f"({browser.throttled} workers were told)")
            browser.throttle(1)
            print("\nthe same, all of the browser stopped for three quarters of the time")
            with Quarter(browser.process.pid):
                for bits in (8, 10, 11):
                    solve(browser, bits, many)
            show_load("after")
        finally:
            os.killpg(browser.process.pid, signal.SIGCONT)
            browser.process.terminate()
            browser.process.wait()


if __name__ == "__main__":
    main()
