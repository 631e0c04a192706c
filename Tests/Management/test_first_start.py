"""The first start: whatever ends it, a later one tells the way in."""

import json
import pathlib
import signal
import socket
import sqlite3
import subprocess
import tempfile

import pytest

from apus import BINARY, PATIENCE, environment
from service import Sdk, Service

GREETING = "administrator's access key"


@pytest.fixture
def data():
    with tempfile.TemporaryDirectory(prefix="apus-first-") as folder:
        yield pathlib.Path(folder) / "data"


def greeting(service):
    return [line for line in service.announced if line.startswith(GREETING)]


def login(data):
    return json.loads((data / "administrator.json").read_text())


def works(service, data):
    """Whether the key of the file opens the API, and all of the first start is there."""
    file = login(data)
    key = (file["accessKeyId"], file["accessKeySecret"])
    assert file["api"] == service.api
    assert {"GID_demo"} == {group.group_id for group in Sdk(service, key=key)("ListGroupId", instance_id=file["instance"]).data}
    status, topics = service.rest("GET", f"/instances/{file['instance']}/topics", key=key)
    assert (status, [topic["name"] for topic in topics["items"]]) == (200, ["demo"])


def test_an_occupied_api_port_leaves_nothing_and_the_next_start_is_the_first(data):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [BINARY, "serve", "--listen", "mqtt://127.0.0.1:0", "--api", f"http://127.0.0.1:{port}", "--data", data]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment())
    assert ended.returncode != 0
    assert f"127.0.0.1:{port}" in ended.stderr and "in use" in ended.stderr.lower()
    assert "api.listen" in ended.stderr and "--api" in ended.stderr and "ss -ltp" in ended.stderr
    assert not data.exists()
    service = Service(data=data, resources=None)
    try:
        assert len(greeting(service)) == 1
        works(service, data)
    finally:
        service.stop()
    service = Service(data=data, resources=None)
    try:
        assert greeting(service) == []
        works(service, data)
    finally:
        service.stop()


@pytest.mark.parametrize("resources", [None, "{}"])
def test_a_start_that_ended_before_it_told_the_key_tells_it_the_next_time(data, resources):
    """As the files are when a process is killed between the catalog's commit and the opening of the API."""
    service = Service(data=data, resources=None)
    first = greeting(service)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    (data / "administrator.json").write_text(json.dumps(login(data) | {"api": ""}))
    service = Service(data=data, resources=resources)
    try:
        assert greeting(service) == first
        works(service, data)
    finally:
        service.stop()
    service = Service(data=data, resources=None)
    try:
        assert greeting(service) == []
    finally:
        service.stop()


def test_a_start_that_ended_before_the_catalog_had_the_key_is_made_anew(data):
    data.mkdir(mode=0o700)
    lost = {"api": "", "accessKeyId": "LTAIlost", "accessKeySecret": "lostSecret", "account": "default", "instance": "x"}
    (data / "administrator.json").write_text(json.dumps(lost))
    service = Service(data=data, resources=None)
    try:
        assert len(greeting(service)) == 1 and login(data)["accessKeyId"] != "LTAIlost"
        works(service, data)
    finally:
        service.stop()


def test_the_first_start_is_one_transaction(data):
    service = Service(data=data, resources=None)
    service.stop()
    with sqlite3.connect(data / "catalog.sqlite") as catalog:
        assert catalog.execute("SELECT COUNT(*) FROM audit WHERE action = 'FirstStart'").fetchone() == (1,)


def administrator(data):
    file = login(data)
    return file["accessKeyId"], file["accessKeySecret"]


RESOURCES_WITHOUT_ADMINISTRATOR = [
    "{}",
    "accounts: [{name: shop, keys: [{id: LTAIdata, secret: exampleSecret123, rights: data}]}]",
    "accounts: [{name: shop, keys: [{id: LTAIoff, secret: exampleSecret123, rights: administrator, enabled: false}]}]",
    "accounts: [{name: administrator}, {name: Administrator-2}]",
    """
accounts: [{name: default, keys: [{id: LTAIdata, secret: exampleSecret123, rights: manager}]}]
instances: [{id: post-cn-shop, account: default, topics: [orders], groups: [GID_shop]}]
""",
]


@pytest.mark.parametrize("resources", RESOURCES_WITHOUT_ADMINISTRATOR)
def test_a_file_without_an_administrator_gets_one_that_its_next_application_leaves(data, resources):
    service = Service(data=data, resources=resources)
    try:
        assert len(greeting(service)) == 1
        key = administrator(data)
        assert login(data)["api"] == service.api
        status, instances = service.rest("GET", "/instances", key=key)
        assert status == 200
        assert [instance["id"] for instance in instances["items"]] == (["post-cn-shop"] if "post-cn" in resources else [])
        assert any("pub " in line for line in service.announced) == ("post-cn" in resources)
        before = service.rest("GET", "/export", key=key)
    finally:
        service.stop()
    service = Service(data=data, resources=resources)
    try:
        assert greeting(service) == [] and administrator(data) == key
        assert service.rest("GET", "/export", key=key) == before
    finally:
        service.stop()


def test_what_the_greeting_says_of_a_files_instance_works(data):
    service = Service(data=data, resources=RESOURCES_WITHOUT_ADMINISTRATOR[-1])
    try:
        line = next(line for line in service.announced if " pub " in line and "/hello" in line)
        done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=PATIENCE, env=environment())
        assert done.returncode == 0, done.stderr
    finally:
        service.stop()


def test_a_file_with_an_administrator_needs_no_other(data):
    service = Service(data=data)
    try:
        assert greeting(service) == [] and not (data / "administrator.json").exists()
    finally:
        service.stop()


def test_a_start_with_a_file_that_ended_before_it_told_the_key_tells_it_the_next_time(data):
    service = Service(data=data, resources="{}")
    first = greeting(service)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait()
    (data / "administrator.json").write_text(json.dumps(login(data) | {"api": ""}))
    service = Service(data=data, resources="{}")
    try:
        assert greeting(service) == first and len(first) == 1
        assert service.rest("GET", "/keys", key=administrator(data))[0] == 200
    finally:
        service.stop()
