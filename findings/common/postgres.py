"""Private Postgres and PgBouncer servers in the temporary folder, and a client for them."""

import struct

from claims import *

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
ENVIRONMENT = {**os.environ, "LD_LIBRARY_PATH": os.environ["LIBRARIES"], "LC_ALL": "C"}


def unprivileged(program, *words):
    return [*(NOBODY if os.getuid() == 0 else []), program, *words]


def open_folder():
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o777)
    return folder


class SqlError(Exception):
    """An error of the server or of PgBouncer."""

    def __init__(self, fields):
        super().__init__(f"{fields['C']}: {fields['M']}")
        self.code = fields["C"]
        self.is_fatal = fields["S"] in ("FATAL", "PANIC")


class Client:
    """A connection in the simple protocol. Its password is sent as it is."""

    def __init__(self, port, user="postgres", password="", database="postgres", timeout=20):
        self.password = password
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")
        names = f"user\0{user}\0database\0{database}\0\0".encode()
        self.socket.sendall(struct.pack("!II", len(names) + 8, 0x30000) + names)
        self.receive()

    def send(self, kind, text):
        body = text.encode() + b"\0"
        self.socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def receive(self):
        """The first value of the first row, when the server is ready again."""
        value, error = None, None
        while True:
            kind = self.file.read(1)
            if not kind:
                raise EOFError("the connection is closed")
            body = self.file.read(struct.unpack("!I", self.file.read(4))[0] - 4)
            if kind == b"R" and body == struct.pack("!I", 3):
                self.send(b"p", self.password)
            elif kind == b"E":
                fields = (field.decode() for field in body.split(b"\0") if field)
                error = SqlError({field[0]: field[1:] for field in fields})
                if error.is_fatal:
                    raise error
            elif kind == b"D" and value is None:
                length = struct.unpack("!i", body[2:6])[0]
                value = body[6:6 + length].decode() if length >= 0 else None
            elif kind == b"Z":
                if error:
                    raise error
                return value

    def __call__(self, statement):
        self.send(b"Q", statement)
        return self.receive()


class Postgres:
    """A server that trusts `postgres` and asks all others for their passwords."""

    def __init__(self, *statements):
        self.port, folder = free_port(), open_folder()
        data = folder + "/data"
        command = unprivileged(
            os.environ["POSTGRES"] + "/initdb", "-N", "-A", "trust", "-U", "postgres", "-D", data
        )
        subprocess.run(command, check=True, capture_output=True, cwd="/", env=ENVIRONMENT)
        with open(data + "/pg_hba.conf", "w", encoding="utf-8") as file:
            file.write("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 password\n")
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
        command = [os.environ["POSTGRES"] + "/postgres", "-D", data, "-p", str(self.port)]
        for setting in settings:
            command += ["-c", setting]
        start(unprivileged(*command), folder, ENVIRONMENT)
        self.admin = wait_for(self.connect)
        for statement in statements:
            self.admin(statement)

    def connect(self):
        try:
            return Client(self.port)
        except SqlError:  # It starts.
            return None


class PgBouncer:
    """PgBouncer in front of this server, for users with these passwords."""

    def __init__(self, server, passwords, **settings):
        self.port, folder = free_port(), open_folder()
        with open(folder + "/users", "w", encoding="utf-8") as file:
            file.writelines(f'"{user}" "{password}"\n' for user, password in passwords.items())
        settings = {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "",
            "auth_type": "plain", "auth_file": folder + "/users", "pool_mode": "transaction",
            **settings,
        }
        with open(folder + "/pgbouncer.ini", "w", encoding="utf-8") as file:
            file.write(f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n")
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        command = unprivileged(os.environ["PGBOUNCER"], folder + "/pgbouncer.ini")
        start(command, folder, ENVIRONMENT)
        wait_for(lambda: not socket.create_connection(("127.0.0.1", self.port)).close())


def refusal(call):
    """The error of a call that has to fail, as text, and its SQLSTATE."""
    try:
        call()
    except SqlError as error:
        return str(error), error.code
    except TimeoutError:
        return "no answer", None
    return "no error", None
