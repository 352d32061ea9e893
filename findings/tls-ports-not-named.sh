#!/usr/bin/env bash
# Redis over TLS: settings for the links between servers decide which port clients are sent to.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/setup.sh"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=queue \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$WORK/key.pem" -out "$WORK/certificate.pem" \
    2>"$WORK/said" || {
    cat "$WORK/said"
    exit 1
}
export WORK

cat <<'TEXT'
Expected: with TLS for clients alone (`tls-port` beside `port`) a client that comes over TLS is sent
          to TLS ports. `tls-cluster` and `tls-replication` are about the links between servers.
Matters:  the first connection works, and all that need the next address fail: a cluster client
          starts TLS at a port that waits for more. Sentinels that use TLS report a healthy
          primary, and when it fails there is no replica that they would promote.
TEXT

run_each "cluster no" "cluster yes" "sentinel no" "sentinel yes" <<'PYTHON'
import ssl

from servers import *

kind, option = sys.argv[1], sys.argv[2]
own, key = os.environ["WORK"] + "/certificate.pem", os.environ["WORK"] + "/key.pem"
TLS = {"tls-cert-file": own, "tls-key-file": key, "tls-ca-cert-file": own, "tls-auth-clients": "no"}

class TlsServer(Server):
    """Redis with a port for TLS beside the other one."""

    def __init__(self, *options):
        self.tls_port = free_port()
        words = [word for name, value in TLS.items() for word in ("--" + name, value)]
        super().__init__("redis", "--tls-port", str(self.tls_port), *words, *options)

    def tls_client(self):
        return TlsClient(self.tls_port)

class TlsClient(Client):
    def __init__(self, port, timeout=20):
        super().__init__(port, timeout)
        context = ssl.create_default_context(cafile=own)
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.file = self.socket.makefile("rb")

def cluster(tls):
    print(f"Redis 7.0, a cluster of two with `tls-cluster {option}`, asked over TLS:")
    options = ("--cluster-enabled", "yes", "--tls-cluster", option)
    servers = [TlsServer(*options), TlsServer(*options)]
    first, second = (server.client() for server in servers)
    first("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
    second("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
    ports = [server.tls_port if tls else server.port for server in servers]
    second("CLUSTER", "MEET", "127.0.0.1", ports[0])
    wait_for(lambda: all("cluster_state:ok" in c("CLUSTER", "INFO") for c in (first, second)))
    client = servers[0].tls_client()
    named = [primary[1] for _, _, primary in client("CLUSTER", "SLOTS")]
    which = "TLS" if tls else "plain"
    claim(f"CLUSTER SLOTS names the {which} ports", named == ports)
    moved = client("GET", "a")  # Its slot is 15495.
    claim(f"MOVED names the {which} port", moved == f"MOVED 15495 127.0.0.1:{ports[1]}", moved)
    shards = client("CLUSTER", "SHARDS")
    fields = {name for shard in shards for node in shard[3] for name in node[::2]}
    claim(f"CLUSTER SHARDS has {'a' if tls else 'no'} `tls-port`", ("tls-port" in fields) == tls)
    try:
        answer = TlsClient(int(moved.rsplit(":", 1)[1]), timeout=3)("PING")
    except TimeoutError:
        answer = "no answer for 3 s"
    expected = "PONG" if tls else "no answer for 3 s"
    claim(f"TLS at that port {'works' if tls else 'is not answered'}", answer == expected, answer)

def sentinel(tls):
    print(f"Redis 7.0, `tls-replication {option}`, watched over TLS by a sentinel:")
    primary = TlsServer("--tls-replication", option)
    of = primary.tls_port if tls else primary.port
    replica = TlsServer("--tls-replication", option, "--replicaof", f"127.0.0.1 {of}")
    client = primary.tls_client()
    wait_for(lambda: "state=online" in client("INFO", "replication"))
    settings = "".join(f"{name} {value}\n" for name, value in TLS.items())
    watcher = Server("redis", sentinel=f"""{settings}tls-replication yes
sentinel monitor queue 127.0.0.1 {primary.tls_port} 1
sentinel down-after-milliseconds queue 1000
""").client()
    def state(kind):
        found = watcher("SENTINEL", kind, "queue")
        found = found[0] if kind == "REPLICAS" and found else found
        return dict(zip(found[::2], found[1::2]))
    if tls:
        known = wait_for(lambda: state("REPLICAS").get("master-link-status") == "ok"
                         and state("REPLICAS"))
        claim("it knows the replica by its TLS port", known["port"] == str(replica.tls_port))
    else:
        known = wait_for(lambda: "s_down" in state("REPLICAS").get("flags", "")
                         and state("REPLICAS"))
        claim("it knows the replica by its plain port, and as down",
              known["port"] == str(replica.port), known["flags"])
    flags = state("MASTER")["flags"]
    claim("the primary is healthy", flags == "master", flags)
    answer = watcher("SENTINEL", "FAILOVER", "queue")
    if tls:
        address = ["127.0.0.1", str(replica.tls_port)]
        named = wait_for(lambda: watcher("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "queue") == address)
        claim("a failover succeeds", answer == "OK" and named)
    else:
        claim("a failover finds no replica", answer.startswith("NOGOODSLAVE"), answer)

(cluster if kind == "cluster" else sentinel)(option == "yes")
done()
PYTHON
