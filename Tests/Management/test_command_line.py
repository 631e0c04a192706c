"""The verbs over the API, and the doctor."""

import contextlib
import json

import pytest

from apus import BINARY, run
from device import Device, refusal, signature, token_login
from service import ADMIN, DATA, FIRST, MANAGER, MESSAGE_ID, RIVAL, SECOND, STANDARD, TAKEOVER, Service, hmac_sha1


@pytest.fixture
def apus(service):
    """Runs a verb for the first instance; the JSON that it prints."""
    def call(*arguments, instance=FIRST, **options):
        chosen = ["--instance", instance] if instance else []
        return json.loads(service.command(*arguments, *chosen, "--json", **options).stdout)
    return call


def test_instances(service, apus, name):
    assert {FIRST, SECOND} <= {entry["id"] for entry in apus("instance", "list", instance=None)}
    table = service.command("instance").stdout.splitlines()
    assert table[0].split()[:3] == ["INSTANCE", "NAME", "ACCOUNT"]
    assert any(line.split()[0] == FIRST for line in table)
    identifier = f"post-cn-{name}-new"
    service.command("instance", "create", identifier, "--account", "shop", "--limit", "connections=5")
    shown = apus("instance", "show", identifier, instance=None)
    assert (shown["profile"], shown["limits"]["connections"], shown["state"]) == ("apsaramq", 5, "running")
    service.command("instance", "change", identifier, "--policy", "duplicateClientId=takeover", "--limit",
                    "connections=default", "--name", "another")
    shown = apus("instance", "show", identifier, instance=None)
    assert (shown["policies"]["duplicateClientId"], shown["limits"]["connections"]) == ("takeover", 100_000)
    assert shown["name"] == "another"
    service.command("instance", "delete", identifier)
    done = service.command("instance", "show", identifier, check=False)
    assert done.returncode == 1 and identifier in done.stderr


def test_a_stopped_instance_lets_nobody_in(service, name):
    identifier, me = f"post-cn-{name}-stop", "GID_apus@@@1"
    service.command("instance", "create", identifier, "--account", "shop")
    service.command("group", "create", "GID_apus", "-I", identifier)
    service.command("topic", "create", "orders", "-I", identifier)
    with Device(service, me, instance=identifier) as device:
        done = service.command("instance", "delete", identifier, check=False)
        assert done.returncode == 1 and "force" in done.stderr
        service.command("instance", "change", identifier, "--state", "stopped")
        device.wait_for_end()
    refusal(service, me, signature(me, identifier))
    traced = json.loads(service.command("client", "trace", me, "-I", identifier, "--json").stdout)
    assert traced[0]["kind"] == "refused" and "which is stopped" in traced[0]["explanation"]
    service.command("instance", "change", identifier, "--state", "running")
    with Device(service, me, instance=identifier) as device:
        service.command("instance", "delete", identifier, "--force")
        device.wait_for_end()


def test_a_misspelt_policy_or_limit_is_answered_with_what_was_meant(service):
    for option, meant in [("--policy=ondenied=close", "onDenied"), ("--policy=onDenied=Close", "close"),
                          ("--limit=conections=5", "connections")]:
        done = service.command("instance", "change", FIRST, option, check=False)
        assert done.returncode == 2 and f"did you mean `{meant}`?" in done.stderr


def test_the_log_says_who_needs_no_password(service):
    line = next(line for line in service.logged().splitlines() if "instances.anonymous" in line)
    assert STANDARD in line and FIRST not in line


def test_topics_and_groups(service, apus, name):
    service.command("topic", "create", f"{name}-a", f"{name}-b", "--remark", "for tests", "-I", FIRST)
    found = {entry["name"]: entry for entry in apus("topic", "list")}
    assert found[f"{name}-a"]["remark"] == "for tests"
    service.command("topic", "delete", f"{name}-a", f"{name}-b", "-I", FIRST)
    assert f"{name}-a" not in {entry["name"] for entry in apus("topic")}
    service.command("group", "create", f"GID_{name}", "-I", FIRST)
    assert f"GID_{name}" in {entry["id"] for entry in apus("group")}
    again = service.command("group", "create", f"GID_{name}", "-I", FIRST, check=False)
    assert again.returncode == 1 and again.stderr
    service.command("group", "delete", f"GID_{name}", "-I", FIRST)
    assert f"GID_{name}" not in {entry["id"] for entry in apus("group")}


