"""What a person at a terminal meets: prompts, hints and help of `apus`."""

import os
import pty
import select
import subprocess
import time

import pytest

from apus import BINARY, PATIENCE, environment


def typed(command, lines):
    """Runs a command on a terminal of its own and types a line at each prompt; exit status and what was shown."""
    process, terminal = pty.fork()
    if process == 0:
        os.execve(BINARY, [BINARY, *[str(part) for part in command]], environment())
    shown, lines, deadline = b"", list(lines), time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                chunk = os.read(terminal, 4096)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
            if lines and shown.endswith(b": "):
                os.write(terminal, lines.pop(0).encode() + b"\n")
        else:
            os.kill(process, 9)
    finally:
        os.close(terminal)
        _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_a_password_is_typed_twice_and_not_shown(tmp_path):
    file = tmp_path / "passwords"
    status, shown = typed(["password", file, "alice"], ["secret", "secret"])
    assert status == 0
    assert shown.count("secret") == 0
    assert "alice" in file.read_text()


@pytest.mark.parametrize("lines", [["secret", "secre"], ["secret", ""], ["jos\u00e9", "jose\u0301"]])
def test_two_passwords_that_differ_change_nothing(lines, tmp_path):
    file = tmp_path / "passwords"
    status, shown = typed(["password", file, "alice"], lines)
    assert status == 1
    assert "differ" in shown
    assert not file.exists()


def test_a_piped_password_is_read_once(tmp_path):
    file = tmp_path / "passwords"
    done = subprocess.run([BINARY, "password", file, "alice"], input="secret\nother\n", text=True, capture_output=True,
                          timeout=PATIENCE, env=environment())
    assert done.returncode == 0, done.stderr
    assert "alice" in file.read_text()
