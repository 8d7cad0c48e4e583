"""Files of a run: whole or not at all, and never over anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from throughtime.errors import CannotWrite, NotARun, RunExists
from throughtime.train.files.folder import check_run, make_folder, write


def test_folders_are_numbered_by_data_and_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [make_folder(None, "a/My text.txt", "PeepholeLSTM") for _ in range(3)]
    assert names == [Path(f"runs/my-text-peephole-lstm-{n}") for n in (1, 2, 3)]
    assert all(name.is_dir() for name in names)
    assert make_folder(None, "spoken-digits", "GRU").name == "spoken-digits-gru-1"


def test_a_new_or_empty_folder_is_taken(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b", "d", "c").is_dir()
    assert make_folder(tmp_path / "a" / "b", "d", "c").is_dir()


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").write_text("mine")
    for path in (tmp_path / "run", tmp_path / "run" / "file"):
        with pytest.raises(RunExists, match="give another one"):
            make_folder(path, "d", "c")
    assert (tmp_path / "run" / "file").read_text() == "mine"


@pytest.mark.parametrize("out", ["file/run", "\0", "x" * 300])
def test_where_nothing_can_be_written_is_said(tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot be written"):
        make_folder(tmp_path / out, "d", "c")


def test_an_unwritable_parent_of_the_default_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").write_text("a file is in the way")
    with pytest.raises(CannotWrite):
        make_folder(None, "d", "c")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    # The system refuses files over 1000 bytes, as a full disk would.
    program = """
import resource, sys
from pathlib import Path
from throughtime.errors import CannotWrite
from throughtime.train.files.folder import write
write(Path("weights"), b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write(Path("weights"), b"n" * 5000)
except CannotWrite as error:
    print(error)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert "'weights' cannot be written (File too large" in done.stdout, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
    assert (tmp_path / "weights").read_bytes() == b"old"


def test_a_file_is_replaced_in_one_move(tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    write(path, b"first")
    with path.open("rb") as reader:
        write(path, b"second")
        # Who has it open still reads the old one, whole.
        assert reader.read() == b"first"
    assert path.read_bytes() == b"second"


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model.json").write_text("{}")
    for name, reason in [
        ("nowhere", "there is nothing"),
        ("empty", r"no model\.json"),
        ("file", "it is a file"),
        ("half", r"no model\.safetensors"),
    ]:
        with pytest.raises(NotARun, match=reason):
            check_run(tmp_path / name)
