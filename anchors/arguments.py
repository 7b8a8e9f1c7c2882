"""What a caller may give to the functions of this package, checked at the door: TypeError else."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from typing import Any, TypeVar

from forest.arguments import check_text
from forest.fields import kind_of
from forest.stores.base import Store

T = TypeVar("T")


def check_store(store: object) -> None:
    """Raise TypeError unless it is an opened store."""
    if not isinstance(store, Store):
        hint = "give forest.store" if hasattr(store, "store") else "forest.store is one"
        raise TypeError(f"expected a store, got {kind_of(store)}: {hint}")


def check_texts(**texts: object) -> None:
    """Raise TypeError unless all are text; each is named as its parameter is."""
    for name, text in texts.items():
        check_text(text, f"text as `{name}`")


def listed(values: Iterable[T], type_: type[T], expected: str) -> list[T]:
    """The values as a list. Raises TypeError unless they are several things of this type."""
    several: Any = values
    if isinstance(several, str | bytes) or not isinstance(several, Iterable):
        raise TypeError(f"expected a list of {expected}, got {kind_of(several)}")
    found = list(several)
    for value in found:
        if not isinstance(value, type_):
            raise TypeError(f"expected {expected}, got {kind_of(value)} among them")
    return found


def check_numbers(**numbers: object) -> None:
    """Raise TypeError unless all are numbers, which NaN is not; each is named as its parameter."""
    for name, number in numbers.items():
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or isnan(number):  # type: ignore[arg-type]
            said = number if is_number else kind_of(number)
            raise TypeError(f"expected a number as `{name}`, got {said}")
