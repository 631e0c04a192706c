"""A running `apus serve` with resources, its management API, and the vendor's SDKs pointed at it."""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from alibabacloud_onsmqtt20191211 import models as models_2019
from alibabacloud_onsmqtt20191211.client import Client as Client2019
from alibabacloud_onsmqtt20200420 import models as models_2020
from alibabacloud_onsmqtt20200420.client import Client as Client2020
from alibabacloud_tea_openapi.exceptions import ThrottlingException
from alibabacloud_tea_openapi.models import Config

from apus import BINARY, PATIENCE, Apus, run

FIRST, SECOND, STANDARD, FOREIGN = "post-cn-apus00001", "post-cn-apus00002", "post-cn-apus00003", "post-cn-rival0001"
TAKEOVER = "post-cn-apus00004"
ADMIN = ("LTAIexampleAK", "exampleSecret123")
MANAGER = ("LTAIexampleManager", "exampleManagerSecret")
DATA = ("LTAIexampleData", "exampleDataSecret")
RIVAL = ("LTAIexampleRival", "exampleRivalSecret")

RESOURCES = f"""
accounts:
  - name: shop
    keys:
      - {{id: {ADMIN[0]}, secret: {ADMIN[1]}, rights: administrator}}
      - {{id: {MANAGER[0]}, secret: {MANAGER[1]}, rights: manager}}
      - {{id: {DATA[0]}, secret: {DATA[1]}, rights: data}}
  - name: rival
    keys: [{{id: {RIVAL[0]}, secret: {RIVAL[1]}, rights: manager}}]
instances:
  - id: {FIRST}
    account: shop
    profile: apsaramq
    topics: [orders, chat]
    groups: [GID_apus]
  - id: {SECOND}
    account: shop
    profile: apsaramq
    topics: [orders, chat]
    groups: [GID_apus]
  - id: {STANDARD}
    account: shop
    profile: standard
  - id: {TAKEOVER}
    account: shop
    profile: apsaramq
    topics: [orders]
    groups: [GID_apus]
    policies: {{duplicateClientId: takeover, onDenied: refuse}}
    limits: {{connections: 3, payloadBytes: 1024}}
  - id: {FOREIGN}
    account: rival
    profile: apsaramq
    topics: [orders]
    groups: [GID_apus]
"""

UUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
MESSAGE_ID = re.compile(r"[0-9A-Fa-f]{32}")


def now():
    """Unix time in ms."""
    return int(time.time() * 1000)


def hmac_sha1(secret, text):
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Service(Apus):
    """`apus serve` on a data folder; killed and started again it is the same service at other ports."""

    def __init__(self, *arguments, resources=RESOURCES, data=None, listen=("mqtt://127.0.0.1:0",),
                 api="http://127.0.0.1:0", ca=None):
        """`ca` is the file of the authorities of an API with https."""
        self.folder = tempfile.TemporaryDirectory(prefix="apus-management-")
        if resources is not None:
            file = pathlib.Path(self.folder.name) / "resources.yaml"
            file.write_text(resources)
            arguments = ["--apply", file, *arguments]
        super().__init__(*map(str, arguments), "--api", api, listen=listen, dev=False, data=data)
        api = [line.split()[1] for line in self.announced if line.startswith("api ")]
        assert len(api) == 1, f"one line with the API's address is expected; came {self.announced}"
        self.api, self.ca = api[0].rstrip("/"), ca

    @property
    def api_port(self):
        return int(self.api.rsplit(":", 1)[1])

    @property
    def data_folder(self):
        return pathlib.Path(self.data.name)

    def rest(self, method, path, body=None, key=ADMIN, **query):
        """A call to /api/v1; the answer's status and JSON."""
        query = {name: value for name, value in query.items() if value is not None}
        url = f"{self.api}/api/v1{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        request = urllib.request.Request(url, method=method)
        if key:
            request.add_header("Authorization", "Basic " + base64.b64encode(":".join(key).encode()).decode())
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            context = ssl.create_default_context(cafile=self.ca) if self.ca else None
            with urllib.request.urlopen(request, data, PATIENCE, context=context) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None

    def command(self, *arguments, key=ADMIN, check=True, stdin=None):
        """An `apus` verb against this service."""
        access = ["--access-key", ":".join(key)] if key else []
        access += ["--ca-file", self.ca] if self.ca else []
        return run([BINARY, *arguments, "--api", self.api, *access], check=check, stdin=stdin)


def once_more_when_throttled(call):
    """RevokeToken may be called five times a second only; other tests may have done so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except ThrottlingException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class Sdk:
    """The vendor's clients of both API versions, as they come from the registry."""

    def __init__(self, service, *, key=ADMIN, style="acs3"):
        settings = {"signature_algorithm": "v2"} if style == "v2" else {}
        if service.ca:
            settings["ca"] = str(service.ca)

        def config():
            return Config(access_key_id=key[0], access_key_secret=key[1], endpoint=f"127.0.0.1:{service.api_port}",
                          protocol=service.api.split(":")[0].upper(), connect_timeout=5000, read_timeout=int(PATIENCE * 1000), **settings)

        self.new, self.old = Client2020(config()), Client2019(config())

    def __call__(self, action, **parameters):
        """An action of 2020-04-20: its answer's body."""
        return self._call(self.new, models_2020, action, parameters)

    def old_version(self, action, **parameters):
        """An action of 2019-12-11: its answer's body."""
        return self._call(self.old, models_2019, action, parameters)

    @staticmethod
    def _call(client, models, action, parameters):
        method = getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())
        request = getattr(models, f"{action}Request")(**parameters)
        response = once_more_when_throttled(lambda: method(request))
        assert response.status_code == 200
        # What the SDK has no field for stays out: its models drop it.
        assert UUID.fullmatch(response.body.request_id), response.body.request_id
        return response.body

    def token(self, instance, actions, *resources, lifetime=3_600_000):
        return self("ApplyToken", instance_id=instance, actions=actions, resources=",".join(sorted(resources)),
                    expire_time=now() + lifetime).token
