"""How Sphinx builds the documentation: `make docs`."""

import sys
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import mathml  # noqa: E402
import pages  # noqa: E402

project = "throughtime"
author = "The throughtime authors"
copyright = author
release = metadata.version("throughtime")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "generated/gallery",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "within_subsection_order": "FileNameSortKey",
}
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
default_role = "py:obj"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False

# Pages that need nothing from a network: formulas are MathML, which browsers draw.
html_math_renderer = mathml.RENDERER
html_theme = "pydata_sphinx_theme"
html_title = "throughtime"
html_static_path = ["_static"]
html_css_files = ["throughtime.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "footer_start": [],
    "footer_end": [],
    "logo": {"text": "throughtime"},
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "show_toc_level": 2,
}
html_sidebars = {
    page: []
    for page in ("index", "one_sitting", "how_it_is_fast", "generated/architecture")
}


def write_pages(app: Sphinx) -> None:
    """Make the pages that the package itself writes."""
    pages.write(Path(app.srcdir) / "generated")


def setup(app: Sphinx) -> None:
    mathml.add_to(app)
    app.connect("builder-inited", write_pages)
