"""The pages for those who run the service: their commands and files work as they stand."""

import json
import pathlib
import re
import subprocess
import tempfile

import pytest

from apus import BINARY, PATIENCE, environment, run
from authorities import Authority
from service import Service

DOCUMENTS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def blocks(page, language):
    """The fenced blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCUMENTS / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="apus-documents-") as path:
        yield pathlib.Path(path)


@pytest.fixture
def first_start(folder):
    """A service as its first start makes it, with its data in `data`."""
    with Service(data=folder / "data", resources=None) as running:
        yield running


@pytest.mark.parametrize("block, answers", [(0, 8), (1, 2)], ids=["HTTP Basic", "a signature"])
def test_the_commands_of_the_page_on_REST_work_as_they_stand(first_start, folder, block, answers):
    script = blocks("api.md", "sh")[block].replace("127.0.0.1:18083", f"127.0.0.1:{first_start.api_port}")
    done = subprocess.run(["sh", "-eu"], input=script, capture_output=True, text=True, timeout=PATIENCE, cwd=folder, env=environment())
    assert (done.returncode, done.stderr) == (0, "")
    # The one that deletes answers with nothing.
    found = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert len(found) == answers
    assert not [answer for answer in found if "error" in answer]


def test_the_page_on_REST_names_every_error_that_REST_knows():
    sources = DOCUMENTS.parent / "Sources/ApusManagement"
    errors = re.compile(r'(?:RESTError|self\.init)\(\s*\.[a-zA-Z]+,\s*"([A-Za-z]+)"')
    codes = {code for file in sources.rglob("*.swift") for code in errors.findall(file.read_text())}
    assert {"Invalid", "OverLimit", "Throttled"} <= codes
    table = (DOCUMENTS / "api.md").read_text().split("| status | code | when |")[1].split("\n\n")[0]
    assert codes == set(re.findall(r"`([A-Z][A-Za-z]+)`", table)) - {"Allow"}


def test_the_example_of_the_page_on_resources_is_taken_and_exported_again():
    with Service(resources=blocks("resources.md", "yaml")[0]) as service:
        key = ("LTAIexampleAdmin", "exampleSecret123")
        status, instances = service.rest("GET", "/instances", key=key)
        assert (status, [instance["id"] for instance in instances["items"]]) == (200, ["post-cn-apus00001"])
        exported = service.command("export", key=key).stdout
        assert all(word in exported for word in ["exampleSecret456", "GID_apus", "chat", "takeover", "16384"])


def test_the_configuration_of_the_page_on_deployment_is_taken_and_serves(folder):
    authority = Authority("The shop")
    server = authority.issue("api", host="127.0.0.1")
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "server.pem").write_text(server.pem)
    (folder / "server.key").write_text(server.key_pem)
    (folder / "server.key").chmod(0o640)
    file = folder / "apus.yaml"
    text = blocks("deployment.md", "yaml")[0].replace("/etc/apus", str(folder)).replace("/var/lib/apus", str(folder / "data"))
    file.write_text(text)
    checked = run([BINARY, "config", "check", file])
    assert checked.stderr == ""
    # The same at ports that are free, and on loopback.
    file.write_text(re.sub(r"(mqtts?|wss|https)://[0-9.]+:\d+", r"\1://127.0.0.1:0", text))
    with Service("--config", file, resources=None, data=folder / "data", listen=(), api="https://127.0.0.1:0",
                 ca=folder / "ca.pem") as service:
        login = json.loads((folder / "data" / "administrator.json").read_text())
        status, instances = service.rest("GET", "/instances", key=(login["accessKeyId"], login["accessKeySecret"]))
        assert (status, len(instances["items"])) == (200, 2)
