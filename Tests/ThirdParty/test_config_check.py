"""`apus config check`: every file that a configuration names is opened, and every problem told at once."""

import os
import subprocess

import pytest

from apus import BINARY, PATIENCE, Apus, environment
from authority import Authority, _openssl

HASHED = "alice:$scrypt$ln=15,r=8,p=1$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


def check(*arguments, settings=None):
    done = subprocess.run([BINARY, "config", "check", *map(str, arguments)], capture_output=True, text=True,
                          timeout=PATIENCE, env=environment(settings))
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


def test_a_warning_leaves_it_valid_and_a_clash_does_not(tmp_path):
    file = tmp_path / "apus.yaml"
    file.write_text("listeners: ['mqtt://127.0.0.1:1883']\napi:\n    listen: http://0.0.0.0:18083\n")
    status, out, said = check(file)
    assert (status, out) == (0, [f"{file}: valid, with 1 warning"])
    assert len(said) == 1 and said[0].startswith(f"warning: {file}:3: api.listen: ") and "TLS" in said[0]
    file.write_text("listeners: ['mqtt://127.0.0.1:1883']\napi:\n    listen: http://127.0.0.1:1883\n")
    status, out, said = check(file)
    assert (status, out) == (1, [f"{file}: 1 problem"])
    assert said[0].startswith(f"{file}:3: api.listen: ") and "listeners[0]" in said[0]


@pytest.fixture
def files(tmp_path):
    """A configuration with everything in it, all of it good."""
    authority = Authority(tmp_path)
    authority.issue("server")
    authority.issue("other")
    for name in ["server.key", "other.key"]:
        (tmp_path / name).chmod(0o600)
    (tmp_path / "users").write_text(HASHED)
    (tmp_path / "users").chmod(0o600)
    (tmp_path / "rights").write_text("topic read news/#\n")
    (tmp_path / "apus.yaml").write_text(f"""\
authentication:
    passwordFile: {tmp_path}/users
authorization:
    aclFile: {tmp_path}/rights
tls:
    certificate: {tmp_path}/server.pem
    key: {tmp_path}/server.key
    clientCA: {tmp_path}/ca.pem
    clientCertificate: optional
    hosts:
        - name: other.example.org
          certificate: {tmp_path}/other.pem
          key: {tmp_path}/other.key
listeners:
    - mqtts://127.0.0.1:0
    - unix:{tmp_path}/apus.sock
    - url: wss://127.0.0.1:0
      tls:
          certificate: {tmp_path}/other.pem
          key: {tmp_path}/other.key
""")
    return tmp_path


def test_a_good_configuration_is_valid_and_serves(files):
    file = files / "apus.yaml"
    for arguments in [[file], ["--config", file]]:
        assert check(*arguments) == (0, [f"{file}: valid"], [])
    status, shown, _ = check(file, "--show")
    assert status == 0
    assert "limits.connections = 100000" in shown and shown[-1] == f"{file}: valid"
    with Apus("--config", file, listen=[], dev=False) as broker:
        assert len(broker.endpoints) == 3


def test_the_defaults_are_valid():
    assert check() == (0, ["configuration without a file: valid"], [])


def test_a_file_is_named_once(files):
    assert check(files / "apus.yaml", "--config", files / "apus.yaml")[0] == 2


def test_a_file_that_is_not_there_is_one_problem(tmp_path):
    file = tmp_path / "none.yaml"
    assert check(file) == (1, [f"{file}: 1 problem"], [f"{file}: there is no such file"])


@pytest.mark.parametrize("name, line, key, advice", [
    ("users", 2, "authentication.passwordFile", "apus password"),
    ("rights", 4, "authorization.aclFile", "write it"),
    ("server.pem", 6, "tls.certificate", "correct the path"),
    ("server.key", 7, "tls.key", "correct the path"),
    ("ca.pem", 8, "tls.clientCA", "correct the path"),
])
def test_a_missing_file_is_told_with_line_and_key(files, name, line, key, advice):
    (files / name).unlink()
    status, verdict, problems = check(files / "apus.yaml")
    assert (status, verdict) == (1, [f"{files}/apus.yaml: 1 problem"])
    assert problems[0].startswith(f"{files}/apus.yaml:{line}: {key}: {files}/{name}: there is no such file")
    assert advice in problems[0]


