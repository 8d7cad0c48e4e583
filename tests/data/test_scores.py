"""How the chorales are read out of scores, and which of them are variants."""

import io
import zipfile
from xml.etree import ElementTree

import numpy as np

from scripts.scores import part_names, piano_roll, read_score
from scripts.variants import groups

CONTAINER = '<container><rootfile full-path="a.xml"/></container>'
NOTE = (
    "<note><pitch><step>{}</step><octave>{}</octave></pitch>"
    "<duration>{}</duration></note>"
)
MIDDLE_C = 39


def score(*parts: str) -> ElementTree.Element:
    names = "".join(
        f"<score-part><part-name>{k}</part-name></score-part>" for k in "AB"
    )
    body = "".join(f"<part>{part}</part>" for part in parts)
    return ElementTree.fromstring(
        f"<score-partwise><part-list>{names}</part-list>{body}</score-partwise>"
    )


def sounding(*measures: str) -> list[list[int]]:
    """Say which keys, counted from middle C, sound at each quarter."""
    divisions = "<measure><attributes><divisions>2</divisions></attributes></measure>"
    joined = "".join(f"<measure>{one}</measure>" for one in measures)
    roll = piano_roll(score(divisions + joined))
    assert roll.shape[1] == 88
    return [(np.flatnonzero(step) - MIDDLE_C).tolist() for step in roll]


def note(step: str, duration: int, octave: int = 4, extra: str = "") -> str:
    return NOTE.format(step, octave, duration).replace("<note>", f"<note>{extra}")


REST = "<note><rest/><duration>2</duration></note>"


def test_notes_sound_from_their_start_to_before_their_end() -> None:
    assert sounding(note("C", 2) + note("D", 4), note("A", 2, 5)) == [
        [0],
        [2],
        [2],
        [21],
    ]


def test_a_note_between_two_quarters_is_not_seen() -> None:
    assert sounding(note("C", 1) + note("D", 1) + note("E", 2)) == [[0], [4]]
    # One that goes on to the next quarter is seen there.
    assert sounding(note("C", 1) + note("D", 3)) == [[0], [2]]


def test_chords_backups_rests_and_alterations() -> None:
    assert sounding(note("C", 2) + note("E", 2, extra="<chord/>")) == [[0, 4]]
    back = "<backup><duration>4</duration></backup>"
    assert sounding(note("E", 4) + back + REST + note("C", 2)) == [[4], [0, 4]]
    forward = "<forward><duration>2</duration></forward>"
    assert sounding(note("E", 2) + forward, note("C", 2)) == [[4], [], [0]]
    flat = note("B", 2).replace("</step>", "</step><alter>-1</alter>")
    assert sounding(flat + REST) == [[10], []]


def test_grace_notes_have_no_time_and_a_silent_end_is_none() -> None:
    grace = note("B", 0, extra="<grace/>").replace("<duration>0</duration>", "")
    forward = "<forward><duration>2</duration></forward>"
    assert sounding(grace + note("C", 2) + forward) == [[0]]


def test_parts_sound_together_each_in_its_own_divisions() -> None:
    measure = "<measure><attributes><divisions>{}</divisions></attributes>{}</measure>"
    both = score(measure.format(1, note("C", 2)), measure.format(4, note("E", 4)))
    assert [np.flatnonzero(s).tolist() for s in piano_roll(both)] == [[39, 43], [39]]
    assert part_names(both) == ["A", "B"]


def test_a_compressed_score_is_found_by_its_container() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("a.xml", "<score-partwise/>")
        archive.writestr("b.xml", "<other/>")
    assert read_score(file).tag == "score-partwise"


def test_variants_are_together() -> None:
    def steps(*keys: int) -> np.ndarray:
        return np.eye(88, dtype=bool)[list(keys)]

    piece = steps(30, 32, 34, 35, 37, 39, 41)
    transposed = steps(33, 35, 37, 38, 40, 42, 44)
    half = np.concatenate([piece[:5], steps(50, 51, 50, 51)])
    other = steps(40, 50, 40, 50, 40, 50, 40)
    assert groups([piece, other, transposed, half]) == [[0, 2, 3], [1]]
    # What is a variant of a variant is one, too.
    follows = np.concatenate([steps(51, 50, 51, 50, 51, 50), half[4:]])
    assert groups([follows, piece, half]) == [[0, 1, 2]]