def test_of_several_names_the_wrong_ones_are_told_and_the_others_made(service, apus, name):
    done = service.command("topic", "create", "a", f"{name}-c", "b/b", "-I", FIRST, check=False)
    assert done.returncode == 1 and done.stdout == f"topic {name}-c is created\n"
    assert "topic a: name: " in done.stderr and "topic b/b: name: " in done.stderr
    done = service.command("topic", "delete", "nowhere", f"{name}-c", "-I", FIRST, check=False)
    assert done.returncode == 1 and done.stdout == f"topic {name}-c is deleted\n"
    done = service.command("group", "create", "apus", f"GID_{name}", "-I", FIRST, check=False)
    assert done.returncode == 1 and "group apus: id: " in done.stderr
    service.command("group", "delete", f"GID_{name}", "-I", FIRST)


def test_the_list_of_instances_counts_who_is_connected(client_id):
    def connections(service):
        lines = service.command("instance", "list").stdout.splitlines()
        assert lines[0].split()[-1] == "CONNECTIONS"
        return {line.split()[0]: int(line.split()[-1]) for line in lines[1:]}

    with Service() as own:
        assert set(connections(own).values()) == {0}
        with Device(own, client_id) as device:
            assert device.still_works("orders/x")
            assert connections(own)[FIRST] == 1 and connections(own)[SECOND] == 0


@pytest.mark.parametrize("life, says", [("31d", "30d at most"), ("5s", "60s at least")])
def test_a_token_lives_60_seconds_to_30_days(service, life, says):
    done = service.command("token", "issue", "orders/#", "--lifetime", life, "-I", FIRST, check=False)
    assert done.returncode == 2 and says in done.stderr
    service.command("token", "issue", "orders/#", "--lifetime", "60s", "-I", FIRST)


def test_an_option_that_is_not_there_is_named(service):
    done = service.command("key", "change", "LTAIx", "--enabled", "no", check=False)
    assert done.returncode == 2
    assert "`--enabled` is no option here; did you mean `--enable-key`?" in done.stderr and "say what" not in done.stderr


def test_the_26th_topic(service, apus):
    room = 25 - len(apus("topic", instance=SECOND))
    made = [f"limit-{number}" for number in range(room)]
    service.command("topic", "create", *made, "-I", SECOND)
    done = service.command("topic", "create", "one-more", "-I", SECOND, check=False)
    assert done.returncode == 1 and "25" in done.stderr and "parentTopics" in done.stderr
    service.command("topic", "delete", *made, "-I", SECOND)


def test_keys(service, apus, client_id):
    made = apus("key", "create", "--account", "shop", "--rights", "data", instance=None)
    listed = {entry["id"]: entry for entry in apus("key", "list", "--account", "shop", instance=None)}
    assert listed[made["id"]]["rights"] == "data" and "secret" not in listed[made["id"]]
    key = made["id"], made["secret"]
    with Device(service, client_id, signature(client_id, FIRST, key)):
        pass
    service.command("key", "change", key[0], "--disable-key")
    refusal(service, client_id, signature(client_id, FIRST, key))
    service.command("key", "change", key[0], "--enable-key", "--rights", "manager")
    assert apus("topic", "list", key=key)
    service.command("key", "delete", key[0])
    assert service.command("topic", "-I", FIRST, key=key, check=False).returncode == 1


def test_credentials(service, apus, client_id):
    made = apus("credential", "register", client_id)
    assert made["clientId"] == client_id and made["accessKeyId"].startswith("DC.")
    listed = {entry["clientId"]: entry for entry in apus("credential", "list", "--group", "GID_apus")}
    assert "accessKeySecret" not in listed[client_id]
    assert apus("credential", "show", client_id)["accessKeySecret"] == made["accessKeySecret"]
    again = apus("credential", "refresh", client_id)
    done = run([BINARY, "credential", "password", "--mode", "device", "-i", client_id, "-I", FIRST, "--access-key-id",
                again["accessKeyId"], "--json"], stdin=again["accessKeySecret"] + "\n")
    login = json.loads(done.stdout)
    with Device(service, client_id, (login["username"], login["password"])):
        pass
    service.command("credential", "remove", client_id, "-I", FIRST)
    refusal(service, client_id, (login["username"], login["password"]))


