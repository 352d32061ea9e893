"""Private Redis and Valkey servers in the temporary folder, and a client for them."""

from claims import *

BINARIES = {"redis": os.environ["REDIS_SERVER"], "valkey": os.environ["VALKEY_SERVER"]}
NAMES = {"redis": "Redis 7.0", "valkey": "Valkey 9.1"}


class Refused(str):
    """An error of the server."""


class Client:
    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        request = b"*%d\r\n" % len(words)
        for word in (str(word).encode() for word in words):
            request += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(request)

    def receive(self):
        line = self.file.readline()
        if not line:
            raise EOFError("the server has closed the connection")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            return Refused(rest)
        if kind in b"+":
            return rest
        if kind == b":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2].decode(errors="replace")
        return [self.receive() for _ in range(int(rest))]

    def __call__(self, *words):
        self.send(*words)
        return self.receive()

    def load(self, script):
        return self("SCRIPT", "LOAD", script)

    def info(self, field):
        lines = self("INFO", "everything").splitlines()
        return next((line.split(":", 1)[1] for line in lines if line.startswith(field + ":")), None)


class Server:
    """A server on a free port of the loopback address. It ends with this program at the latest."""

    def __init__(self, kind, *options, sentinel=None):
        self.port = free_port()
        folder = tempfile.mkdtemp()
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder]
        command = [BINARIES[kind]]
        if sentinel is None:
            command += [*own, "--enable-debug-command", "yes", "--save", ""]
            command += ["--repl-diskless-sync-delay", "0", *options]
        else:
            with open(folder + "/sentinel.conf", "w", encoding="utf-8") as file:
                file.write(sentinel)
            command += [folder + "/sentinel.conf", "--sentinel", *own]
        libraries = os.environ["REDIS_LIBRARIES"] if kind == "redis" else ""
        environment = {**os.environ, **({"LD_LIBRARY_PATH": libraries} if libraries else {})}
        self.process = start(command, folder, environment)
        wait_for(lambda: self.client())

    def client(self):
        return Client(self.port)

    def signal(self, number):
        self.process.send_signal(number)


def pair(kind, *options):
    """A primary and its replica, in step."""
    primary = Server(kind, *options)
    replica = Server(kind, "--replicaof", f"127.0.0.1 {primary.port}")
    client = primary.client()
    wait_for(lambda: "state=online" in client("INFO", "replication"))
    wait_for(lambda: client("WAIT", 1, 100) == 1)
    return primary, replica


def three_sentinels(kind, primary):
    """Three sentinels that know the primary, its replica and each other: a client of each."""
    rules = f"""sentinel monitor queue 127.0.0.1 {primary.port} 2
sentinel down-after-milliseconds queue 1000
sentinel failover-timeout queue 5000
"""
    clients = [Server(kind, sentinel=rules).client() for _ in range(3)]
    wait_for(lambda: all("slaves=1,sentinels=3" in c("INFO", "sentinel") for c in clients))
    return clients
