"""Broker processes that are killed and started again on the same data directory."""

import asyncio
import getpass
import os
import pathlib
import signal
import socket
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("APUS_BINARY", str(ROOT / ".build" / "debug" / "apus"))
# Seconds to wait for what should come at once; more on slow builds.
PATIENCE = 20 * float(os.environ.get("WIRE_PATIENCE", "1"))


def environment():
    """The surroundings without their own settings for Apus."""
    return {name: value for name, value in os.environ.items() if not name.startswith("APUS_")}


class Broker:
    """One data directory, and at most one process on it at a time."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="crash-test-")
        self.data = os.path.join(self.folder.name, "data")
        os.mkdir(self.data)
        self.log = open(os.path.join(self.folder.name, "log"), "w+b")
        self.process = None
        self.port = None

    async def start(self):
        """Starts a process and waits until clients can connect."""
        await self.spawn()
        try:
            async with asyncio.timeout(PATIENCE):
                self.port = await self.ready()
        except (TimeoutError, EOFError):
            await self.kill()
            raise AssertionError(f"the broker did not become ready; it said:\n{self.logged()}") from None

    async def spawn(self):
        """Starts a process and does not wait for it."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command(), stdout=asyncio.subprocess.PIPE, stderr=self.log, env=environment(), cwd=self.folder.name,
        )

    def strike(self):
        """kill -9, without waiting for the end."""
        if self.process and self.process.returncode is None:
            self.process.kill()

    async def kill(self):
        self.strike()
        return await self.process.wait()

    async def stop(self):
        """Ends it gracefully; its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"the broker did not end; it said:\n{self.logged()}") from None

    async def unsound(self):
        """What is wrong with the data directory, in words; of a broker that does not run."""
        return None

    def errors(self):
        """What it logged as errors; nothing here may be one."""
        with open(self.log.name, "rb") as file:
            return [line.decode(errors="replace").strip() for line in file if b'"level":"error"' in line]

    def logged(self, last=6000):
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), last, max(0, size - last)).decode(errors="replace")

    async def close(self):
        if self.process:
            await self.kill()
        self.log.close()
        self.folder.cleanup()


class Apus(Broker):
    """`apus serve`; `settings` are keys of the configuration."""

    def __init__(self, settings=None, wrapper=()):
        """`wrapper` is a command that ends by executing the one that follows it."""
        super().__init__()
        self.settings, self.wrapper = settings or {}, wrapper

    def command(self):
        chosen = [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        return [*self.wrapper, BINARY, "serve", "--dev", "--data", self.data, "--listen", "mqtt://127.0.0.1:0", *chosen]

    async def unsound(self):
        status, text = await self.tool("log", "verify", "--data", self.data)
        return text if status else None

    async def tool(self, *arguments):
        """Another command of the binary: its status and all it said."""
        process = await asyncio.create_subprocess_exec(
            BINARY, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment(),
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode(errors="replace")

    async def ready(self):
        port = None
        while (line := await self.process.stdout.readline()) != b"ready\n":
            if not line:
                raise EOFError
            if line.startswith(b"endpoint "):
                port = int(line.split()[1].rsplit(b":", 1)[1].rstrip(b"/"))
        return port


class Mosquitto(Broker):
    """mosquitto with persistence, for comparison; saves every `autosave` seconds, or as it does by default."""

    def __init__(self, autosave=None, more=()):
        """`more` are further lines of its configuration."""
        super().__init__()
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.chosen = chosen.getsockname()[1]
        lines = [
            f"listener {self.chosen} 127.0.0.1", "allow_anonymous true", f"user {getpass.getuser()}", "persistence true",
            f"persistence_location {self.data}/", "max_queued_messages 0", "set_tcp_nodelay true", "log_type error",
            *more,
        ]
        if autosave:
            lines.append(f"autosave_interval {autosave}")
        self.configuration = os.path.join(self.folder.name, "mosquitto.conf")
        pathlib.Path(self.configuration).write_text("\n".join(lines) + "\n")

    def command(self):
        return ["mosquitto", "-c", self.configuration]

    async def ready(self):
        while True:
            if self.process.returncode is not None:
                raise EOFError
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.chosen)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return self.chosen
