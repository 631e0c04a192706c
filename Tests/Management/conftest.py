"""Fixtures: one service for each file of tests, the SDK in both signature styles, and names of one's own."""

import itertools
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "ThirdParty"))

from device import V3, V5  # noqa: E402
from service import Sdk, Service  # noqa: E402

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def service():
    """A service with two accounts and three instances, shared by the tests of a file."""
    with Service() as running:
        yield running


@pytest.fixture(params=["acs3", "v2"])
def sdk(service, request):
    """The administrator's SDK; each test runs with both ways of signing."""
    return Sdk(service, style=request.param)


@pytest.fixture
def admin(service):
    """The administrator's SDK, for tests that are not about the SDK."""
    return Sdk(service)


@pytest.fixture(params=[V3, V5], ids=["3.1.1", "5.0"])
def version(request):
    return request.param


@pytest.fixture
def name():
    """A name that no other test uses: for device ids, subtopics, user names."""
    return f"t{next(_numbers):03}"


@pytest.fixture
def client_id(name):
    return f"GID_apus@@@{name}"