def test_passwords_are_computed_without_a_service(client_id):
    def password(*arguments, secret):
        done = run([BINARY, "credential", "password", *arguments, "--json"], stdin=secret + "\n")
        return json.loads(done.stdout)
    common = ["-i", client_id, "-I", FIRST, "--access-key-id", ADMIN[0]]
    got = password("--mode", "signature", *common, secret=ADMIN[1])
    assert (got["username"], got["password"]) == signature(client_id)
    assert ADMIN[1] not in json.dumps(got)
    got = password("--mode", "custom", "--username", "u", secret="plain")
    assert (got["username"], got["password"]) == ("u", "plain")
    got = password("--mode", "custom", "--username", "u", "--signed", "-i", client_id, secret="another")
    assert got["password"] == hmac_sha1("another", client_id)


def test_tokens(service, apus, client_id):
    made = apus("token", "issue", "orders/#", "chat/+", "--actions", "RW", "--lifetime", "2h")
    done = run([BINARY, "credential", "password", "--mode", "token", "-I", FIRST, "--access-key-id", ADMIN[0],
                "--token", f"RW={made['token']}", "--json"])
    login = json.loads(done.stdout)
    assert (login["username"], login["password"]) == token_login({"RW": made["token"]})
    with Device(service, client_id, (login["username"], login["password"])) as device:
        assert apus("token", "query", made["token"])["valid"] is True
        service.command("token", "revoke", "-", "-I", FIRST, stdin=made["token"] + "\n")
        device.wait_for_end()
    done = service.command("token", "query", made["token"], "-I", FIRST, check=False)
    assert done.returncode == 1 and "revoked" in done.stdout


def test_clients_and_sessions(service, apus, client_id, name):
    with Device(service, client_id, clean=False) as device:
        device.subscribe(f"chat/{name}/+", 1)
        found = {entry["clientId"]: entry for entry in apus("client")}[client_id]
        assert found["version"] == "5.0" and found["address"].startswith("127.0.0.1")
        shown = service.command("client", "show", client_id, "-I", FIRST).stdout
        assert f"chat/{name}/+ (QoS 1)" in shown
        service.command("client", "kick", client_id, "--reason", "for maintenance", "-I", FIRST)
        assert "for maintenance" in device.wait_for_end()[1]
    assert client_id not in {entry["clientId"] for entry in apus("client")}
    with Device(service, f"{client_id}-s") as sender:
        sender.publish(f"chat/{name}/x", b"12345")
    session = apus("session", "show", client_id)
    assert (session["online"], session["queuedMessages"]) == (False, 1)
    assert client_id in {entry["clientId"] for entry in apus("session")}
    service.command("session", "end", client_id, "-I", FIRST)
    assert service.command("session", "show", client_id, "-I", FIRST, check=False).returncode == 1
    with Device(service, client_id, clean=False) as device:
        assert not device.session_present


def test_the_trace_of_a_client(service, apus, client_id, name):
    with Device(service, client_id) as device:
        device.subscribe(f"chat/{name}", 1)
        device.publish(f"chat/{name}", b"x")
        assert device.payloads(1) == [b"x"]
    refusal(service, client_id, (signature(client_id)[0], hmac_sha1("another", client_id)))
    connections = apus("client", "trace", client_id, "--about", "connections")
    assert [event["kind"] for event in connections] == ["refused", "disconnected", "connected"]
    assert "the signature is wrong" in connections[0]["explanation"]
    everything = apus("client", "trace", client_id)
    assert {"published", "delivered"} < {event["kind"] for event in everything}
    assert everything == sorted(everything, key=lambda event: -event["time"])
    assert apus("client", "trace", client_id, "--limit", "2") == everything[:2]
    table = service.command("client", "trace", client_id, "-I", FIRST).stdout.splitlines()
    assert table[0].split()[:2] == ["TIME", "EVENT"] and len(table) == len(everything) + 1
    # What a refused client is not told is not for every device's key.
    told = apus("client", "trace", client_id, "--about", "connections", key=DATA)
    assert [event["kind"] for event in told] == [event["kind"] for event in connections]
    assert not any("explanation" in event for event in told)
    assert apus("client", "trace", f"{client_id}-never") == []

    published = next(event for event in everything if event["kind"] == "published")
    trace = apus("trace", published["messageId"])
    assert trace["events"][0]["kind"] == "published" and trace["events"][0]["topic"] == f"chat/{name}"
    lines = service.command("trace", published["messageId"], "-I", FIRST).stdout.splitlines()
    assert lines[0].split() == ["TIME", "EVENT", "CLIENT", "TOPIC", "DETAIL"] and len(lines) > 2
    assert service.command("trace", "0" * 32, "-I", FIRST, check=False).returncode == 1


