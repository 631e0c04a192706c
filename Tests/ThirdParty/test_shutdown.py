"""The end of the process: what may hold it up, and for how long.

MQTT-4.2.0-1, MQTT-4.13.1-1
"""

import fcntl
import os
import signal
import socket
import subprocess
import time

import pytest

from apus import BINARY, CONNECT_3_1_1, CONNECT_5, PATIENCE, Apus, Wire, environment, eventually, run


def read_connack(wire):
    head = wire.receive(2)
    assert head[0] == 0x20
    return wire.receive(head[1])


def properties(data):
    """The properties of a DISCONNECT that hold a string: reason string and server reference."""
    found, at = {}, 0
    while at < len(data):
        length = int.from_bytes(data[at + 1:at + 3], "big")
        found[data[at]] = data[at + 3:at + 3 + length].decode()
        at += 3 + length
    return found


def read_disconnect(wire):
    head = wire.receive(2)
    assert head[0] == 0xE0
    body = wire.receive(head[1])
    return body[0], properties(body[2:])


def deaf_client(broker):
    """A client that owes the broker a read of more than any socket buffer holds."""
    deaf = Wire(broker.endpoint())
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.send(CONNECT_3_1_1.replace(b"rw", b"xx") + bytes.fromhex("82 06 00 01 00 01 74 01"))
    read_connack(deaf)
    assert deaf.receive(5) == b"\x90\x03\x00\x01\x01"
    with Wire(broker.endpoint()) as sender:
        sender.send(CONNECT_3_1_1)
        read_connack(sender)
        for number in range(1, 201):
            sender.send(bytes([0x32, 0x85, 0x80, 0x04, 0, 1]) + b"t" + number.to_bytes(2, "big") + bytes(65536))
        for _ in range(200):
            assert sender.receive(4)[0] == 0x40
    return deaf


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(number):
    with Apus("--set", "shutdown.graceSeconds=600") as broker, deaf_client(broker):
        broker.signal_stop()
        eventually(lambda: "service.stopping" in broker.logged(), "the first signal in the log")
        # The process waits for the client; a reload does not change that.
        broker.process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            broker.process.wait(0.5)
        before = time.monotonic()
        broker.process.send_signal(number)
        assert broker.wait() == 0
        assert time.monotonic() - before < 5
        assert "service.stopping_at_once" in broker.logged()
        assert "service.stopped" in broker.logged()


def test_a_log_that_nobody_reads_does_not_hold_up_the_end(tmp_path):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [BINARY, "serve", "--dev", "--data", tmp_path, "--listen", "mqtt://127.0.0.1:0", "--log-level", "debug"],
        stdout=subprocess.PIPE, stderr=writing, env=environment(),
    )
    try:
        os.close(writing)
        url = process.stdout.readline().decode().split()[1]
        assert process.stdout.readline() == b"ready\n"
        port = int(url.rsplit(":", 1)[1])
        # Each of them is two log lines: many times what the pipe holds.
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                client.sendall(CONNECT_3_1_1)
                assert client.recv(4) == b"\x20\x02\x00\x00"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        # It really was stalled: the last words are not there.
        os.set_blocking(reading, False)
        assert b"service.stopped" not in os.read(reading, 1 << 20)
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        process.stdout.close()


@pytest.mark.parametrize("source", ["start", "reload"])
def test_a_shutdown_may_name_another_server(source, tmp_path):
    file = tmp_path / "apus.yaml"
    named = "shutdown:\n    serverReference: other.example.org:8883\n"
    file.write_text(named if source == "start" else "shutdown:\n")
    with Apus("--config", file) as broker, Wire(broker.endpoint()) as five, Wire(broker.endpoint()) as three:
        if source == "reload":
            file.write_text(named)
            broker.reload()
            assert "shutdown.serverReference" in broker.logged()
        five.send(CONNECT_5)
        assert read_connack(five)[:2] == b"\x00\x00"
        three.send(CONNECT_3_1_1.replace(b"rw", b"xx"))
        assert read_connack(three) == b"\x00\x00"
        broker.signal_stop()
        code, values = read_disconnect(five)
        assert (code, values[0x1C]) == (0x9C, "other.example.org:8883")
        assert five.at_end()
        assert three.at_end()
        assert broker.wait() == 0


def test_apus_sub_tells_the_other_server():
    with Apus("--set", "shutdown.serverReference=other.example.org") as broker:
        client = subprocess.Popen([BINARY, "sub", "-p", str(broker.port), "-t", "t", "--verbose"], stderr=subprocess.PIPE,
                                  text=True, env=environment())
        while "SUBACK" not in client.stderr.readline():
            pass
        broker.signal_stop()
        said = client.communicate(timeout=PATIENCE)[1]
    assert "use another server (0x9C)" in said and "other.example.org" in said


def test_the_load_is_told_as_mosquitto_tells_it():
    with Apus(settings={"APUS_STATISTICS_INTERVAL_SECONDS": "1"}) as broker:
        run([BINARY, "pub", "-p", broker.port, "-t", "t", "-m", "x"])
        said = run(["mosquitto_sub", "-p", broker.port, "-t", "$SYS/broker/load/connections/1min", "-v", "-C", "3"]).stdout
    rates = [float(line.split()[1]) for line in said.splitlines()]
    assert any(rate > 0 for rate in rates)