@pytest.mark.parametrize("name", ["users", "rights", "server.pem", "server.key", "ca.pem"])
def test_a_folder_and_rubbish_are_told(files, name):
    (files / name).write_text("rubbish it is\n")
    status, verdict, problems = check(files / "apus.yaml")
    assert (status, verdict) == (1, [f"{files}/apus.yaml: 1 problem"]), problems
    assert f"{files}/{name}" in problems[0]
    (files / name).unlink()
    (files / name).mkdir()
    assert "is a folder" in check(files / "apus.yaml")[2][0]


def test_everything_at_once_with_what_to_do(files):
    (files / "users").chmod(0o644)
    (files / "rights").write_text("topic raed news/#\n")
    (files / "server.key").chmod(0o644)
    (files / "other.key").write_bytes((files / "server.key").read_bytes())
    (files / "ca.pem").unlink()
    file = files / "apus.yaml"
    file.write_text(file.read_text().replace("apus.sock", "no/apus.sock") + "limits:\n    conections: 5\n")
    status, verdict, problems = check(file)
    said = "\n".join(problems)
    assert (status, verdict) == (1, [f"{file}: {len(problems)} problems"])
    assert "did you mean `limits.connections`" in said
    assert f"{file}:2: authentication.passwordFile: {files}/users: others than the owner may use it" in said
    assert f"{file}:4: authorization.aclFile: {files}/rights:1: `raed`" in said
    assert f"{file}:7: tls.key: {files}/server.key: everybody on this machine can read the key (mode 644)" in said
    assert f"{file}:8: tls.clientCA: {files}/ca.pem: there is no such file" in said
    assert f"{file}:13: tls.hosts[0].key: " in said
    assert f"{file}:20: listeners[2].tls.key: " in said
    assert f"{file}:16: listeners[1]: {files}/no: there is no such folder" in said
    assert len(problems) == 8, said


def test_all_faults_of_a_file_are_told_up_to_a_bound(files):
    (files / "rights").write_text("topic raed a b\ntopic read ok\nuser\n" + "nonsense\n" * 30)
    (files / "users").write_text("bob\n" + HASHED + "carol\n")
    status, _, problems = check(files / "apus.yaml")
    assert status == 1
    assert [problem.split(":")[4] for problem in problems if f"{files}/users" in problem] == ["1", "3"]
    rights = [problem for problem in problems if f"{files}/rights" in problem]
    assert len(rights) == 21 and rights[-1].endswith("and 12 more lines are wrong")


def test_a_data_directory_that_is_a_file_is_told(files):
    status, _, problems = check("--set", f"data.directory={files}/users/data")
    assert status == 1
    assert problems == [f"command line --set: data.directory: {files}/users: is a file; name a folder, which is made "
                        "if it is not there"]
    assert check("--set", f"data.directory={files}/not/yet")[0] == 0


def test_a_folder_as_the_configuration_file_is_told(tmp_path):
    assert check(tmp_path)[2] == [f"{tmp_path}: is a folder; name a file in it"]


def test_an_expired_certificate_is_told(files):
    _openssl("x509", "-req", "-in", files / "server.csr", "-signkey", files / "server.key", "-days", "-1",
             "-out", files / "server.pem")
    status, _, problems = check(files / "apus.yaml")
    assert status == 1
    assert problems[0].startswith(f"{files}/apus.yaml:6: tls.certificate: {files}/server.pem: the certificate has expired")
    assert "renew it" in problems[0]


def test_a_path_of_the_environment_or_an_option_is_told_as_that(tmp_path):
    problems = check(settings={"APUS_AUTHORIZATION_ACL_FILE": str(tmp_path / "none")})[2]
    assert problems[0].startswith("environment APUS_AUTHORIZATION_ACL_FILE: authorization.aclFile: ")
    problems = check("--set", f"authorization.aclFile={tmp_path / 'none'}")[2]
    assert problems[0].startswith("command line --set: authorization.aclFile: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told(files):
    (files / "rights").chmod(0)
    assert "cannot be read" in check(files / "apus.yaml")[2][0]
