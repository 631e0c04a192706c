"""What a person at a terminal meets: prompts, hints and help of `apus`."""

import json
import os
import pty
import select
import subprocess
import termios
import time

import pytest

from apus import BINARY, PATIENCE, Apus, environment
from authority import Authority


def typed(command, lines):
    """Runs a command on a terminal of its own and types a line at each prompt.

    Returns the exit status and what was shown; fails when the terminal does not show what is typed afterwards."""
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
                line = lines.pop(0)
                os.write(terminal, line if isinstance(line, bytes) else line.encode() + b"\n")
        else:
            os.kill(process, 9)
        assert termios.tcgetattr(terminal)[3] & termios.ECHO
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


@pytest.mark.parametrize("lines", [[b"\x03"], ["secret", b"sec\x03"]], ids=["first", "second"])
def test_ctrl_c_leaves_the_terminal_as_it_was(lines, tmp_path):
    status, _ = typed(["password", tmp_path / "passwords", "alice"], lines)
    assert status == 130
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_input_is_no_password(tmp_path):
    status, shown = typed(["password", tmp_path / "passwords", "alice"], [b"\x04"])
    assert status == 1
    assert "no password" in shown


def test_a_piped_password_is_read_once(tmp_path):
    file = tmp_path / "passwords"
    done = subprocess.run([BINARY, "password", file, "alice"], input="secret\nother\n", text=True, capture_output=True,
                          timeout=PATIENCE, env=environment())
    assert done.returncode == 0, done.stderr
    assert "alice" in file.read_text()


def apus(*arguments):
    done = subprocess.run([BINARY, *map(str, arguments)], text=True, capture_output=True, timeout=PATIENCE,
                          env=environment())
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command, hint", [
    (["sevre"], "did you mean `serve`?"),
    (["config", "chek"], "did you mean `check`?"),
    (["passwd", "file", "alice"], "did you mean `password`?"),
    (["serve", "--lisen", "x"], "Did you mean '--listen'?"),
    (["pub", "--topci", "a", "-m", "b"], "`--topci` is no option here; did you mean `--topic`?"),
    (["sub", "-t", "a", "--retain-olny"], "`--retain-olny` is no option here; did you mean `--retained-only`?"),
    (["pub", "-h"], "-h is the broker's host here"),
    (["sub", "-h"], "-h is the broker's host here"),
])
def test_what_is_misspelt_is_guessed(command, hint):
    status, _, said = apus(*command)
    assert status == 2
    assert hint in said


@pytest.mark.parametrize("command", [["pub", "-t", "a"], ["frobnicate"], ["sub", "-t", "a", "--", "--topci"]])
def test_nothing_is_guessed_where_nothing_is_near(command):
    status, _, said = apus(*command)
    assert status == 2
    assert "Hint" not in said


@pytest.mark.parametrize("command", [[], ["serve"], ["config"], ["config", "check"], ["config", "default"], ["password"],
                                     ["password", "set"], ["password", "remove"], ["password", "list"], ["version"]])
def test_h_is_help(command):
    status, shown, _ = apus(*command, "-h")
    assert status == 0
    assert shown.startswith("OVERVIEW") or "USAGE" in shown


SCHEMES = ["mqtt", "mqtts", "ws", "wss"]


@pytest.fixture(scope="module")
def broker():
    with Apus(listen=[f"{scheme}://127.0.0.1:0" for scheme in SCHEMES]) as running:
        yield running


@pytest.mark.parametrize("spoken", SCHEMES)
@pytest.mark.parametrize("asked", SCHEMES)
def test_a_port_that_speaks_something_else_is_recognised(broker, asked, spoken):
    port = broker.endpoint(spoken).port
    trust = ["--insecure"] if asked in ["mqtts", "wss"] else []
    status, _, said = apus("pub", "--url", f"{asked}://127.0.0.1:{port}", *trust, "-t", "t", "-m", "x", "--timeout", 5)
    if asked == spoken:
        assert status == 0, said
    else:
        assert status != 0
        assert f"try --url {spoken}://127.0.0.1:{port}" in said
        assert "with up to three more connections" in said
        quiet = apus("pub", "--url", f"{asked}://127.0.0.1:{port}", *trust, "-t", "t", "-m", "x", "--quiet")
        assert quiet[0] == status and quiet[2] == ""


def test_a_certificate_that_nobody_vouches_for(broker):
    said = apus("pub", "--url", f"mqtts://127.0.0.1:{broker.endpoint('mqtts').port}", "-t", "t", "-m", "x")[2]
    assert "certificate verify failed" in said and "--ca-file" in said
    assert "this port speaks" not in said


def test_a_port_without_a_broker_is_no_riddle(tmp_path):
    status, _, said = apus("pub", "--url", "mqtt://127.0.0.1:1", "-t", "t", "-m", "x")
    assert status == 3
    assert "is a broker listening" in said and "this port speaks" not in said


def test_a_reload_says_what_was_read_and_what_changed(tmp_path):
    file, users, rights = tmp_path / "apus.yaml", tmp_path / "users", tmp_path / "rights"
    authority = Authority(tmp_path)
    authority.issue("server")
    typed(["password", users, "alice"], ["a", "a"])
    rights.write_text("topic read a\n")
    head = f"""\
authentication: {{passwordFile: {users}}}
authorization: {{aclFile: {rights}}}
tls: {{certificate: {tmp_path}/server.pem, key: {tmp_path}/server.key}}
logging: {{format: json}}
"""
    file.write_text(head)
    with Apus("--config", file, listen=["mqtts://127.0.0.1:0"], dev=False) as broker:
        def reloaded():
            broker.reload()
            return json.loads([line for line in broker.logged().splitlines() if "configuration.reloaded" in line][-1])
        line = reloaded()
        assert line["reread"].split() == [str(file), str(users), str(rights), f"{tmp_path}/server.pem", f"{tmp_path}/server.key"]
        assert (line["changed"], line["users"], line["rights"], line["certificates"]) == (
            "no setting", "unchanged", "unchanged", "unchanged")
        typed(["password", users, "bob"], ["b", "b"])
        rights.write_text("topic read b\n")
        authority.issue("server")
        file.write_text(head + "limits: {sessions: 5}\nshards: 3\n")
        line = reloaded()
        assert (line["changed"], line["users"], line["rights"]) == ("limits.sessions", "1 added", "changed")
        assert line["certificates"] == f"changed: {tmp_path}/server.pem {tmp_path}/server.key"
        assert line["needs_restart"] == "shards"
        assert line["level"] == "notice"
        rights.write_text("rubbish\n")
        line = reloaded()
        assert line["level"] == "warning" and "rights unchanged" in line["problems"]
        assert str(rights) not in line["reread"] and str(users) in line["reread"]
