"""The management API with TLS: the vendor's SDKs, the tools, and what does not get in."""

import pathlib
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request

import pytest

from apus import BINARY, PATIENCE, environment, run
from authorities import Authority
from service import FIRST, Sdk, Service


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="apus-https-") as path:
        yield pathlib.Path(path)


@pytest.fixture(scope="module")
def authority(folder):
    authority = Authority("The shop")
    (folder / "ca.pem").write_text(authority.pem)
    return authority


def install(folder, authority):
    server = authority.issue("api", host="127.0.0.1")
    (folder / "api.pem").write_text(server.pem)
    (folder / "api.key").write_text(server.key_pem)
    return server


@pytest.fixture(scope="module")
def service(folder, authority):
    install(folder, authority)
    options = ["--set", f"api.certificate={folder}/api.pem", "--set", f"api.key={folder}/api.key"]
    with Service(*options, api="https://127.0.0.1:0", ca=folder / "ca.pem") as running:
        yield running


def test_the_vendors_sdk_in_both_signature_styles(service, sdk, name):
    assert service.api.startswith("https://")
    assert sdk("CreateGroupId", instance_id=FIRST, group_id=f"GID_{name}")
    assert f"GID_{name}" in {group.group_id for group in sdk("ListGroupId", instance_id=FIRST).data}


def test_the_doctor_knows_its_port(service):
    port = service.api.rsplit(":", 1)[1]
    for url in [f"mqtts://127.0.0.1:{port}", f"mqtt://127.0.0.1:{port}"]:
        trust = ["--ca-file", service.ca] if url.startswith("mqtts") else []
        done = run([BINARY, "doctor", "connect", "-i", "GID_apus@@@1", "-u", "u", "-P", "p", "--url", url, *trust],
                   check=False)
        assert done.returncode in (1, 3)
        assert "HTTP server" in done.stdout and f"--url wss://127.0.0.1:{port}/PATH" in done.stdout


def test_rest_with_bodies_of_any_size(service, name):
    payload = "x" * 60_000
    for _ in range(3):
        body = {"topic": f"orders/{name}", "payload": payload}
        assert service.rest("POST", f"/instances/{FIRST}/publish", body)[0] == 200
    assert service.rest("GET", "/instances")[0] == 200
    with urllib.request.urlopen(f"{service.api}/api/v1/openapi.json",
                                context=ssl.create_default_context(cafile=service.ca)) as answer:
        assert len(answer.read()) == int(answer.headers["Content-Length"]) > 50_000


def test_the_tools_by_https(service):
    assert FIRST in service.command("instance", "list").stdout
    refused = run([BINARY, "instance", "list", "--api", service.api, "--access-key", "a:b"], check=False)
    assert refused.returncode == 3 and "certificate" in refused.stderr and "--ca-file" in refused.stderr
    by_name = service.api.replace("127.0.0.1", "localhost")
    access = ["--api", by_name, "--access-key", "a:b", "--ca-file"]
    refused = run([BINARY, "instance", "list", *access, service.ca], check=False)
    assert refused.returncode == 3 and "--api https://NAME:PORT" in refused.stderr


def test_the_commands_of_a_first_start_work_with_the_authority(folder, authority):
    """What is printed is pasted into a shell, in a folder with the authority's certificate."""
    install(folder, authority)
    options = ["--set", f"tls.certificate={folder}/api.pem", "--set", f"tls.key={folder}/api.key"]
    with Service(*options, listen=("mqtts://127.0.0.1:0",), api="https://127.0.0.1:0", resources=None,
                 ca=folder / "ca.pem") as service:
        commands = [line for line in service.announced if " pub " in line or " list " in line]
        assert len(commands) == 3 and all(line.endswith("--ca-file ca.pem") or "pub" in line for line in commands)
        for line in commands:
            done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, timeout=PATIENCE,
                                  env=environment())
            assert done.returncode == 0, done.stderr
        start = next(number for number, line in enumerate(service.announced) if line.startswith("from "))
        end = next(number for number, line in enumerate(service.announced) if "payload=" in line)
        sample = "\n".join(service.announced[start:end + 1])
        done = subprocess.run([sys.executable, "-c", sample], cwd=folder, capture_output=True, text=True,
                              timeout=PATIENCE)
        assert done.returncode == 0 and "MsgId" in done.stdout, done.stderr
        untrusted = subprocess.run(commands[0].replace("--ca-file ca.pem", ""), shell=True, capture_output=True,
                                   text=True, timeout=PATIENCE, env=environment())
        assert untrusted.returncode != 0 and "--ca-file" in untrusted.stderr
        renamed = subprocess.run(commands[0].replace("mqtts://127.0.0.1", "mqtts://localhost"), shell=True, cwd=folder,
                                 capture_output=True, text=True, timeout=PATIENCE, env=environment())
        assert renamed.returncode != 0 and "-h NAME" in renamed.stderr


def test_many_at_a_time(service):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(service.rest("GET", "/instances")[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 20


def test_who_does_not_trust_the_certificate_or_speaks_no_tls_gets_nothing(service):
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{service.api}/healthz", context=ssl.create_default_context())
    with pytest.raises(OSError):
        urllib.request.urlopen(service.api.replace("https", "http") + "/healthz")
    assert service.rest("GET", "/instances")[0] == 200


def test_the_certificate_is_renewed_without_a_restart(service, folder, authority):
    def serial():
        host, port = service.api.removeprefix("https://").split(":")
        return ssl.get_server_certificate((host, int(port)))

    before = serial()
    (folder / "api.key").write_text("no key")
    service.reload()
    assert serial() == before
    report = [line for line in service.logged().splitlines() if "configuration.reloaded" in line][-1]
    assert "certificate unchanged: management API: key" in report
    renewed = install(folder, authority)
    service.reload()
    assert serial().strip() == renewed.pem.strip()
    assert service.rest("GET", "/instances")[0] == 200


def test_without_a_certificate_it_does_not_start(folder):
    refused = run([BINARY, "serve", "--api", "https://127.0.0.1:0", "--data", folder / "none"], check=False)
    assert refused.returncode != 0
    assert "https needs `api.certificate` and `api.key`" in refused.stderr
    assert not (folder / "none").exists()
