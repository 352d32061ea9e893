"""The claims of a finding, and processes that end with it."""

import atexit
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

started = []
failed = []


def claim(text, holds, seen=""):
    """Prints an observation; a claim that does not hold fails the script."""
    print(f"  {'as described' if holds else 'CHANGED     '}  {text}{f'  [{seen}]' if seen else ''}")
    if not holds:
        failed.append(text)


def done():
    sys.exit("the behaviour has changed" if failed else 0)


def start(command, folder, environment=None):
    """A process that ends with this program at the latest. Its output is in `folder`/log."""
    with open(folder + "/log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment,
            # Linux ends it with its parent.
            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL),
        )
    started.append(process)
    return process


@atexit.register
def end_processes():
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def free_port():
    while True:
        # A cluster's servers talk on a port that is higher by 10,000.
        port = random.randint(15_000, 30_000)
        with socket.socket() as attempt:
            try:
                attempt.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def wait_for(condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            result = condition()
            if result:
                return result
        except (OSError, EOFError):
            pass
        time.sleep(0.02)
    sys.exit("what the finding needs did not come about in time")


def timed(call):
    begun = time.monotonic()
    return call(), time.monotonic() - begun
