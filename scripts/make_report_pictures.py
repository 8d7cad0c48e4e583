"""The pictures of docs/report.md: two networks are trained, diagnosed and reported.

From the root of the repository, with Chromium on the path:
`python -m scripts.make_report_pictures`; it takes a minute or two.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.browser import PHONE, Visit, running, visit

IMAGES = Path(__file__).parent.parent / "docs" / "images"
DESK = (1100, 1000)
CELLS = ("lstm", "elman")


def throughtime(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "throughtime", *words], check=True)


def make_runs(folder: Path) -> list[str]:
    """Two small networks on the same data, looked at inside."""
    runs = []
    for cell in CELLS:
        runs.append(str(folder / f"digits-{cell}"))
        size = ["--hidden-size", "24", "--epochs", "8", "--threads", "1"]
        words = ["train", "spoken-digits", "--cell", cell, *size]
        throughtime(*words, "--quiet", "--out", runs[-1])
        throughtime("diagnose", runs[-1])
    return runs


def take(visited: Visit, name: str) -> None:
    """A picture of what a window shows first."""
    page = visited.page
    page.wait_for_function(
        "document.querySelectorAll('.plot svg').length"
        " === document.querySelectorAll('.plot').length"
    )
    path = IMAGES / name
    page.screenshot(path=path)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        runs, both = make_runs(folder), folder / "both.html"
        throughtime("report", *runs, "--output", str(both))
        throughtime("report", runs[0])
        one = Path(runs[0]) / "report.html"
        with running() as browser:
            with visit(browser, both, size=DESK) as visited:
                take(visited, "report.png")
            with visit(browser, one, size=PHONE, scheme="dark") as visited:
                take(visited, "report-phone.png")


if __name__ == "__main__":
    main()
