"""Whether a page can be used by people who do not see it well, do not use a mouse, or have a narrow screen."""

from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Of the rules, what the theme makes a difference to.
COLOURS = ["color-contrast"]

RUN = """
async (only) => {
    const found = await axe.run(document, {runOnly: only, resultTypes: ["violations"]});
    return found.violations.flatMap(({id, nodes}) => nodes.map(({html, failureSummary}) =>
        `${id}: ${html.slice(0, 200)} ${failureSummary.replace(/\\s+/g, " ").slice(0, 250)}`));
}
"""
# The innermost of the elements that make a page scroll sideways.
SIDEWAYS = """
() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    const clips = element => getComputedStyle(element).overflowX !== "visible";
    const clipped = ({parentElement: above}) => above && (clips(above) || clipped(above));
    const wide = [...document.body.querySelectorAll("*")].filter(element =>
        element.getBoundingClientRect().right > innerWidth + 1 && !clipped(element));
    return [`it scrolls sideways, for ${wide.at(-1)?.outerHTML.slice(0, 200)}`];
}
"""
# Colours that are on their way from light to dark are neither.
STILL = "*, *::before, *::after { transition: none !important; animation: none !important }"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def accessible(page: Page, *, narrow: bool = True) -> None:
    """Assert that axe finds nothing on the page as it is now, light and dark, wide and narrow; leave it as it was."""
    found = faults(page, narrow=narrow)
    assert found == [], f"{page.url}\n" + "\n".join(found)


def faults(page: Page, *, narrow: bool = True) -> list[str]:
    """Return what axe finds in each of both widths and themes, and what makes the page scroll sideways.

    Without `narrow`, which halves the time, axe looks at the wide page alone.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE)
        page.add_style_tag(content=STILL)
    was, dark = page.viewport_size, page.evaluate("document.documentElement.classList.contains('dark')")
    found = []
    for size, name in ((WIDE, "wide"), (NARROW, "narrow")):
        page.set_viewport_size(size)
        if narrow or size is WIDE:
            rules = {"type": "tag", "values": TAGS}
            found += [f"{name}, light: {fault}" for fault in _in_colours(page, dark=False, rules=rules)]
            rules = {"type": "rule", "values": COLOURS}
            found += [f"{name}, dark: {fault}" for fault in _in_colours(page, dark=True, rules=rules)]
        found += [f"{name}: {fault}" for fault in page.evaluate(SIDEWAYS)]
    page.set_viewport_size(was)
    page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", dark)
    return found


def _in_colours(page: Page, *, dark: bool, rules: dict) -> list[str]:
    page.evaluate("dark => document.documentElement.classList.toggle('dark', dark)", dark)
    return page.evaluate(RUN, rules)
