"""Rows cached in the process under the configuration's version."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Versioned(Generic[T]):
    """What `load` returned, for as long as the version is the one it was loaded under.

    The version is read before the rows, so what is kept may be newer than its version and never older.
    """

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._kept: tuple[int, T] | None = None

    def at(self, version: int) -> T:
        kept = self._kept
        if kept is None or kept[0] != version:
            self._kept = kept = (version, self._load())
        return kept[1]
