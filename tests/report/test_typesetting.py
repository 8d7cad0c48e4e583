"""Formulas say what the lines say, in MathML."""

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from throughtime.cells.built_in import BUILT_IN
from throughtime.graph import trace
from throughtime.graph.show import Equations
from throughtime.report.typesetting import equations_of, typeset


def lines(of: Equations) -> Iterator[str]:
    yield from (*of.forward, *of.deltas, *of.gradients)


def said(formula: str) -> str:
    """What stands in a formula, from left to right, letters of index and all."""
    return "".join(ElementTree.fromstring(formula).itertext()).replace(" ", "")


def bare(line: str) -> str:
    """A line without the signs that only place letters."""
    for sign, letter in {"ᵀ": "T", "²": "2", "³": "3"}.items():
        line = line.replace(sign, letter)
    return "".join(c for c in line if c not in "_{} ")


@pytest.mark.parametrize("word", BUILT_IN)
def test_every_sign_of_every_built_in_cell_is_set(word: str) -> None:
    found = list(lines(equations_of(trace(BUILT_IN[word], 6, 6))))
    assert found
    for line in found:
        # The slash of a fraction is its line.
        set_in_type = said(typeset(line)).replace("∂L∂", "∂L/∂")
        assert set_in_type == bare(line), line


@pytest.mark.parametrize(
    ("line", "formula"),
    [
        (
            "h_{t−1}",
            "<msub><mi>h</mi><mrow><mi>t</mi><mo>−</mo><mn>1</mn></mrow></msub>",
        ),
        ("W_hhᵀ", "<msup><msub><mi>W</mi><mi>hh</mi></msub><mi>T</mi></msup>"),
        (
            "∂L/∂x_t",
            "<mfrac><mrow><mo>∂</mo><mi>L</mi></mrow><mrow><mo>∂</mo><msub><mi>x</mi>"
            "<mi>t</mi></msub></mrow></mfrac>",
        ),
        ("Σ_t", "<munder><mo>Σ</mo><mi>t</mi></munder>"),
        ("δa_t", "<msub><mrow><mi>δ</mi><mi>a</mi></mrow><mi>t</mi></msub>"),
        ("−x", '<mo form="prefix">−</mo><mi>x</mi>'),
        ("= −x", '<mo>=</mo><mo form="prefix">−</mo><mi>x</mi>'),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        ("W x", '<mi>W</mi><mspace width="0.2em"/><mi>x</mi>'),
    ],
)
def test_letters_stand_where_a_textbook_has_them(line: str, formula: str) -> None:
    assert typeset(line) == f'<math displaystyle="true">{formula}</math>'


def test_words_behind_a_formula_stay_words() -> None:
    formula = typeset("∂L/∂h_init = δh_{t−1} at each sequence's first step")
    assert formula.endswith("<mtext> at each sequence's first step</mtext></math>")
