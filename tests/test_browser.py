"""The browser that other tests rest on is shown bad pages."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from matplotlib import image

from tests.browser import DESK, PHONE, VARIABLE, chromium, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

QUIET = "<!doctype html><meta charset=utf-8><title>page</title><p title=tip>héllo</p>"
BLACK = "{ html { background: #000 } }"
DARK = f"<style>@media (prefers-color-scheme: dark) {BLACK}</style>"
PRINT = "<style>p { color: red } @media print { p { color: blue } }</style>"
BAD = {
    "an error in the console": "<script>console.error('lost')</script>",
    "a warning in the console": "<script>console.warn('lost')</script>",
    "an exception": "<script>throw new Error('lost')</script>",
    "a missing file": "<img src=lost.png>",
    "a script from the network": "<script src=http://lost.invalid/x.js></script>",
}


def written(folder: Path, text: str) -> Path:
    page = folder / "page.html"
    page.write_text(text, encoding="utf-8")
    return page


@pytest.mark.browser
def test_a_quiet_page_has_no_complaint(browser: "Browser", tmp_path: Path) -> None:
    with visit(browser, written(tmp_path, QUIET)) as visited:
        assert visited.page.locator("p").inner_text() == "héllo"
        assert (visited.complaints, visited.requests) == ([], [])


@pytest.mark.browser
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_page_is_found_out(
    browser: "Browser", tmp_path: Path, fault: str
) -> None:
    with visit(browser, written(tmp_path, QUIET + BAD[fault])) as visited:
        assert any("lost" in complaint for complaint in visited.complaints)


@pytest.mark.browser
def test_what_a_page_asks_for_is_listed(browser: "Browser", tmp_path: Path) -> None:
    fault = BAD["a script from the network"]
    with visit(browser, written(tmp_path, QUIET + fault)) as visited:
        assert visited.requests == ["http://lost.invalid/x.js"]


@pytest.mark.browser
def test_what_goes_wrong_later_is_heard_too(browser: "Browser", tmp_path: Path) -> None:
    with visit(browser, written(tmp_path, QUIET)) as visited:
        visited.page.evaluate("console.error('lost')")
        assert visited.complaints == ["error: lost"]


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_size_and_colours_are_obeyed(
    browser: "Browser", tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    picture = tmp_path / "page.png"
    page = written(tmp_path, QUIET + DARK)
    with visit(browser, page, size=size, scheme=scheme) as visited:
        visited.page.screenshot(path=picture)
    pixels = image.imread(picture)
    assert pixels.shape[:2] == size[::-1]
    assert pixels[-1, -1, 0] == (0 if scheme == "dark" else 1)


@pytest.mark.browser
def test_the_medium_is_obeyed(browser: "Browser", tmp_path: Path) -> None:
    colour = "getComputedStyle(document.querySelector('p')).color"
    page = written(tmp_path, QUIET + PRINT)
    seen = []
    for medium in ("screen", "print"):
        with visit(browser, page, medium=medium) as visited:
            seen.append(visited.page.evaluate(colour))
    assert seen == ["rgb(255, 0, 0)", "rgb(0, 0, 255)"]


def test_a_missing_browser_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no-such-browser")
    with pytest.raises(FileNotFoundError, match=r"no-such-browser.*install Debian's"):
        chromium()
