"""Private proxies in the temporary folder, and a scripted server behind them."""

import threading

from claims import *

NAMES = {"122": "nginx 1.22", "131": "nginx 1.31"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream:
    """A server that answers with what `answer(method, path, body)` returns, or closes for None."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as file:
            while line := file.readline():
                method, path, protocol = line.decode().split()
                is_last = protocol == "HTTP/1.0"
                self.requests.append(f"{method} {path}")
                length = 0
                while (field := file.readline().decode().strip().lower()) != "":
                    if field.startswith("content-length:"):
                        length = int(field.split(":")[1])
                    is_last = is_last or field == "connection: close"
                answer = self.answer(method, path, file.read(length))
                if answer is None:
                    return
                connection.sendall(answer)
                if is_last:
                    return

    def times(self, request):
        return self.requests.count(request)


def nginx(version, http):
    """Starts nginx with these lines of configuration; PORT is its port. Returns port and folder."""
    folder, port = tempfile.mkdtemp(), free_port()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    with open(folder + "/nginx.conf", "w", encoding="utf-8") as file:
        file.write(f"""daemon off; master_process off; pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{ access_log {folder}/access.log; {temporary}
{http.replace("PORT", f"127.0.0.1:{port}")} }}
""")
    libraries = os.environ["NGINX_LIBRARIES"] if version == "122" else ""
    command = [os.environ["NGINX_" + version], "-e", "stderr", "-p", folder]
    start([*command, "-c", folder + "/nginx.conf"], folder, with_libraries(libraries))
    wait_for(lambda: not socket.create_connection(("127.0.0.1", port)).close())
    return port, folder


def haproxy(configuration):
    """Starts HAProxy; PORT is its port. Its log is `folder`/log. Returns port and folder."""
    folder, port = tempfile.mkdtemp(), free_port()
    with open(folder + "/haproxy.cfg", "w", encoding="utf-8") as file:
        file.write(configuration.replace("PORT", f"127.0.0.1:{port}"))
    command = [os.environ["HAPROXY"], "-db", "-f", folder + "/haproxy.cfg"]
    start(command, folder, with_libraries(os.environ["HAPROXY_LIBRARIES"]))
    wait_for(lambda: not socket.create_connection(("127.0.0.1", port)).close())
    return port, folder


def caddy(reverse_proxy):
    """Starts Caddy with this in its `reverse_proxy`. Returns its port."""
    folder, port = tempfile.mkdtemp(), free_port()
    with open(folder + "/Caddyfile", "w", encoding="utf-8") as file:
        file.write(f"""{{
    admin off
    auto_https off
    persist_config off
}}
http://127.0.0.1:{port} {{
    reverse_proxy {reverse_proxy}
}}
""")
    homes = {name: folder for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    command = [os.environ["CADDY"], "run", "--config", folder + "/Caddyfile"]
    start(command, folder, {**os.environ, **homes})
    wait_for(lambda: not socket.create_connection(("127.0.0.1", port)).close())
    return port


def with_libraries(folders):
    return {**os.environ, **({"LD_LIBRARY_PATH": folders} if folders else {})}


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def exchange(connection, request):
    """Sends these bytes and reads one answer whole: its head. Empty when the connection closes."""
    connection.sendall(request)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return head.decode()
        head += byte
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0].split(b":")[1]) if lengths else 0
    while left > 0:
        left -= len(connection.recv(left)) or left
    return head.decode()


def request(method, path, host="queue", fields=""):
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{fields}\r\n"
    return head.encode()


def status(head):
    """The status of an answer's head, or 0 when there was no answer."""
    return int(head.split()[1]) if head else 0
