"""The root of what the apps raise on purpose."""


class DomainError(Exception):
    """Something was refused.

    Each app has one subclass of this, each of whose subclasses has a `code` and a docstring that is its message; `{}`
    fields in it are filled from the keyword arguments. What HTTP makes of the code is in `studio_gateway/api/errors.py`.
    """

    code = "error"

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__((type(self).__doc__ or self.code).format(**details))
