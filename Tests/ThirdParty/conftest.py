"""Fixtures: a broker for each file of tests, and a topic of its own for each test."""

import itertools

import pytest

from apus import Apus

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def broker():
    """A development broker over TCP and WebSocket, shared by the tests of a file."""
    with Apus(listen=["mqtt://127.0.0.1:0", "ws://127.0.0.1:0"]) as running:
        yield running


@pytest.fixture
def name():
    """A name that no other test uses, for topics and client identifiers."""
    return f"test{next(_numbers)}"
