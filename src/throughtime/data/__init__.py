"""SEQUENCES from what people have: tables, arrays, texts, bundled data, in batches.

`read` gives a `SequenceDataset` or a `TextDataset`: what there is to learn, split into
training, validation and test; `read_like` reads new rows for a schema that is known.
`sources` knows files and frames, `tables` makes matrices of their rows. A `Part` is
read piece by piece; `SequenceBatches` and `TextStreams` cut data into tensors.

May import `errors` and the rooms below, NumPy, polars, narwhals, torch and, for areas
under curves, scikit-learn; never the network. The files of `bundled/` are made by the
scripts in `scripts/` and travel in the wheel, each with its licence.

Next: `train`, which learns from these batches.
"""

from throughtime.data.batches import SequenceBatch, SequenceBatches, pad
from throughtime.data.card import Card
from throughtime.data.datasets import (
    Dataset,
    SequenceDataset,
    TextDataset,
    classified,
)
from throughtime.data.description import Description, describe_data
from throughtime.data.frames import Frames, FramesInMemory, StoredFrames
from throughtime.data.loading import (
    cards,
    describe,
    licence,
    load,
)
from throughtime.data.new_rows import NewRows, read_like
from throughtime.data.part import Part
from throughtime.data.pieces import counted, whole, windows
from throughtime.data.question import Per, Question, TaskName
from throughtime.data.read import read
from throughtime.data.reading import Missing, Reading
from throughtime.data.schema import Column, Kind, Schema
from throughtime.data.streams import IGNORED, TextChunk, TextStreams
from throughtime.data.text import UNKNOWN, decode, encode, read_text, text_dataset
from throughtime.data.trivial import naive_error, trivial_baselines
from throughtime.data.types import Split
from throughtime.data.writing import check_ending, write_table

__all__ = [
    "IGNORED",
    "UNKNOWN",
    "Card",
    "Column",
    "Dataset",
    "Description",
    "Frames",
    "FramesInMemory",
    "Kind",
    "Missing",
    "NewRows",
    "Part",
    "Per",
    "Question",
    "Reading",
    "Schema",
    "SequenceBatch",
    "SequenceBatches",
    "SequenceDataset",
    "Split",
    "StoredFrames",
    "TaskName",
    "TextChunk",
    "TextDataset",
    "TextStreams",
    "cards",
    "check_ending",
    "classified",
    "counted",
    "decode",
    "describe",
    "describe_data",
    "encode",
    "licence",
    "load",
    "naive_error",
    "pad",
    "read",
    "read_like",
    "read_text",
    "text_dataset",
    "trivial_baselines",
    "whole",
    "windows",
    "write_table",
]