def test_bans(service, apus, client_id):
    with Device(service, client_id) as device:
        service.command("ban", "add", client_id, f"{client_id}-2", "-I", FIRST)
        device.wait_for_end()
    assert {client_id, f"{client_id}-2"} <= {entry["clientId"] for entry in apus("ban")}
    refusal(service, client_id, signature(client_id))
    status, steps = doctor(service, client_id, signature(client_id))
    assert status == 1 and f"apus ban lift {client_id} -I {FIRST}" in json.dumps(steps["CONNECT"]["advice"])
    service.command("ban", "lift", client_id, f"{client_id}-2", "-I", FIRST)
    assert client_id not in {entry["clientId"] for entry in apus("ban")}
    with Device(service, client_id):
        pass
    assert service.command("ban", "lift", client_id, "-I", FIRST, check=False).returncode == 1
    assert service.command("ban", "add", client_id, "-I", FIRST, key=DATA, check=False).returncode == 1
    for instance, warnings in [(FIRST, 1), (STANDARD, 0)]:
        added = service.command("ban", "add", "nogroup", f"{client_id}-3", "-I", instance)
        assert added.stderr.count("warning: nogroup") == added.stderr.count("warning") == warnings
        service.command("ban", "lift", "nogroup", f"{client_id}-3", "-I", instance)


