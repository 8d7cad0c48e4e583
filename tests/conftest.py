"""Fixtures and settings that all tests share."""

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

# Before torch is imported, which reads it once: threads that wait for work would spin,
# and take the other core from the test that runs beside them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from hypothesis import settings

from tests.browser import running
from throughtime.backends.llvm import kernel
from throughtime.backends.llvm.object_cache import VARIABLE
from throughtime.nn.execution import RUNNERS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The first is the judge of the others.
BACKENDS = [name for name in ("reference", "llvm") if name in RUNNERS]

# The same examples in every run: a red test stays red until it is understood.
settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("fixed")


COMPILED_CODE_LIVES = 3 * 24 * 3600
"""Seconds; what an older version of the compiler wrote goes after them."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled cells between runs, apart from the user's own."""
    place = config.cache.mkdir("compiled")
    place.chmod(0o700)
    for path in place.iterdir():
        if path.stat().st_mtime < time.time() - COMPILED_CODE_LIVES:
            path.unlink(missing_ok=True)
    os.environ[VARIABLE] = str(place)


@pytest.fixture(autouse=True, scope="session")
def _small_shares() -> None:
    """Let small work have several threads, as large work has them."""
    kernel.SMALLEST_SHARE = 200_000


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend that runs on a CPU, one after the other."""
    return request.param


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Headless Chromium, for a test with the mark `browser`."""
    # Not for the session: while it runs, no other test may start an event loop.
    with running() as browser:
        yield browser
