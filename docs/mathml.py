"""Formulas as MathML, written when the pages are built: no script, no network."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

RENDERER = "mathml"


def formula(tex: str, *, block: bool) -> str:
    """Translate TeX; several lines are aligned at their ``&``."""
    if "&" in tex or r"\\" in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    return tex2mathml(tex, as_block=block)


def _inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(formula(node.astext(), block=False))
    raise nodes.SkipNode


def _block(writer: HTML5Translator, node: nodes.math_block) -> None:
    written = formula(node.astext(), block=True)
    writer.body.append(f'<div class="formula">{written}</div>')
    raise nodes.SkipNode


def add_to(app: Sphinx) -> None:
    app.add_html_math_renderer(RENDERER, (_inline, None), (_block, None))
