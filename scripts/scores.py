"""Read what sounds when out of a compressed MusicXML score."""

import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import IO
from xml.etree.ElementTree import Element

import numpy as np

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LOWEST, KEYS = 21, 88


def read_score(file: IO[bytes]) -> Element:
    """Return the score that a `.mxl` file names in its container."""
    with zipfile.ZipFile(file) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        name = container.find(".//rootfile").attrib["full-path"]
        return ElementTree.fromstring(archive.read(name))


def part_names(score: Element) -> list[str]:
    return [part.findtext("part-name") for part in score.iter("score-part")]


def piano_roll(score: Element) -> np.ndarray:
    """Return which of the 88 keys sound at each quarter note `(T, 88)`.

    Quarter t sees the notes with start <= t < end. Repeats are not played twice, grace
    notes have no time, and the last note or written rest is the end.
    """
    notes = [note for part in score.findall("part") for note in _notes(part)]
    roll = np.zeros((ceil(max(end for _, end, _ in notes)), KEYS), dtype=bool)
    for start, end, key in notes:
        if key is not None:
            roll[ceil(start) : ceil(end), key] = True
    return roll


def _notes(part: Element) -> Iterator[tuple[Fraction, Fraction, int | None]]:
    """Give start and end in quarters and key of every note; a rest has no key."""
    now = started = end = Fraction(0)
    divisions = 1
    for measure in part.findall("measure"):
        now = end
        for element in measure:
            divisions = int(element.findtext("divisions", divisions))
            duration = Fraction(element.findtext("duration", "0")) / divisions
            if element.tag == "backup":
                now -= duration
            elif element.tag == "forward":
                now += duration
            elif element.tag == "note" and element.find("grace") is None:
                if element.find("chord") is None:
                    started, now = now, now + duration
                yield started, started + duration, _key(element.find("pitch"))
            end = max(end, now)


def _key(pitch: Element | None) -> int | None:
    if pitch is None:
        return None
    octave = 12 * (int(pitch.findtext("octave")) + 1)
    step = SEMITONES[pitch.findtext("step")] + int(pitch.findtext("alter", "0"))
    return octave + step - LOWEST
