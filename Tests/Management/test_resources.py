"""The resources file: `serve --apply`, `apus apply`, `apus export`."""

import json
import pathlib
import tempfile

import pytest

from apus import BINARY, run
from device import Device, signature
from service import FIRST, RESOURCES, SECOND, Sdk, Service


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="apus-resources-") as path:
        yield pathlib.Path(path)


@pytest.fixture
def own():
    """A service of one's own, to be changed."""
    with Service() as running:
        yield running


def document(*, topics=("orders",), groups=("GID_apus",), more=""):
    return f"""
accounts:
  - name: shop
    keys: [{{id: LTAIexampleAK, secret: exampleSecret123, rights: administrator}}]
instances:
  - id: {FIRST}
    account: shop
    profile: apsaramq
    topics: [{", ".join(topics)}]
    groups: [{", ".join(groups)}]
{more}
"""


def apply(service, text, *options, check=True):
    return service.command("apply", "-f", "-", *options, stdin=text, check=check)


def names(service, part, instance=FIRST):
    status, page = service.rest("GET", f"/instances/{instance}/{part}")
    assert status == 200
    return {entry["name" if part == "topics" else "id"] for entry in page["items"]}


def test_the_same_file_changes_nothing(own):
    assert apply(own, RESOURCES).stdout == ""
    assert json.loads(apply(own, RESOURCES, "--json").stdout)["lines"] == []


def test_what_the_file_does_not_list_is_removed_from_what_it_names(own):
    text = document(topics=["orders", "new"], groups=["GID_apus", "GID_more"])
    planned = apply(own, text, "--dry-run").stdout
    assert any(line.startswith("+") and "new" in line for line in planned.splitlines())
    assert any(line.startswith("-") and "chat" in line for line in planned.splitlines())
    assert names(own, "topics") == {"orders", "chat"}
    assert apply(own, text).stdout == planned
    assert names(own, "topics") == {"orders", "new"}
    assert names(own, "groups") == {"GID_apus", "GID_more"}
    # Others are left alone.
    assert names(own, "topics", SECOND) == {"orders", "chat"}
    assert apply(own, text).stdout == ""
    with Device(own, "GID_more@@@1") as device:
        assert device.still_works("new/x")


def test_policies_and_limits_come_and_go(own):
    apply(own, document(more="    policies: {duplicateClientId: takeover}\n    limits: {connections: 7}"))
    _, instance = own.rest("GET", f"/instances/{FIRST}")
    assert instance["policies"]["duplicateClientId"] == "takeover" and instance["limits"]["connections"] == 7
    apply(own, document())
    _, instance = own.rest("GET", f"/instances/{FIRST}")
    assert instance["policies"]["duplicateClientId"] == "refuse" and instance["limits"]["connections"] == 100_000


# What is wrong with a file, and what the refusal names.
WRONG = [
    (document(topics=[f"topic{number}" for number in range(26)]), ["parentTopics", "25"]),
    (document(more="    topcis: [x]"), ["topcis", "topics"]),
    (document(more="    limits: {connection: 5}"), ["connection", "connections"]),
    (document(more="    policies: {onDenied: shout}"), ["onDenied"]),
    (document(more="    limits: {connections: many}"), ["connections"]),
    (document(groups=["apus"]), ["apus", "GID"]),
    (document(topics=["a/b"]), ["a/b"]),
    (document().replace("account: shop", "account: nobody"), ["nobody"]),
    (document().replace("rights: administrator", "rights: king"), ["king"]),
    (document() + "extra: 1\n", ["extra"]),
    ("accounts: [", ["YAML"]),
    ("", []),
    ("- 1\n- 2\n", ["the file must be a mapping with accounts and instances"]),
]


@pytest.mark.parametrize("text, words", WRONG, ids=lambda value: "-".join(value) if isinstance(value, list) else "")
def test_a_file_with_a_mistake_is_refused_whole(service, text, words):
    before = service.command("export").stdout
    done = apply(service, text, check=False)
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr, done.stderr
    assert service.command("export").stdout == before


# What is wrong with each line that ends with a mark, and what is told of it.
MANY = """accounts:
  - name: shop
    keys:
      - {id: LTAIexampleAK, secret: exampleSecret123, rights: administrator}
      - {id: LTAIexampleAK, secret: exampleSecret124}  # accounts[0].keys[1].id: access key `LTAIexampleAK` stands twice
      - {id: LTAIb, secret: tiny}  # accounts[0].keys[2].secret: an access key's secret has 8 to 128 characters
      - {id: LTAIc, secrt: exampleSecret125, secret: exampleSecret126}  # accounts[0].keys[3].secrt: unknown key
instances:
  - id: post-cn-1
    account: labb  # instances[0].account: there is no account `labb`, which instance `post-cn-1` names
    topics:
      - orders
      - orders  # instances[0].topics[1]: topic `orders` stands twice
      - Orders  # instances[0].topics[2]: parent topic `orders` differs from `Orders` in case only
    groups: [GID_apus, GID_apus]  # instances[0].groups[1]: group `GID_apus` stands twice
  - id: post-cn-2
    account: shop
    topics: [TOPICS]  # instances[1].topics: it lists 26, but the limit parentTopics of instance `post-cn-2` is 25
    limits: {connections: many}  # instances[1].limits.connections: `connections` is not of the right type
""".replace("TOPICS", ", ".join(f"topic{number}" for number in range(26)))


