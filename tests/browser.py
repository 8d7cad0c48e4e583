"""Pages in headless Chromium: what they complain of, what they ask for, how they look.

The browser is the system's own (Debian's package `chromium`); nothing is downloaded.
Tests that need it carry the mark `browser` and take the fixture of that name.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request

VARIABLE = "CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")
DESK = (1280, 900)
PHONE = (390, 844)


def chromium() -> str:
    """Return the program: what the variable CHROMIUM names, or what is on the path."""
    named = os.environ.get(VARIABLE)
    wanted = NAMES if named is None else (named,)
    found = next(filter(None, map(shutil.which, wanted)), None)
    if found is None:
        raise FileNotFoundError(
            f"no {' or '.join(wanted)} is on the path: install Debian's package "
            f"`chromium`, or name your browser in the variable {VARIABLE}"
        )
    return found


@contextmanager
def running() -> Iterator["Browser"]:
    """Run one headless Chromium."""
    # Only who asked for these tests needs the package.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        yield browser
        browser.close()


@dataclass
class Visit:
    """An open page, and what happened on it so far.

    `complaints` are errors and warnings of the console, exceptions that nobody caught,
    and requests that failed; `requests` are the addresses that were asked for, but for
    the page's own and `data:`.
    """

    page: "Page"
    address: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def heard(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def threw(self, error: "Error") -> None:
        self.complaints.append(f"uncaught: {error}")

    def asked(self, request: "Request") -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.requests.append(request.url)

    def missed(self, request: "Request") -> None:
        self.complaints.append(f"failed: {request.url}")


@contextmanager
def visit(
    browser: "Browser",
    address: str | Path,
    *,
    size: tuple[int, int] = DESK,
    scheme: Literal["light", "dark"] = "light",
    medium: Literal["screen", "print"] = "screen",
) -> Iterator[Visit]:
    """Open a file or an address, with a window, colours and a medium of one's choice.

    `visit.page` is Playwright's: `page.locator(…)`, `page.hover(…)`,
    `page.screenshot(path=…, full_page=True)`.
    """
    if isinstance(address, Path):
        address = address.resolve().as_uri()
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme
    )
    visited = Visit(context.new_page(), address)
    page = visited.page
    page.emulate_media(media=medium)
    page.on("console", visited.heard)
    page.on("pageerror", visited.threw)
    page.on("request", visited.asked)
    page.on("requestfailed", visited.missed)
    page.goto(address, wait_until="load")
    try:
        yield visited
    finally:
        context.close()
