"""What the tests of erasing share: files of a client's, and a look for a word in all there is."""

import os
import time
from pathlib import Path

from tests.helpers import sql

# A word that nothing but a client's orders has.
WORD = "Zitronenfalter"


def tables_that_say(word: str = WORD) -> set[str]:
    """Return the tables of which a row says `word` anywhere, also in bytes."""
    tables = [name for (name,) in sql("SELECT relname FROM pg_stat_user_tables")]
    search = "SELECT EXISTS (SELECT FROM {0} WHERE {0}::text LIKE %s OR {0}::text LIKE %s)"
    return {name for name in tables if sql(search.format(name), f"%{word}%", f"%{word.encode().hex()}%") == [(True,)]}


def put(storage: Path, key: str, *, days: float = 0, content: bytes = b"image") -> str:
    """Put a file into local storage that was written so many days ago."""
    path = storage / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    at = time.time() - days * 24 * 3600
    os.utime(path, (at, at))
    return key


def files(storage: Path) -> set[str]:
    return {str(path.relative_to(storage)) for path in storage.rglob("*") if path.is_file()}
