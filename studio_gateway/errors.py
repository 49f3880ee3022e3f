"""The root of what the apps raise on purpose."""

from typing import Any


class DomainError(Exception):
    """Something was refused.

    Each app has one subclass of this, each of whose subclasses has a `code` and a docstring that is its message; `{}`
    fields in it are filled from the keyword arguments. What HTTP makes of the code stands in `api/errors.py`. One that
    is a fault of a header or a parameter names it in `loc`; one that passes says in `retry_after` after how many
    seconds.
    """

    code = "error"
    loc: tuple[str, ...] = ()
    retry_after: int | None = None

    def __init__(self, **details: Any) -> None:
        self.details = details
        self.loc = details.get("loc", self.loc)
        self.retry_after = details.get("retry_after", self.retry_after)
        super().__init__((type(self).__doc__ or self.code).format(**details))
