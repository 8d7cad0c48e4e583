"""The packages of the extra `report`, loaded when a page is made."""

from functools import cache
from importlib import import_module
from typing import Final

from throughtime.errors import ReportExtraMissing

# What is imported, and what it is installed as.
_PACKAGES: Final = {
    "altair": "altair",
    "vl_convert": "vl-convert-python",
    "jinja2": "jinja2",
}


def check_extra(what: str) -> None:
    """Refuse to draw what nothing here can draw.

    Parameters
    ----------
    what
        What needs it, as the person asked for it.

    Raises
    ------
    ReportExtraMissing
        A package is not installed.
    """
    for module, package in _PACKAGES.items():
        try:
            import_module(module)
        except ImportError:
            raise ReportExtraMissing(what=what, package=package) from None


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that needs no network."""
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # A script ends where HTML sees its end, in a text of the script, too.
    return bundle.replace("</script", r"<\/script")
