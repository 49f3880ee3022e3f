"""The guide for developers of client apps: docs/guide.md as a page."""

import re
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

POLICY = {
    "default-src": [SELF],
    "img-src": [SELF, "data:"],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}


class Guide(NamedTuple):
    """HTML, and the id and text of each chapter."""

    html: SafeString
    chapters: list[tuple[str, str]]


@csrf_exempt
@require_safe
@csp(POLICY)
def guide_page(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/guide.html", {"page": "guide", "guide": _guide()})


@cache
def _guide() -> Guide:
    """Render the guide, once in each process; its headings get the ids that GitHub gives them."""
    markdown = MarkdownIt("commonmark", {"highlight": _colored}).enable("table")
    tokens = markdown.parse((settings.BASE_DIR / "docs" / "guide.md").read_text())
    chapters = []
    for heading, text in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", re.sub(r"[^\w-]", "", text.content.lower().replace(" ", "-")))
            if heading.tag == "h2":
                chapters.append((str(heading.attrs["id"]), text.content))
    # Safe: the text is our own.
    return Guide(mark_safe(markdown.renderer.render(tokens, markdown.options, {})), chapters)


def _colored(code: str, language: str, _: str) -> str:
    return highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