def test_identities_and_permissions(service, apus, client_id, name):
    made = apus("identity", "set", name, "--sign-mode", "ORIGIN", stdin="a secret\n")
    assert (made["type"], made["signMode"], made["secret"]) == ("USER", "ORIGIN", "a secret")
    own = apus("identity", "set", name, "--client", client_id, stdin="another\n")
    assert (own["type"], own["clientId"], own["signMode"]) == ("CLIENT", client_id, "SIGNED")
    listed = [entry for entry in apus("identity") if entry["userName"] == name]
    assert len(listed) == 2 and not any("secret" in entry for entry in listed)
    assert "a secret" not in service.command("identity", "-I", FIRST).stdout
    assert apus("identity", "show", name)["secret"] == "a secret"
    assert apus("identity", "show", name, "--client", client_id)["secret"] == "another"
    assert "a secret" in service.command("identity", "show", name, "-I", FIRST).stdout

    other = f"{client_id}-o"
    status, steps = doctor(service, other, (name, "a secret"), "--topic", "chat/x")
    assert status == 1 and steps["CONNECT"]["outcome"] == "ok" and steps["SUBSCRIBE"]["outcome"] == "failed"
    assert "apus permission" in json.dumps(steps["SUBSCRIBE"]["advice"])
    apus("permission", "set", name, "chat/#", "--allow")
    apus("permission", "set", client_id, "chat/secret", "--deny", "--action", "SUB", "--client")
    assert doctor(service, other, (name, "a secret"), "--topic", "chat/x", "--publish")[0] == 0
    login = name, hmac_sha1("another", client_id)
    apus("permission", "set", client_id, "chat/#", "--allow", "--client")
    assert doctor(service, client_id, login, "--topic", "chat/x")[0] == 0
    assert doctor(service, client_id, login, "--topic", "chat/secret")[0] == 1
    entries = {(entry["identity"], entry["topic"]): entry for entry in apus("permission")}
    assert entries[name, "chat/#"] == {
        "type": "USER", "identity": name, "topic": "chat/#", "action": "PUB_SUB", "effect": "ALLOW"}
    assert entries[client_id, "chat/secret"]["effect"] == "DENY"
    table = service.command("permission", "list", "-I", FIRST).stdout
    assert table.split()[:5] == ["IDENTITY", "TYPE", "EFFECT", "ACTION", "TOPIC"]
    for identity, topic, *flags in [(name, "chat/#"), (client_id, "chat/#", "--client"),
                                    (client_id, "chat/secret", "--client")]:
        service.command("permission", "remove", identity, topic, *flags, "-I", FIRST)
    assert not {(name, "chat/#"), (client_id, "chat/#")} & {(e["identity"], e["topic"]) for e in apus("permission")}

    service.command("identity", "remove", name, "--client", client_id, "-I", FIRST)
    service.command("identity", "remove", name, "-I", FIRST)
    gone = service.command("identity", "show", name, "-I", FIRST, check=False)
    assert gone.returncode == 1 and name in gone.stderr
    early = service.command("permission", "set", name, "chat/#", "--allow", "-I", FIRST)
    assert f"no identity {name} is stored" in early.stderr
    service.command("permission", "remove", name, "chat/#", "-I", FIRST)
    short = service.command("identity", "set", name, "-I", FIRST, stdin="x\n")
    assert "fewer than 8 characters" in short.stderr
    stored = service.command("permission", "set", name, "chat/#", "--allow", "-I", FIRST)
    assert stored.stderr == ""
    service.command("permission", "remove", name, "chat/#", "-I", FIRST)
    service.command("identity", "remove", name, "-I", FIRST)
    for wrong in [("set", name, "chat/x"), ("set", name, "chat/x", "--allow", "--deny"),
                  ("set", name, "chat/#/x", "--allow")]:
        assert service.command("permission", *wrong, "-I", FIRST, check=False).returncode == 2


def test_accounts(service, apus, name):
    service.command("account", "create", f"{name}-a", f"{name}-b")
    assert {f"{name}-a", f"{name}-b", "shop"} <= {entry["name"] for entry in apus("account", instance=None)}
    assert service.command("account").stdout.split()[:2] == ["ACCOUNT", "CREATED"]
    assert service.command("account", "create", f"{name}-a", check=False).returncode == 1
    service.command("account", "delete", f"{name}-a", f"{name}-b")
    assert f"{name}-a" not in {entry["name"] for entry in apus("account", instance=None)}
    done = service.command("account", "delete", "shop", check=False)
    assert done.returncode == 1 and done.stderr
    assert service.command("account", key=MANAGER, check=False).returncode == 1


def test_messages(service, apus, client_id, name):
    with Device(service, client_id) as device:
        device.subscribe(f"chat/{name}/#", 1)
        report = apus("publish", f"chat/{name}/a", "-m", "text")
        assert report["outcome"] == "accepted" and MESSAGE_ID.fullmatch(report["messageId"])
        apus("publish", f"chat/{name}/kept", "-m", "kept", "--retain")
        apus("publish", f"orders/p2p/{client_id}", "-m", "to one")
        assert sorted(device.payloads(3)) == [b"kept", b"text", b"to one"]
    kept = {entry["topic"]: entry for entry in apus("retained", "list", f"chat/{name}/#")}
    assert kept[f"chat/{name}/kept"]["bytes"] == 4
    assert "kept" in service.command("retained", "list", f"chat/{name}/#", "-I", FIRST).stdout
    service.command("retained", "remove", f"chat/{name}/kept", "-I", FIRST)
    assert apus("retained", "list", f"chat/{name}/#") == []
    assert apus("publish", f"orders/p2p/{client_id}", "-m", "x")["outcome"] == "nobody"
    with Device(service, client_id, clean=False):
        pass
    apus("publish", f"orders/p2p/{client_id}", "-m", "kept for later", "--keep")
    with Device(service, client_id, clean=False) as device:
        assert device.payloads(1) == [b"kept for later"]
    done = service.command("publish", "nowhere/x", "-m", "x", "-I", FIRST, check=False)
    assert done.returncode == 1 and "nowhere" in done.stderr


