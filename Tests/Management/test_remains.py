"""What a deleted instance leaves in the message log when the service ended between the catalog and the log."""

import json
import pathlib
import sqlite3
import tempfile

import pytest

from apus import BINARY, eventually, run
from device import Device
from service import FIRST, SECOND, STANDARD, Service


@pytest.fixture
def data():
    with tempfile.TemporaryDirectory(prefix="apus-remains-") as folder:
        yield pathlib.Path(folder)


def killed(service):
    service.kill()
    service.process.stdout.close()


def waiting(data):
    """Sessions, waiting and retained messages in the log."""
    report = json.loads(run([BINARY, "log", "inspect", "--data", data, "--json"]).stdout)
    return report["sessions"], report["waiting_messages"], report["retained_messages"]


def fill(service, instance):
    """A session away with three messages, and two retained ones."""
    with Device(service, "GID_apus@@@away", instance=instance, clean=False) as receiver:
        receiver.subscribe("orders/#", 1)
    with Device(service, "GID_apus@@@sender", instance=instance) as sender:
        sender.publish("orders/x", b"waits")
        for number in range(2):
            sender.publish(f"orders/{number}", b"retained", retain=True)


def forget(data, instance):
    """The catalog as a deletion leaves it, and nothing else; the instance's number."""
    with sqlite3.connect(data / "catalog.sqlite") as catalog:
        catalog.execute("PRAGMA foreign_keys = ON")
        (number,), = catalog.execute("SELECT number FROM instance WHERE id = ?", [instance]).fetchall()
        catalog.execute("DELETE FROM instance WHERE id = ?", [instance])
    catalog.close()
    return number


def dropped(service):
    """The events of this process: number of the instance, sessions, messages, retained messages; summed up."""
    sums = {}
    for line in service.logged().splitlines():
        if "instance.remains_dropped" not in line:
            continue
        event = json.loads(line)
        found = sums.setdefault(int(event["number"]), [0, 0, 0])
        for index, name in enumerate(("sessions", "messages", "retained")):
            found[index] += int(event[name])
    return sums


def numbers(data):
    with sqlite3.connect(f"file:{data / 'catalog.sqlite'}?mode=ro", uri=True) as catalog:
        found = dict(catalog.execute("SELECT id, number FROM instance"))
    catalog.close()
    return found


def test_what_is_left_of_a_deleted_instance_is_dropped_and_told(data):
    service = Service("--set", "logging.format=json", data=str(data))
    try:
        for instance in (FIRST, SECOND):
            fill(service, instance)
        killed(service)
        assert waiting(data) == (2, 6, 4)
        gone = forget(data, SECOND)

        # The same id again, in the same start: another instance, with a number of its own.
        service = Service("--set", "logging.format=json", data=str(data))
        # The log is written beside the service's work.
        eventually(lambda: dropped(service) == {gone: [1, 3, 2]}, "what is left is dropped, and told")
        assert numbers(data)[SECOND] > max(number for id, number in numbers(data).items() if id != SECOND)
        assert numbers(data)[SECOND] != gone
        with Device(service, "GID_apus@@@away", instance=SECOND, clean=False) as device:
            assert not device.session_present
            device.subscribe("orders/#", 1)
            device.publish("orders/end", b"end")
            assert device.payloads(1) == [b"end"], "nothing of the one before, retained or not"
        with Device(service, "GID_apus@@@away", instance=FIRST, clean=False) as device:
            assert device.session_present
            assert sorted(device.payloads(3)) == [b"retained", b"retained", b"waits"]
        killed(service)

        service = Service("--set", "logging.format=json", data=str(data), resources=None)
        assert dropped(service) == {}, "dropped once and for all"
    finally:
        service.stop()


@pytest.mark.parametrize("wait", [False, True])
def test_kill_around_a_deletion_leaves_nothing(data, wait):
    """The answer comes when the catalog has it; the log hears of it a moment later, or never."""
    service = Service(data=str(data))
    try:
        fill(service, STANDARD)
        number = numbers(data)[STANDARD]
        assert service.rest("DELETE", f"/instances/{STANDARD}")[0] == 204
        if wait:
            service.rest("GET", "/instances")
        killed(service)
        service = Service("--set", "logging.format=json", data=str(data), resources=None)
        assert set(dropped(service)) <= {number}
        status, _ = service.rest("POST", "/instances", {"id": STANDARD, "account": "shop", "profile": "standard"})
        assert status == 201
        assert numbers(data)[STANDARD] > number
        with Device(service, "GID_apus@@@away", instance=STANDARD, clean=False) as device:
            assert not device.session_present
        assert service.stop() == 0
        assert waiting(data)[1:] == (0, 0)
    finally:
        service.stop()


@pytest.mark.parametrize("sessions", [False, True])
def test_a_log_of_another_catalog_is_refused_and_kept(data, sessions):
    service = Service(data=str(data))
    try:
        fill(service, FIRST)
        if not sessions:
            with Device(service, "GID_apus@@@away"):
                pass
        killed(service)
    finally:
        service.stop()
    before = waiting(data)
    assert (before[0] > 0) == sessions and before[2] == 2
    for file in data.glob("catalog.sqlite*"):
        file.unlink()
    for _ in range(2):
        done = run([BINARY, "serve", "--data", data, "--listen", "mqtt://127.0.0.1:0", "--api", "http://127.0.0.1:0"],
                   check=False)
        assert done.returncode != 0
        assert "it is not the catalog of this log" in done.stderr
        assert waiting(data) == before
