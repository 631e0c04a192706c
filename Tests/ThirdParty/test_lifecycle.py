"""Start, end, and what lies between: shutdown, signals, unix sockets, the PROXY protocol, the command line.

MQTT-4.2.0-1; v3 MQTT-7.1.1-1, v3 MQTT-7.1.1-2
"""

import pathlib
import signal
import socket
import subprocess

import pytest

from apus import BINARY, CONNECT_3_1_1, CONNECT_5, PATIENCE, Apus, Wire, environment, eventually, run
from test_websocket import WebSocket


def read_connack(wire):
    head = wire.receive(2)
    assert head[0] == 0x20
    return wire.receive(head[1])


def test_shutdown_tells_clients_of_5_0(name):
    with Apus() as broker, Wire(broker.endpoint()) as five, Wire(broker.endpoint()) as three:
        five.send(CONNECT_5)
        assert read_connack(five)[:2] == b"\x00\x00"
        three.send(CONNECT_3_1_1.replace(b"rw", b"xx"))
        assert read_connack(three) == b"\x00\x00"
        broker.signal_stop()
        head = five.receive(3)
        assert (head[0], head[2]) == (0xE0, 0x8B)
        five.receive(head[1] - 1)
        assert five.at_end()
        assert three.at_end()
        assert broker.wait() == 0


def test_a_busy_port_leaves_no_data_directory(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"mqtt://127.0.0.1:{taken.getsockname()[1]}"
        done = apus("serve", "--dev", "--listen", url, "--data", tmp_path / "data", check=False)
    assert done.returncode == 1
    assert "is another process listening?" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_broker(number):
    with Apus() as broker:
        port = broker.port
        broker.process.send_signal(number)
        assert broker.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), PATIENCE)


def test_shutdown_closes_websockets(name):
    with Apus(listen=["ws://127.0.0.1:0"]) as broker, WebSocket(broker.endpoint("ws")) as made:
        made.connect()
        broker.signal_stop()
        assert made.hear_close() in (1000, 1001)
        assert broker.wait() == 0


def test_shutdown_sends_what_is_queued(name):
    with Apus() as broker, Wire(broker.endpoint()) as wire:
        publishes = b"".join(bytes([0x32, 7, 0, 1]) + b"t" + number.to_bytes(2, "big") + b"xx" for number in range(1, 500))
        wire.send(CONNECT_3_1_1 + bytes.fromhex("82 06 00 01 00 01 74 01") + publishes)
        read_connack(wire)
        assert wire.receive(5) == b"\x90\x03\x00\x01\x01"
        broker.signal_stop()
        # Whole packets only: PUBACK of 4 bytes, PUBLISH of 9.
        received = b""
        try:
            while chunk := wire.socket.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        while received:
            length = {0x40: 4, 0x32: 9}[received[0]]
            assert len(received) >= length
            received = received[length:]
        assert broker.wait() == 0


def test_a_peer_that_does_not_read_does_not_hold_up_the_end(name):
    settings = {"APUS_SHUTDOWN_GRACE_SECONDS": "1"}
    with Apus(settings=settings) as broker, Wire(broker.endpoint()) as deaf, Wire(broker.endpoint()) as sender:
        deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.send(CONNECT_3_1_1.replace(b"rw", b"xx") + bytes.fromhex("82 06 00 01 00 01 74 00"))
        read_connack(deaf)
        sender.send(CONNECT_3_1_1)
        read_connack(sender)
        message = bytes([0x30, 0x83, 0x80, 0x04, 0, 1]) + b"t" + bytes(65536)
        for _ in range(100):
            sender.send(message)
        broker.signal_stop()
        assert broker.wait() == 0


def test_a_unix_socket_serves_and_is_removed(name, tmp_path):
    path = tmp_path / "apus.sock"
    with Apus(listen=[f"unix:{path}"]) as broker:
        assert broker.endpoint("unix").path == str(path)
        run(["mosquitto_pub", "--unix", path, "-q", 1, "-r", "-t", name, "-m", "x"])
        assert run(["mosquitto_sub", "--unix", path, "-t", name, "-C", 1]).stdout == "x\n"
    assert not path.exists()


def test_a_unix_socket_left_behind_is_taken_over(name, tmp_path):
    path = tmp_path / "apus.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with Apus(listen=[f"unix:{path}"]):
        run(["mosquitto_pub", "--unix", path, "-q", 1, "-t", name, "-m", "x"])


def test_ipv6_is_served(name):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with Apus(listen=["mqtt://[::1]:0"]) as broker:
        port = broker.endpoint().port
        run(["mosquitto_pub", "-h", "::1", "-p", port, "-q", 1, "-t", name, "-m", "x"])


