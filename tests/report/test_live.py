"""The page of a training that goes on."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
import torch

import throughtime as tt
from tests.report.conftest import table
from throughtime.report.live import LivePage
from throughtime.train.showing.progress import Moment, Reporter, Row, Silent


class Stops(Silent):
    """Looks at the page at the end of each epoch."""

    def __init__(self, look: Callable[[], None]) -> None:
        self.look = look
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def epoch(self, row: Row) -> None:
        self.look()


def read(address: str, **headers: str) -> str:
    with urlopen(Request(address, headers=headers), timeout=20) as answer:
        return answer.read().decode()


def train(data: Path, out: Path, reporter: Any = None) -> tt.train.Run:
    return tt.fit(
        tt.cells.GRU(),
        str(data),
        sequence="key",
        target=["class"],
        hidden_size=4,
        epochs=3,
        threads=1,
        out=out,
        reporter=reporter,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return table(tmp_path / "data.csv")


def test_the_page_is_served_while_it_learns_and_not_after(
    data: Path, tmp_path: Path
) -> None:
    states: list[dict[str, Any]] = []
    pages: list[str] = []

    def look() -> None:
        assert live.address is not None
        states.append(json.loads(read(f"{live.address}state")))
        pages.append(read(live.address))

    stops = Stops(look)
    with LivePage() as live:
        train(data, tmp_path / "run", lambda _, folder: live.beside(stops, folder))
    assert stops.said[0] == f"live page: {live.address}"
    assert len(states) == 3
    assert not any(state["ended"] for state in states)
    assert states[0]["words"].startswith("Epoch 1, update ")
    assert all("Did it learn?" in page for page in pages)
    assert states[0]["epochs"] == 1
    with pytest.raises(URLError):
        read(live.address or "")


def moment(epoch: int) -> Moment:
    return Moment(epoch, 1, 2, 1, 0.5, 1.0, 0.1, 10.0)


def serve(live: LivePage, run: Path) -> tuple[str, Reporter]:
    reporter = live.beside(Silent(), run)
    assert live.address is not None
    return live.address, reporter


def test_who_watches_sees_the_end(trained: Path) -> None:
    live = LivePage()
    address, reporter = serve(live, trained)
    with reporter:
        reporter.batch(moment(5))
        reporter.epoch({"epoch": 5})
        assert json.loads(read(f"{address}state"))["epochs"] == 5
    ending = threading.Thread(target=live.__exit__, args=(None, None, None))
    ending.start()
    while not (state := json.loads(read(f"{address}state")))["ended"]:
        pass
    assert "has ended" in state["words"]
    assert "All 5 epochs were done." in read(f"{address}main")
    ending.join(10)
    assert not ending.is_alive()


def test_only_this_machine_by_its_own_name_is_answered(trained: Path) -> None:
    with LivePage() as live:
        address, _ = serve(live, trained)
        assert address.startswith("http://127.0.0.1:")
        port = address.rstrip("/").rpartition(":")[2]
        for path, host, status in [
            ("", f"evil.example:{port}", 403),
            ("nothing", f"127.0.0.1:{port}", 404),
            ("../model.json", f"127.0.0.1:{port}", 404),
        ]:
            with pytest.raises(HTTPError) as caught:
                read(address + path, Host=host)
            assert caught.value.code == status
            caught.value.close()


def test_a_run_that_cannot_be_read_ends_nothing(plain: Path) -> None:
    (plain / "metrics.jsonl").write_text("{\n")
    with LivePage() as live:
        address, _ = serve(live, plain)
        with pytest.raises(HTTPError) as caught:
            read(address)
        assert caught.value.code == 503
        caught.value.close()
        assert json.loads(read(f"{address}state"))["epochs"] == 0


def test_the_page_is_made_again_only_now_and_then(trained: Path) -> None:
    with LivePage() as live:
        address, reporter = serve(live, trained)
        reporter.epoch({"epoch": 1})
        assert json.loads(read(f"{address}state"))["epochs"] == 1
        first = read(f"{address}main")
        reporter.epoch({"epoch": 2})
        # To make it took longer than a twentieth of the time since.
        assert json.loads(read(f"{address}state"))["epochs"] == 1
        assert read(f"{address}main") == first


def test_watching_changes_no_bit(data: Path, tmp_path: Path) -> None:
    alone = train(data, tmp_path / "alone").model.state_dict()

    def look() -> None:
        read(f"{live.address}main")

    with LivePage() as live:
        told = train(
            data,
            tmp_path / "watched",
            lambda _, folder: live.beside(Stops(look), folder),
        )
    for name, weight in told.model.state_dict().items():
        assert torch.equal(weight, alone[name]), name
