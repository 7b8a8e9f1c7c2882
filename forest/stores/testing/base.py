"""What every part of the contract is tried with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from forest.stores.base import Store

Reopen = Callable[[], Store]


class Contract:
    """The fixtures that a subclass gives, and how much a store is tried with."""

    levels = 20_000
    """Length of the chain, and of the widest family, that a store is tried with."""
    many = 120
    """How many trees one write is tried with."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """An opened store with nothing in it."""
        raise NotImplementedError("the subclass gives a fixture `store`")

    @pytest.fixture
    def reopen(self, store: Store) -> Reopen:
        """Close ``store`` and open the same forest again (in memory: give it back)."""
        raise NotImplementedError("the subclass gives a fixture `reopen`")
