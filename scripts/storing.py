"""Store a bundled data set: its matrices, what they mean, and its card."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import throughtime.data
from throughtime.data import Card, SequenceDataset, describe, load, trivial_baselines

BUNDLED = Path(throughtime.data.__file__).parent / "bundled"


def store(dataset: SequenceDataset, card: Card, season: int | None = None) -> None:
    """Write all files of a data set; the card's numbers are measured on them."""
    folder = BUNDLED / dataset.name
    folder.mkdir(parents=True, exist_ok=True)
    described = {
        "schema": dataset.schema.to_json(),
        "question": asdict(dataset.question),
        "missing": dataset.missing,
    }
    text = json.dumps(described, ensure_ascii=False) + "\n"
    (folder / "schema.json").write_text(text, encoding="utf-8")
    np.savez_compressed(
        folder / "sequences.npz",
        **matrices(dataset),
        lengths=dataset.frames.lengths,
        keys=np.array(dataset.keys),
        **dataset.splits,
    )
    # Loading needs a card: first one without results, then the one with them.
    write(card, folder)
    found = trivial_baselines(load(dataset.name), season)
    measured = {name: round(value, 4) for name, value in found.items()}
    write(replace(card, baselines=measured), folder)
    print(describe(dataset.name))


def matrices(dataset: SequenceDataset) -> dict[str, np.ndarray]:
    """Join all matrices; booleans become bits."""
    lengths = enumerate(dataset.frames.lengths.tolist())
    joined = np.concatenate([dataset.frames.read(k, 0, stop) for k, stop in lengths])
    if all(column.kind == "boolean" for column in dataset.schema.columns):
        return {"bits": np.packbits(joined.astype(bool), axis=1)}
    return {"frames": joined}


def write(card: Card, folder: Path) -> None:
    (folder / "card.json").write_text(card.to_json(), encoding="utf-8")
