"""The REST API held against its own OpenAPI document by schemathesis: what it says is taken, and what it does not say is not."""

import pathlib
import subprocess
import sys

from service import ADMIN, FIRST, Service

CONFIGURATION = pathlib.Path(__file__).parent / "schemathesis.toml"


def test_the_document_is_true(service):
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIGURATION, "run",
            f"{service.api}/api/v1/openapi.json", "--url", f"{service.api}/api/v1", "--auth", ":".join(ADMIN),
            "--phases", "coverage,fuzzing,stateful", "--max-examples", "3", "--seed", "1", "--no-color",
        ],
        capture_output=True, text=True, timeout=600,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
    assert service.rest("GET", f"/instances/{FIRST}")[1]["state"] == "running"

    # Nothing was half done: what memory, database and resources document say is one and the same.
    status, document = service.rest("GET", "/export")
    assert status == 200
    assert service.rest("POST", "/apply", document) == (200, {"lines": [], "changes": 0, "applied": True})
    service.stop()
    with Service(resources=None, data=service.data.name) as again:
        assert again.rest("GET", "/export") == (200, document)