def test_the_audit_log(service, apus, name):
    service.command("group", "create", f"GID_{name}", "-I", FIRST)
    service.command("group", "create", f"GID_{name}", "-I", FIRST, check=False)
    entries = [entry for entry in apus("audit", "--limit", "20") if f"GID_{name}" in entry["detail"]]
    assert len(entries) == 2
    failed, made = entries
    assert failed["outcome"] == "Exists" and failed["number"] > made["number"]
    assert made["actor"] == ADMIN[0] and made["source"].startswith("127.0.0.1") and made["outcome"] == "ok"
    assert ADMIN[1] not in json.dumps(entries)
    service.command("group", "delete", f"GID_{name}", "-I", FIRST)


def test_a_start_at_which_nothing_is_forgotten_is_not_in_the_audit_log(apus):
    assert "ForgetRevokedTokens" not in {entry["action"] for entry in apus("audit", "--limit", "100000", instance=None)}


def test_the_audit_log_shows_changes_as_settings(service):
    service.command("instance", "change", FIRST, "--limit", "topicAliases=9")
    service.command("instance", "change", FIRST, "--limit", "topicAliases=default")
    said = service.command("audit", "--limit", 5).stdout
    assert "limits.topicAliases = 9" in said and "limits.topicAliases = default" in said and "{\\" not in said


def test_who_may_what(service, client_id):
    assert service.command("topic", "create", "forbidden", "-I", FIRST, key=DATA, check=False).returncode == 1
    wrong = service.command("instance", key=(ADMIN[0], "not-the-secret"), check=False)
    assert wrong.returncode == 1 and "not-the-secret" not in wrong.stderr
    assert service.command("instance", key=("nobody", "x"), check=False).returncode == 1


def test_without_a_service():
    done = run([BINARY, "instance", "--api", "http://127.0.0.1:1", "--access-key", "a:b"], check=False)
    assert done.returncode == 3 and "127.0.0.1:1" in done.stderr
    assert run([BINARY, "instance", "--api", "ftp://x", "--access-key", "a:b"], check=False).returncode == 1
    assert run([BINARY, "instance", "frobnicate"], check=False).returncode == 2


def test_a_broker_is_no_api(service):
    url = f"http://127.0.0.1:{service.port}"
    done = run([BINARY, "instance", "--api", url, "--access-key", "a:b", "--timeout", "5"], check=False)
    assert done.returncode == 3


def test_an_identity_that_a_user_name_alone_does_not_reach(name):
    """A user name says nothing of an instance: whoever stores the identity, and whoever looks for the reason, is told."""
    with Service() as service:
        stored = service.command("identity", "set", name, "-I", SECOND, "--sign-mode", "ORIGIN", stdin="a secret\n")
        assert f"instance: {SECOND}" in stored.stderr and "first that runs" in stored.stderr
        here = service.command("identity", "set", f"{name}-here", "-I", FIRST, stdin="a secret\n")
        assert here.stderr == ""
        shown = json.loads(service.command("instance", "list", "--json").stdout)
        assert [entry["id"] for entry in shown if entry["isDefault"]] == [FIRST]

        me = f"GID_apus@@@{name}"
        status, steps = doctor(service, me, (name, "a secret"))
        assert status == 1 and f"instance `{FIRST}` has decided" in steps["CONNECT"]["detail"]
        assert SECOND not in json.dumps(steps)
        advice = json.dumps(steps["CONNECT"]["advice"])
        assert f"instance {FIRST} was asked" in advice and f"-I {FIRST}" in advice
        traced = json.loads(service.command("client", "trace", me, "-I", FIRST, "--json").stdout)
        for text in [traced[0]["explanation"], service.logged()]:
            assert f"there is one in `{SECOND}`" in text and "the first that runs" in text


def test_what_a_verb_takes_is_told_as_it_is(service):
    usage = service.command("permission", "set", "--help", key=None).stdout
    assert "(--allow | --deny)" in usage
    assert "<client-id>" in run([BINARY, "ban", "add", "--help"]).stdout
    missing = service.command("receipt", "NOPE", "-I", FIRST, check=False)
    assert "allowed are 32:" in missing.stderr
    every = service.command("token", "issue", "#", "-I", FIRST, check=False)
    assert every.returncode == 1 and "write PARENT/#" in every.stderr


