"""The page about runs that do not learn."""

from typing import Any


def page(found: Any, took: float, machine: str) -> str:
    return ""
