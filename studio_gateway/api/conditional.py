from django.utils.http import parse_etags
from rest_framework.request import Request


def is_known(request: Request, etag: str) -> bool:
    """Tell whether a read's `If-None-Match` names `etag`; weakly compared (RFC 9110, 13.1.2)."""
    known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return known == ["*"] or etag.removeprefix("W/") in (tag.removeprefix("W/") for tag in known)
