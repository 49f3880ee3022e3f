"""Secrets that a local run makes up once and keeps in its data folder."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write `text` to `path`, mode 0600, at once or not at all.

    With `replace=False` an existing file is left alone: of two processes that race, both find the first one's.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        if replace:
            Path(name).replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(name)
    finally:
        Path(name).unlink(missing_ok=True)


def kept_secret(data_dir: Path, *, name: str) -> str:
    """Return the secret `name` of `data_dir`; the first caller makes it (288 bits)."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / "secrets" / name
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    write_private(path, secrets.token_urlsafe(36), replace=False)
    return path.read_text()
