"""A backup of a service at work is the whole service: tenants, keys, secrets and messages."""

import pathlib
import sqlite3
import threading

import pytest

from apus import BINARY, run
from device import Device, credential_login
from service import ADMIN, FIRST, Sdk, Service


def tool(*arguments, check=True):
    return run([BINARY, *map(str, arguments)], check=check)


class Busy:
    """Publishes and changes the catalog until it is told to end."""

    def __init__(self, service):
        self.service, self.until, self.problems, self.rounds = service, threading.Event(), [], 0
        self.begun = threading.Event()
        self.threads = [threading.Thread(target=self.guarded, args=(work,)) for work in (self.publish, self.change)]

    def guarded(self, work):
        try:
            with Device(self.service, f"GID_apus@@@{work.__name__}") as device:
                number = 0
                while not self.until.is_set():
                    number += 1
                    work(device, number)
        except Exception as problem:
            self.problems.append(problem)
            self.begun.set()

    def publish(self, device, number):
        device.publish(f"chat/{number % 7}", b"x" * 500)

    def change(self, _, number):
        status, answer = self.service.rest("POST", f"/instances/{FIRST}/topics", {"name": f"busy{number}"})
        assert status == 201, answer
        if number > 1:
            status, answer = self.service.rest("DELETE", f"/instances/{FIRST}/topics/busy{number - 1}")
            assert status == 204, answer
        self.rounds = number
        if number == 5:
            self.begun.set()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.begun.wait()
        return self

    def __exit__(self, *_):
        self.until.set()
        for thread in self.threads:
            thread.join()
        assert not self.problems, self.problems


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


