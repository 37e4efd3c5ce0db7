"""A shared server for each test, once in memory and once in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sync.shared import InMemory, InPostgres, Shared


@pytest.fixture
def postgres_shared(postgres_url: str) -> Iterator[InPostgres]:
    """A shared ledger in PostgreSQL."""
    made = InPostgres(postgres_url)
    yield made
    made.close()


@pytest.fixture(params=["memory", "postgresql"])
def shared(request: pytest.FixtureRequest) -> Shared:
    """A shared server, once of each kind."""
    made: Callable[[], Any] = InMemory
    return made() if request.param == "memory" else request.getfixturevalue("postgres_shared")