def test_the_instance_has_to_be_clear(service):
    done = service.command("topic", check=False)
    assert done.returncode == 1 and FIRST in done.stderr and "--instance" in done.stderr


# MARK: the doctor


def doctor(service, client_id, login, *options, port=None):
    done = run([BINARY, "doctor", "connect", "--client-id", client_id, "--username", login[0], "--password", login[1],
                "--port", port or service.port, "--json", *options], check=False)
    return done.returncode, {step["step"]: step for step in json.loads(done.stdout)}


def test_a_healthy_device(service, client_id, name):
    status, steps = doctor(service, client_id, signature(client_id), "--topic", f"orders/{name}", "--publish")
    assert status == 0
    assert {step: found["outcome"] for step, found in steps.items()} == dict.fromkeys(
        ["DNS", "TCP", "CONNECT", "SUBSCRIBE", "PUBLISH"], "ok")


@pytest.mark.parametrize("make, words", [
    (lambda me: (me, (signature(me)[0], ADMIN[1])), ["secret itself"]),
    (lambda me: (me, (signature(me)[0], hmac_sha1("other", me))), ["another secret"]),
    (lambda me: (me, (f"signature|{ADMIN[0]}|{FIRST}", signature(me)[1])), ["Signature"]),
    (lambda me: (me, (f"Signature|{ADMIN[0]}", signature(me)[1])), ["parts"]),
    (lambda me: ("device-1", signature("device-1")), ["@@@"]),
    (lambda me: ("GID_none@@@1", signature("GID_none@@@1")), ["GID_none"]),
    (lambda me: (me, ("nobody", "x")), ["custom identities"]),
    (lambda me: (me, token_login({"R,W": "x"})), ["RW"]),
], ids=["the secret", "another secret", "mode", "parts", "client id", "group", "custom", "token"])
def test_a_device_that_is_refused(client_id, make, words):
    client_id, login = make(client_id)
    # Its own service: whoever fails again and again is made to wait, by address.
    with Service() as service:
        status, steps = doctor(service, client_id, login)
    assert status == 1
    assert steps["TCP"]["outcome"] == "ok" and steps["CONNECT"]["outcome"] == "failed"
    text = json.dumps(steps["CONNECT"])
    for word in words:
        assert word in text
    for secret in [ADMIN[1], login[1]]:
        assert len(secret) < 4 or secret not in text


def test_a_right_that_is_missing(service, admin, client_id, name):
    login = token_login({"R": admin.token(FIRST, "R", f"orders/{name}")})
    status, steps = doctor(service, client_id, login, "--topic", f"orders/{name}", "--publish")
    assert status == 1
    assert steps["SUBSCRIBE"]["outcome"] == "ok" and steps["PUBLISH"]["outcome"] == "failed"
    assert steps["PUBLISH"]["advice"]


def test_the_doctor_leaves_a_stored_session_as_it_is(service, client_id, name):
    with Device(service, client_id, clean=False) as device:
        device.subscribe(f"chat/{name}", 1)
    with Device(service, f"{client_id}-s") as sender:
        sender.publish(f"chat/{name}", b"waiting")
    status, steps = doctor(service, client_id, signature(client_id), "--topic", f"chat/{name}")
    assert status == 0 and steps["SUBSCRIBE"]["outcome"] == "skipped"
    with Device(service, client_id, clean=False) as device:
        assert device.session_present
        assert device.payloads(1) == [b"waiting"]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_doctor_leaves_no_session_behind(service, client_id, version):
    # A missing right ends the connection, and the session would stay.
    doctor(service, client_id, signature(client_id), "-V", version, "--topic", "nowhere/x")
    assert service.rest("GET", f"/instances/{FIRST}/sessions/{client_id}".replace("@", "%40"))[0] == 404