def test_a_busy_service_is_backed_up_whole(folder, version):
    service, me = Service(), "GID_apus@@@kept"
    archive, data = folder / "archive", folder / "data"
    try:
        credential = Sdk(service)("RegisterDeviceCredential", instance_id=FIRST, client_id=me).device_credential
        with Device(service, me, version=version, clean=False) as receiver:
            receiver.subscribe("orders/#", 1)
        # Of a sender whose session lasts: P2P messages of others do not wait.
        with Device(service, "GID_apus@@@sender", version=version, clean=False) as sender:
            sender.publish("orders/x", b"waits")
            sender.publish("orders/kept", b"retained", retain=True)
            sender.publish(f"orders/p2p/{me}", b"to you alone")
        with Busy(service) as busy:
            before = busy.rounds
            said = tool("backup", "--data", service.data_folder, "--to", archive).stdout
            assert "with the catalog" in said
            assert sorted(path.name for path in folder.iterdir()) == ["archive"]
        _, made = service.rest("POST", "/keys", {"account": "shop", "rights": "data"})
    finally:
        service.stop()
    assert archive.stat().st_mode & 0o777 == 0o600
    assert "the catalog" in tool("restore", "--from", archive, "--data", data).stdout
    for path in [data, *data.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path

    again = Service(data=str(data), resources=None)
    try:
        sdk = Sdk(again)
        kept = sdk("GetDeviceCredential", instance_id=FIRST, client_id=me).device_credential
        assert kept.to_map() == credential.to_map()
        _, topics = again.rest("GET", f"/instances/{FIRST}/topics", limit=1000)
        # One moment of the catalog, not before the backup began: the newest topic, perhaps with the one before.
        busy = sorted(int(topic["name"][4:]) for topic in topics["items"] if topic["name"].startswith("busy"))
        assert busy[-1] >= before and busy in ([busy[-1]], [busy[-1] - 1, busy[-1]]), (before, busy)
        assert again.rest("GET", "/keys", key=(made["id"], made["secret"]))[0] == 401, "made after the backup"
        assert FIRST in again.command("instance", "list", key=ADMIN).stdout
        with Device(again, me, credential_login(credential, me), version=version, clean=False) as receiver:
            assert receiver.session_present
            assert sorted(receiver.payloads(3)) == [b"retained", b"to you alone", b"waits"]
            assert receiver.still_works("orders/x")
    finally:
        again.stop()


def test_the_key_of_the_first_start_comes_back_with_its_file(folder):
    archive, data = folder / "archive", folder / "data"
    service = Service(resources=None)
    tool("backup", "--data", service.data_folder, "--to", archive)
    file = (service.data_folder / "administrator.json").read_text()
    service.stop()
    tool("restore", "--from", archive, "--data", data)
    assert (data / "administrator.json").read_text() == file
    again = Service(data=str(data), resources=None)
    try:
        assert FIRST in tool("instance", "list", "--data", data).stdout
    finally:
        again.stop()


def test_a_service_that_was_killed_is_backed_up_with_its_last_change(folder):
    archive, data = folder / "archive", folder / "data"
    service = Service()
    try:
        assert service.rest("POST", f"/instances/{FIRST}/topics", {"name": "last"})[0] == 201
        service.kill()
        tool("backup", "--data", service.data_folder, "--to", archive)
    finally:
        service.stop()
    tool("restore", "--from", archive, "--data", data)
    again = Service(data=str(data), resources=None)
    try:
        _, topics = again.rest("GET", f"/instances/{FIRST}/topics")
        assert "last" in {topic["name"] for topic in topics["items"]}
    finally:
        again.stop()


def test_without_the_catalog_there_are_no_secrets_in_it(folder):
    service = Service()
    try:
        whole, log = folder / "whole", folder / "log"
        tool("backup", "--data", service.data_folder, "--to", whole)
        said = tool("backup", "--data", service.data_folder, "--to", log, "--log-only").stdout
        assert "with the catalog" not in said
        assert ADMIN[1].encode() in whole.read_bytes()
        assert ADMIN[1].encode() not in log.read_bytes()
    finally:
        service.stop()


def test_a_damaged_catalog_is_not_backed_up_in_silence(folder):
    service = Service()
    service.stop()
    archive = folder / "archive"
    file = service.data_folder / "catalog.sqlite"
    with sqlite3.connect(file) as catalog:
        catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    catalog.close()
    content = bytearray(file.read_bytes())
    for place in range(4096, len(content)):
        content[place] ^= 0x5A
    file.write_bytes(content)
    done = tool("backup", "--data", service.data_folder, "--to", archive, check=False)
    assert done.returncode == 1
    assert "no backup was made" in done.stderr and "catalog.sqlite is damaged" in done.stderr
    assert list(folder.iterdir()) == []
    assert tool("backup", "--data", service.data_folder, "--to", archive, "--log-only").returncode == 0


@pytest.mark.parametrize("statement, reason", [
    ("PRAGMA user_version = 99", "written by a newer Apus"),
    ("UPDATE instance SET profile = 'other'", "other"),
])
def test_a_catalog_that_no_service_starts_with_is_refused(folder, statement, reason):
    service = Service()
    service.stop()
    with sqlite3.connect(service.data_folder / "catalog.sqlite", isolation_level=None) as catalog:
        catalog.execute(statement)
    done = tool("backup", "--data", service.data_folder, "--to", folder / "archive", check=False)
    assert done.returncode == 1
    assert reason in done.stderr


def test_a_second_service_on_the_same_directory_is_refused():
    service = Service()
    try:
        done = run([BINARY, "serve", "--data", service.data_folder, "--listen", "mqtt://127.0.0.1:0", "--api",
                    "http://127.0.0.1:0"], check=False)
        assert done.returncode != 0
        assert "is in use by another process" in done.stderr
    finally:
        service.stop()


@pytest.mark.parametrize("place", ["data", "new/folders/data", "empty"])
def test_of_a_backup_that_was_cut_off_nothing_stays(folder, place):
    archive = folder / "archive"
    with Service(resources=None) as service:
        tool("backup", "--data", service.data_folder, "--to", archive)
    archive.write_bytes(archive.read_bytes()[:3_000])
    (folder / "empty").mkdir()
    done = tool("restore", "--from", archive, "--data", folder / place, check=False)
    assert done.returncode == 1 and "nothing was restored" in done.stderr
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == ["archive", "empty"]
