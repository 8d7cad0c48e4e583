"""Fixtures and settings that all tests share."""

import pytest
from hypothesis import settings

from throughtime.nn.execution import RUNNERS

# The first is the judge of the others.
BACKENDS = [name for name in ("reference", "llvm") if name in RUNNERS]

# The same examples in every run: a red test stays red until it is understood.
settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("fixed")


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Every backend that runs on a CPU, one after the other."""
    return request.param
