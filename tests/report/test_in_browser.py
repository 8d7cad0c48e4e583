"""The page in Chromium: nothing complains, and every chart can be read.

Left out by default, as all tests with the mark `browser`: `pytest -m browser`.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.browser import DESK, PHONE, Visit, visit
from throughtime.report import write_report
from throughtime.report.live import LivePage
from throughtime.train.showing.progress import Silent

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

Scheme = Literal["light", "dark"]
MARKS = "g.mark-line path, g.mark-rect path, g.mark-symbol path, g.mark-area path"
LOOKS: list[tuple[tuple[int, int], Scheme]] = [
    (DESK, "light"),
    (DESK, "dark"),
    (PHONE, "light"),
    (PHONE, "dark"),
]


def wait_for_charts(visited: Visit) -> int:
    """Wait until all are drawn, and give their number."""
    plots = visited.page.locator(".plot").count()
    visited.page.wait_for_function(
        f"document.querySelectorAll('.plot svg').length === {plots}"
    )
    return plots


@pytest.fixture
def page(diagnosed: Path, plain: Path) -> Path:
    return write_report(diagnosed, plain, output=diagnosed.parent / "page.html")


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_nothing_complains_and_nothing_is_asked_for(
    browser: "Browser", page: Path, size: tuple[int, int], scheme: Scheme
) -> None:
    with visit(browser, page, size=size, scheme=scheme) as visited:
        assert wait_for_charts(visited) >= 40
        assert visited.complaints == []
        assert visited.requests == []
        # No page has to be moved sideways.
        wide = visited.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size[0]


def test_every_chart_has_marks_a_description_and_its_table(
    browser: "Browser", page: Path
) -> None:
    with visit(browser, page) as visited:
        wait_for_charts(visited)
        for figure in visited.page.locator("figure:has(.plot)").all():
            title = figure.locator("h4").inner_text()
            assert figure.locator(MARKS).count() > 0, title
            drawing = figure.locator(".plot svg")
            label = drawing.get_attribute("aria-label") or figure.locator(
                ".plot"
            ).get_attribute("aria-label")
            assert title in (label or ""), title
            figure.locator("summary").press("Enter")  # by keyboard alone
            assert figure.locator("tbody tr").first.is_visible(), title


def hover(visited: Visit, figure: Any) -> str:
    """Point at the middle of some mark, and read the tooltip."""
    visited.page.mouse.move(0, 0)
    marks = figure.locator("g.mark-rect.role-mark path, g.mark-symbol.role-mark path")
    marks.nth(marks.count() // 2).hover(force=True)
    tooltip = visited.page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    return tooltip.inner_text()


def test_every_chart_has_tooltips(browser: "Browser", page: Path) -> None:
    with visit(browser, page) as visited:
        wait_for_charts(visited)
        for figure in visited.page.locator("figure:has(.plot)").all():
            figure.scroll_into_view_if_needed()
            said = hover(visited, figure)
            assert re.search(r"\d", said), figure.locator("h4").inner_text()


def luminance(visited: Visit, selector: str, what: str) -> float:
    """How light a colour is, as the browser has worked it out."""
    colour = visited.page.evaluate(
        "([s, w]) => getComputedStyle(document.querySelector(s))[w]", [selector, what]
    )
    parts = [int(part) for part in re.findall(r"\d+", colour)[:3]]
    return sum(parts) / (3 * 255)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_follow_the_colours_of_the_page(
    browser: "Browser", page: Path, scheme: Scheme
) -> None:
    with visit(browser, page, scheme=scheme) as visited:
        wait_for_charts(visited)
        paper = luminance(visited, "body", "backgroundColor")
        labels = luminance(visited, ".plot .role-axis-label text", "fill")
        line = luminance(visited, ".plot g.mark-line path", "stroke")
        assert (paper < 0.2) == (scheme == "dark")
        assert (labels > 0.5) == (line > 0.5) == (scheme == "dark")
        assert abs(labels - paper) > 0.4


def test_print_is_dark_on_light_in_any_scheme(browser: "Browser", page: Path) -> None:
    with visit(browser, page, scheme="dark", medium="print") as visited:
        wait_for_charts(visited)
        assert luminance(visited, "body", "backgroundColor") == 1
        assert luminance(visited, ".plot .role-axis-label text", "fill") < 0.5
        assert not visited.page.locator(".copy").first.is_visible()


def test_a_remedy_can_be_copied_or_is_selected(browser: "Browser", page: Path) -> None:
    with visit(browser, page) as visited:
        button = visited.page.locator(".copy").first
        button.click()
        visited.page.wait_for_function(
            "document.querySelector('.copy').textContent !== 'copy'"
        )
        assert button.inner_text() in {"copied", "selected"}


def test_the_live_page_renews_itself(
    browser: "Browser", plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throughtime.report.live._SPARED", 0.0)
    metrics = plain / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("")
    with LivePage() as live:
        reporter = live.beside(Silent(), plain)
        with visit(browser, live.address or "") as visited:
            now = visited.page.locator("#now")
            visited.page.wait_for_function("document.querySelector('#now')")
            assert visited.page.locator(".plot svg").count() == 0
            visited.page.wait_for_timeout(1200)
            metrics.write_text("".join(lines[:3]))
            reporter.epoch({"epoch": 3})
            visited.page.locator(".plot svg").first.wait_for()
            wait_for_charts(visited)
            live.__exit__(None, None, None)
            visited.page.wait_for_function(
                "/ended|heard/.test(document.querySelector('#now').textContent)"
            )
            assert "has ended" in now.inner_text()
            assert visited.complaints == []
