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


def test_a_log_that_nobody_reads_does_not_hold_up_the_end():
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [BINARY, "serve", "--dev", "--listen", "mqtt://127.0.0.1:0", "--log-level", "debug"],
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
