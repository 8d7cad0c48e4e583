"""Objects on disk hold code: what cannot be trusted is compiled again, never run."""

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from throughtime.backends.llvm import object_cache
from throughtime.backends.llvm.object_cache import VARIABLE, Entry, cached
from throughtime.cells import LSTM
from throughtime.graph import trace
from throughtime.graph.serialize import text_of
from throughtime.nn.compiled.engine import Engine

GOOD: Entry = ({"names": ["a", "b"], "panel_size": 3}, bytes(range(256)) * 40)
KEY = "a key"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(VARIABLE, str(folder))
    object_cache._warn_once.cache_clear()
    return folder


def made() -> Entry:
    return GOOD


def refused() -> Entry:
    raise AssertionError("it should have been read")


def again() -> Entry:
    return {"names": ["again"]}, b"again"


def only(place: Path) -> Path:
    (path,) = place.iterdir()
    return path


def test_what_was_written_is_read(place: Path) -> None:
    assert cached(KEY, made) == GOOD
    assert cached(KEY, refused) == GOOD
    assert cached("another", again) == again()
    assert place.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.iterdir())


def replace(old: bytes, new: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes().replace(old, new))


def flip(position: int) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[position] ^= 1
        path.write_bytes(content)

    return damage


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "one byte short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "one byte long": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "magic alone": lambda path: path.write_bytes(object_cache.MAGIC),
    "another version": replace(object_cache.MAGIC, b"throughtime 0\n"),
    "another key": replace(KEY.encode(), b"b key"),
    "first byte": flip(0),
    "checksum": flip(20),
    "head": flip(60),
    "last byte": flip(-1),
    "noise": lambda path: path.write_bytes(os.urandom(9000)),
    "writable by the group": lambda path: path.chmod(0o620),
    "writable by all": lambda path: path.chmod(0o602),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_again(place: Path, damage: str) -> None:
    cached(KEY, made)
    DAMAGES[damage](only(place))
    assert cached(KEY, again) == again()
    assert cached(KEY, refused) == again()


def test_an_entry_under_the_name_of_another(place: Path) -> None:
    cached(KEY, made)
    first = only(place)
    cached("another", again)
    (second,) = set(place.iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    assert cached("another", again) == again()


def test_whole_files_that_are_no_entries(place: Path) -> None:
    # Their checksum holds; who wrote them had another idea of an entry.
    cached(KEY, made)
    path = only(place)
    for body in (b"", b"\n", b"[]\ncode", b"{}\ncode", b"\xff\xfe\ncode"):
        path.write_bytes(object_cache.MAGIC + sha256(body).digest() + body)
        assert cached(KEY, again) == again()


def test_a_folder_in_the_place_of_an_entry(place: Path) -> None:
    cached(KEY, made)
    path = only(place)
    path.unlink()
    path.mkdir()
    with pytest.warns(UserWarning, match="not kept on disk"):
        assert cached(KEY, again) == again()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write(place: Path, mode: int) -> None:
    cached(KEY, made)
    place.chmod(mode)
    with pytest.warns(UserWarning, match="others may write"):
        assert cached(KEY, again) == again()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cached(KEY, again) == again()


def test_a_file_in_the_place_of_the_folder(place: Path) -> None:
    place.write_text("no folder")
    with pytest.warns(UserWarning, match=VARIABLE):
        assert cached(KEY, made) == GOOD


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may read and write all")
@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_folder_without_permission(place: Path, mode: int) -> None:
    place.mkdir(mode=mode)
    with pytest.warns(UserWarning, match="not kept on disk"):
        assert cached(KEY, made) == GOOD


FULL = """
import resource, warnings
from throughtime.backends.llvm.object_cache import cached
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    entry = cached("key", lambda: ({}, bytes(10_000)))
assert entry == ({}, bytes(10_000))
assert len(seen) == 1 and "not kept on disk" in str(seen[0].message)
"""


def run(text: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", text],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a Unix process")
def test_a_full_disk(place: Path) -> None:
    process = run(FULL)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert list(place.iterdir()) == []


MANY = """
from throughtime.backends.llvm.object_cache import cached
for turn in range(200):
    key = f"key {turn % 5}"
    expected = {"key": key}, key.encode() * 3000
    assert cached(key, lambda: expected) == expected
"""


def test_many_processes_at_once(place: Path) -> None:
    processes = [run(MANY) for _ in range(4)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert len(list(place.iterdir())) == 5


def test_what_is_compiled_is_logged(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    graph = trace(LSTM(), 3, 4)
    for count in (1, 1):
        with caplog.at_level("INFO", "throughtime"):
            Engine(text_of(graph), False, "", torch.float32).kernel(2, backward=False)
        # The second time it was kept.
        texts = [record.getMessage() for record in caplog.records]
        assert len(texts) == count
        assert re.fullmatch(r"LSTM: compiled forward in \d+\.\d s", texts[0])