def test_several_listeners_share_one_broker(name, tmp_path):
    path = tmp_path / "apus.sock"
    with Apus(listen=["mqtt://127.0.0.1:0", "mqtt://127.0.0.1:0", f"unix:{path}"]) as broker:
        first, second = broker.endpoint("mqtt", 0).port, broker.endpoint("mqtt", 1).port
        assert first != second
        run(["mosquitto_pub", "-p", first, "-q", 1, "-r", "-t", name, "-m", "x"])
        assert run(["mosquitto_sub", "-p", second, "-t", name, "-C", 1]).stdout == "x\n"
        assert run(["mosquitto_sub", "--unix", path, "-t", name, "-C", 1]).stdout == "x\n"


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 1883\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([192, 0, 2, 7, 127, 0, 0, 1, 0x13, 0x88, 0x07, 0x5B]),
], ids=["v1", "v1 unknown", "v2"])
def test_the_proxy_protocol_is_read(header, tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text("listeners:\n    - url: mqtt://127.0.0.1:0\n      proxyProtocol: any\n"
                    f"authentication:\n    passwordFile: {tmp_path / 'passwords'}\n")
    run([BINARY, "password", "set", tmp_path / "passwords", "alice"], stdin="secret\n")
    connect = bytes.fromhex("10 1D 00 04 4D 51 54 54 04 C2 00 3C 00 02 72 77 00 05") + b"alice" + b"\x00\x06secret"
    with Apus("--config", file, listen=[], dev=False) as broker:
        with Wire(broker.endpoint()) as wire:
            wire.send(header + connect)
            assert read_connack(wire) == b"\x00\x00"
            if b"TCP4" in header:
                eventually(lambda: "192.0.2.7" in broker.logged(), "the proxied address in the log")
        with Wire(broker.endpoint()) as wire:
            wire.send(connect)
            assert wire.at_end()


# The command line.

def apus(*arguments, check=True, stdin=None):
    return run([BINARY, *arguments], check=check, stdin=stdin)


def test_development_mode_is_refused_beyond_this_machine(tmp_path):
    done = apus("serve", "--dev", "--data", tmp_path, "--listen", "mqtt://0.0.0.0:0", check=False)
    assert done.returncode != 0
    assert "0.0.0.0" in done.stderr


def test_a_port_in_use_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = apus("serve", "--dev", "--data", tmp_path, "--listen", f"mqtt://127.0.0.1:{port}", check=False)
    assert done.returncode != 0
    assert str(port) in done.stderr


def test_what_ends_the_start_is_said_last_and_in_one_piece(tmp_path):
    resources = tmp_path / "resources.yaml"
    resources.write_text("nonsense: 1\n")
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, subprocess.Popen(
            [BINARY, "serve", "--data", tmp_path / "data", "--listen", "mqtt://127.0.0.1:0", "--api", "http://127.0.0.1:0",
             "--apply", resources],
            env=environment(), stdout=subprocess.DEVNULL, stderr=there) as process:
        there.close()
        here.settimeout(PATIENCE)
        # Each write arrives on its own, so a message that another thread could tear apart is seen.
        pieces = list(iter(lambda: here.recv(1 << 16).decode(), ""))
        assert process.wait(PATIENCE) == 1
    assert "log.opened" in "".join(pieces[:-1])
    assert pieces[-1].startswith("Error: ") and pieces[-1].endswith("nothing was changed\n")


def test_the_default_configuration_is_valid(tmp_path):
    (tmp_path / "apus.yaml").write_text(apus("config", "default").stdout)
    apus("config", "check", "--config", tmp_path / "apus.yaml")


def test_a_wrong_key_stops_the_start_with_the_nearest_name(tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text("limits:\n    conections: 5\n")
    for command in (["config", "check"], ["serve"]):
        done = apus(*command, "--config", file, check=False)
        assert done.returncode != 0
        assert f"{file}:2" in done.stderr
        assert "limits.connections" in done.stderr


def test_a_wrong_variable_stops_the_start():
    done = subprocess.run([BINARY, "serve", "--dev"], env=environment({"APUS_LIMITS_CONNECTIONS": "many"}),
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode != 0
    assert "APUS_LIMITS_CONNECTIONS" in done.stderr


def test_the_version_is_told():
    assert apus("version").stdout.strip()


def test_reload_says_what_needs_a_restart(tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text("limits:\n    connections: 100\nlogging:\n    format: json\n")
    with Apus("--config", file, dev=False) as broker:
        file.write_text("limits:\n    connections: 100\nlogging:\n    format: json\n    level: debug\nshards: 1\n")
        broker.reload()
        line = [line for line in broker.logged().splitlines() if "configuration.reloaded" in line][-1]
        assert "logging.level" in line and "shards" in line
        file.write_text("limits:\n    connections: none\n")
        broker.reload()
        assert "configuration.rejected" in broker.logged()
        with Wire(broker.endpoint()) as wire:
            wire.send(CONNECT_3_1_1)
            assert read_connack(wire) == b"\x00\x00"


def test_thousands_of_connections_come_and_go(name):
    """Nothing is lost or left behind: as many descriptors afterwards as before."""
    with Apus() as broker:
        def descriptors():
            return len(list(pathlib.Path(f"/proc/{broker.process.pid}/fd").iterdir()))
        with Wire(broker.endpoint()) as wire:
            wire.send(CONNECT_3_1_1)
            read_connack(wire)
        before = descriptors()
        for _ in range(5):
            wires = [Wire(broker.endpoint()) for _ in range(200)]
            for number, wire in enumerate(wires):
                wire.send(CONNECT_3_1_1[:-2] + bytes([65 + number // 26, 65 + number % 26]))
            for wire in wires:
                read_connack(wire)
                wire.socket.close()
        eventually(lambda: descriptors() <= before + 1, "all descriptors closed")
