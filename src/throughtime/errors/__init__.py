"""Every exception of the package, one class per mistake.

A message is one sentence that names the argument, what was given, what was expected
and what to do. All classes descend from `ThroughtimeError`; `base` holds it, each
other file the mistakes of one subject. Imports nothing of the package and no torch.

Next: `graph`, what is computed.
"""

from throughtime.errors.base import ThroughtimeError
from throughtime.errors.data import (
    BadStandardiser,
    DataError,
    EmptyFile,
    FeatureCountMismatch,
    FolderGiven,
    MissingFile,
    NonFiniteFeature,
    NotADataSource,
    NotPositive,
    NoTrainingSteps,
    NotUTF8,
    OneSymbolText,
    SymbolOutsideVocabulary,
    TextTooShort,
    TooFewSymbols,
    UnknownDataSet,
    UnreadableFile,
)
from throughtime.errors.language import (
    CellError,
    InvalidGraph,
    NotBuiltYet,
    OutsideTheLanguage,
    ShapeMismatch,
    UnknownFormat,
)
from throughtime.errors.modules import BadSetting, UnsuitableInitialisation

__all__ = [
    "BadSetting",
    "BadStandardiser",
    "CellError",
    "DataError",
    "EmptyFile",
    "FeatureCountMismatch",
    "FolderGiven",
    "InvalidGraph",
    "MissingFile",
    "NoTrainingSteps",
    "NonFiniteFeature",
    "NotADataSource",
    "NotBuiltYet",
    "NotPositive",
    "NotUTF8",
    "OneSymbolText",
    "OutsideTheLanguage",
    "ShapeMismatch",
    "SymbolOutsideVocabulary",
    "TextTooShort",
    "ThroughtimeError",
    "TooFewSymbols",
    "UnknownDataSet",
    "UnknownFormat",
    "UnreadableFile",
    "UnsuitableInitialisation",
]
