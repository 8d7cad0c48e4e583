"""What the search looks at: ragged recordings, and which digit each is."""

from benchmarks.searching import recordings


def test_no_recording_of_the_test_part_is_searched_on() -> None:
    searched, digits = recordings("train", "validation")
    kept, truth = recordings("test")
    assert (len(searched), len(kept)) == (len(digits), len(truth)) == (2400, 600)
    assert {one.shape[1] for one in [*searched, *kept]} == {13}
    assert len({len(one) for one in searched}) > 10
    assert len(set(digits)) == len(set(truth)) == 10
    known = {one.tobytes() for one in searched}
    assert not known & {one.tobytes() for one in kept}
