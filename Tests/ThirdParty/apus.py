"""A broker process for tests: `apus serve`, its endpoints read from its output."""

import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("APUS_BINARY", str(ROOT / ".build" / "debug" / "apus"))
# Seconds to wait for what should come at once; more on slow builds.
PATIENCE = 20 * float(os.environ.get("WIRE_PATIENCE", "1"))


def environment(settings=None):
    """The surroundings without their own settings for Apus, and these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APUS_")}
    return {**kept, **(settings or {})}


def eventually(condition, what):
    """Waits until the condition holds; polls, so only for what nobody announces."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"not within {PATIENCE} s: {what}")


class Endpoint:
    """Where a client connects: the parts of `mqtt://127.0.0.1:40123`."""

    def __init__(self, url):
        self.url = url
        self.scheme, rest = url.split(":", 1)
        self.path, self.host, self.port = None, None, 0
        if self.scheme == "unix":
            self.path = rest.removeprefix("//")
        else:
            self.host, port = rest.removeprefix("//").rsplit(":", 1)
            self.port = int(port.rstrip("/"))


class Apus:
    """A running broker; use it in a `with`. `stop` says how it ended."""

    def __init__(self, *arguments, listen=("mqtt://127.0.0.1:0",), settings=None, dev=True, data=None):
        """`data` is a folder of another broker's, instead of one of its own."""
        command = [BINARY, "serve", *(["--dev"] if dev else []), *arguments]
        for url in listen:
            command += ["--listen", url]
        self.data = tempfile.TemporaryDirectory(prefix="apus-test-")
        command += ["--data", str(data or self.data.name)]
        # A file and not a pipe: a chatty broker must not wait for a reader.
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, env=environment(settings),
        )
        try:
            self.endpoints = [Endpoint(url) for url in self._read_endpoints()]
        except BaseException:
            self.kill()
            raise

    def _read_endpoints(self):
        """Reads `endpoint URL` lines until `ready`; bytes, since select knows nothing of Python's buffers."""
        text, deadline, output = "", time.monotonic() + PATIENCE, self.process.stdout.fileno()
        while "ready" not in text.splitlines():
            ready, _, _ = select.select([output], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(output, 4096) if ready else b""
            if not chunk:
                raise AssertionError(f"the broker did not become ready; it said:\n{text}{self.logged()}")
            text += chunk.decode()
        self.announced = text.splitlines()
        return [line.split()[1] for line in self.announced if line.startswith("endpoint ")]

    def endpoint(self, scheme="mqtt", index=0):
        return [endpoint for endpoint in self.endpoints if endpoint.scheme == scheme][index]

    @property
    def port(self):
        return self.endpoint("mqtt").port

    def logged(self):
        return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size, 0).decode(errors="replace")

    def event(self, name):
        """The first event of this name; waits for it, since the log has a thread of its own and may come after `ready`."""
        def found():
            whole = self.logged().rpartition("\n")[0].splitlines()
            return [event for event in map(json.loads, whole) if event["event"] == name]
        eventually(found, f"the event {name}")
        return found()[0]

    def reload(self):
        """SIGHUP, and waits until the broker says that it is done."""
        before = self.logged().count("configuration.re")
        self.process.send_signal(signal.SIGHUP)
        # `configuration.reloaded` and `configuration.rejected`.
        eventually(lambda: self.logged().count("configuration.re") > before, f"a reload; log:\n{self.logged()}")

    def signal_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends the broker gracefully and returns its exit status."""
        if self.process.poll() is None:
            self.signal_stop()
        return self.wait()

    def wait(self):
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the broker did not end; it said:\n{self.logged()}") from None
        self.process.stdout.close()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        status = self.stop()
        text = self.logged()
        self.log.close()
        self.data.cleanup()
        if kind is None:
            assert status == 0, f"the broker ended with {status}; it said:\n{text}"
        else:
            print(f"the broker said:\n{text[-8000:]}")


def run(command, *, stdin=None, timeout=None, check=True):
    """A client to its end; its output. Fails when it fails."""
    done = subprocess.run(
        [str(part) for part in command], input=stdin, capture_output=True, timeout=timeout or PATIENCE, text=True,
        env=environment({"NODE_PATH": "/usr/share/nodejs"}),
    )
    if check:
        assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done


class Background:
    """A client in the background whose lines are read as they come."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
            env=environment({"NODE_PATH": "/usr/share/nodejs"}),
        )
        self.lines = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()

    def until(self, condition, what):
        """Waits until the condition holds for the lines so far."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.lines), PATIENCE), f"{what}; came: {self.lines}"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Wire:
    """A bare connection, for what no client library does."""

    def __init__(self, endpoint, source=None):
        """`source` is the address of loopback to come from."""
        if endpoint.path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(endpoint.path)
        else:
            here = (source, 0) if source else None
            self.socket = socket.create_connection((endpoint.host, endpoint.port), PATIENCE, here)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, count):
        data = b""
        while len(data) < count:
            chunk = self.socket.recv(count - len(data))
            if not chunk:
                raise EOFError(f"closed after {data!r}")
            data += chunk
        return data

    def at_end(self):
        """Whether the other side closes without sending anything more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


CONNECT_5 = bytes.fromhex("10 0F 00 04 4D 51 54 54 05 02 00 3C 00 00 02 72 77")
CONNECT_3_1_1 = bytes.fromhex("10 0E 00 04 4D 51 54 54 04 02 00 3C 00 02 72 77")