def told(said, file):
    """The lines of the refusal, by the line of the file."""
    return {int(line.split(f"{file}:")[1].split(":")[0]): line.split(f"{file}:")[1] for line in said.splitlines() if f"{file}:" in line}


def test_all_that_is_wrong_is_told_at_once_with_its_line(service, folder):
    file = folder / "r.yaml"
    file.write_text(MANY)
    marked = {number: line.split("  # ")[1] for number, line in enumerate(MANY.splitlines(), 1) if "  # " in line}
    applied = service.command("apply", "-f", file, check=False)
    served = run([BINARY, "serve", "--data", folder / "data", "--apply", file, "--listen", "mqtt://127.0.0.1:0", "--api",
                  "http://127.0.0.1:0"], check=False)
    for done in [applied, served]:
        assert done.returncode == 1 and "nothing was changed" in done.stderr
        lines = told(done.stderr, file)
        assert lines.keys() == marked.keys(), done.stderr
        for number, words in marked.items():
            assert lines[number].startswith(f"{number}: {words}"), done.stderr
        assert "exampleSecret" not in done.stderr + done.stdout


def test_the_api_tells_all_problems_of_a_document(service):
    wrong = {"instances": [{"id": "abc", "account": "nobody", "topics": ["a/b"]}], "more": 1}
    status, answer = service.rest("POST", "/apply", wrong)
    problems = answer["error"]["problems"]
    assert status == 400 and answer["error"]["field"] == "more"
    assert [problem["field"] for problem in problems] == ["more", "instances[0].topics[0]"]
    status, answer = service.rest("POST", "/apply", [wrong])
    assert (status, answer["error"]["field"]) == (400, "body")
    assert "accounts, instances" in answer["error"]["message"]


def test_a_mistake_has_its_line(service, folder):
    file = folder / "r.yaml"
    file.write_text(document(more="    topcis: [x]"))
    line = file.read_text().splitlines().index("    topcis: [x]") + 1
    done = service.command("apply", "-f", file, check=False)
    assert f"{file}:{line}:" in done.stderr


@pytest.mark.parametrize("text, words", WRONG, ids=lambda value: "-".join(value) if isinstance(value, list) else "")
def test_a_service_does_not_start_with_such_a_file(folder, text, words):
    file = folder / "r.yaml"
    file.write_text(text)
    done = run([BINARY, "serve", "--data", folder / "data", "--apply", file, "--listen", "mqtt://127.0.0.1:0", "--api",
                "http://127.0.0.1:0"], check=False)
    assert done.returncode != 0 and "ready" not in done.stdout
    for word in words:
        assert word in done.stderr, done.stderr


def test_what_is_exported_makes_the_same_service(service, folder):
    file = folder / "export.yaml"
    service.command("export", "-o", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "exampleSecret123" in file.read_text()
    assert apply(service, file.read_text()).stdout == ""
    with Service(resources=file.read_text()) as copy:
        assert copy.command("export").stdout == service.command("export").stdout
        with Device(copy, "GID_apus@@@1", signature("GID_apus@@@1", SECOND)) as device:
            assert device.still_works("orders/x")


def test_a_first_start_without_a_file(folder):
    """It makes a key and an instance with a parent topic and a group, which work at once."""
    with Service(resources=None, data=folder / "data") as fresh:
        file = folder / "data" / "administrator.json"
        assert file.stat().st_mode & 0o777 == 0o600
        key = json.loads(file.read_text())
        assert key["api"].rstrip("/") == fresh.api
        assert key["accessKeySecret"] not in fresh.logged()
        done = run([BINARY, "instance", "list", "--json", "--data", folder / "data"])
        instances = [entry["id"] for entry in json.loads(done.stdout)]
        # The other one takes any client of this machine.
        assert instances == ["local", key["instance"]]
        pair = key["accessKeyId"], key["accessKeySecret"]
        groups = Sdk(fresh, key=pair)("ListGroupId", instance_id=key["instance"]).data
        topics = json.loads(run([BINARY, "topic", "list", "-I", key["instance"], "--json", "--data", folder / "data"]).stdout)
        me = f"{groups[0].group_id}@@@1"
        with Device(fresh, me, signature(me, key["instance"], pair)) as device:
            assert device.still_works(f"{topics[0]['name']}/x")