def test_the_advice_follows_from_the_reason(service, apus, name):
    """Whose password is right is told exactly what is wrong, and nothing about the password."""
    def advice(client_id, login, *options):
        status, steps = doctor(service, client_id, login, *options)
        assert status == 1 and steps["CONNECT"]["outcome"] == "failed"
        told = json.dumps(steps["CONNECT"].get("advice", []))
        assert "another secret" not in told and "the form is right" not in told
        return told

    stranger = "GID_none@@@1"
    assert f"apus group create GID_none -I {FIRST}" in advice(stranger, signature(stranger))
    made = apus("key", "create", "--account", "shop", "--rights", "data", instance=None)
    key, me = (made["id"], made["secret"]), f"GID_apus@@@{name}"
    service.command("key", "change", key[0], "--disable-key")
    assert f"apus key change {key[0]} --enable-key" in advice(me, signature(me, FIRST, key))
    service.command("key", "delete", key[0])
    assert "key of the account that owns" in advice(me, signature(me, FIRST, RIVAL))
    stopped = f"post-cn-{name}-off"
    service.command("instance", "create", stopped, "--account", "shop")
    service.command("instance", "change", stopped, "--state", "stopped")
    assert f"apus instance change {stopped} --state running" in advice(me, signature(me, stopped))
    service.command("instance", "delete", stopped)
    assert "-V 5" in advice(stranger, signature(stranger), "-V", "3.1.1")
    with Device(service, me):
        assert f"apus client show {me} -I {FIRST}" in advice(me, signature(me))
    token = apus("token", "issue", "orders/#")["token"]
    service.command("token", "revoke", token, "-I", FIRST)
    assert f"apus token issue TOPIC -I {FIRST}" in advice(me, token_login({"RW": token}))
    of_another = apus("credential", "register", f"{me}-2")
    login = f"DeviceCredential|{of_another['accessKeyId']}|{FIRST}", hmac_sha1(of_another["accessKeySecret"], me)
    assert f"apus credential show {me} -I {FIRST}" in advice(me, login)
    with contextlib.ExitStack() as stack:
        for number in range(3):
            stack.enter_context(Device(service, f"{me}-{number}", instance=TAKEOVER))
        assert f"apus instance show {TAKEOVER}" in advice(me, signature(me, TAKEOVER))


@pytest.fixture(scope="module")
def many_doors():
    """A service that listens for MQTT over TCP and WebSocket."""
    with Service(listen=("mqtt://127.0.0.1:0", "ws://127.0.0.1:0")) as service:
        yield service


def test_a_url_says_where(many_doors, client_id):
    def doctor_at(*options):
        done = run([BINARY, "doctor", "connect", "-i", client_id, "-u", signature(client_id)[0], "-P",
                    signature(client_id)[1], "--json", *options], check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    web = many_doors.endpoint("ws").port
    assert doctor_at("--url", f"mqtt://127.0.0.1:{many_doors.port}")[0] == 0
    status, steps = doctor_at("--url", f"ws://127.0.0.1:{web}/mqtt")
    assert status == 0 and "WebSocket" in [step["step"] for step in steps]
    status, steps = doctor_at("--url", f"mqtt://127.0.0.1:{web}")
    assert status == 3 and "HTTP" in steps[-1]["detail"]
    assert f"--url ws://127.0.0.1:{web}/mqtt" in json.dumps(steps[-1]["advice"])
    for scheme in ["mqtt", "ws"]:
        status, steps = doctor_at("--url", f"{scheme}://127.0.0.1:{many_doors.api_port}")
        assert status in (1, 3) and "HTTP server" in json.dumps(steps[-1]["advice"])
    assert doctor_at("--url", "mqtt://127.0.0.1", "--port", "1883")[0] == 2


def test_a_wrong_port(service, client_id):
    status, steps = doctor(service, client_id, signature(client_id), port=1)
    assert status == 3 and steps["TCP"]["outcome"] == "failed"
    status, steps = doctor(service, client_id, signature(client_id), port=service.api_port)
    assert status in (1, 3) and steps["CONNECT"]["outcome"] == "failed"
    status, steps = doctor(service, client_id, signature(client_id), "--tls")
    assert status == 3 and steps["TLS"]["outcome"] == "failed"
    assert f"--url mqtt://127.0.0.1:{service.port}" in json.dumps(steps["TLS"]["advice"])
