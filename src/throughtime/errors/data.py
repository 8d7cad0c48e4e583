"""Mistakes in what is to be learned from: names, files, texts, batches."""

from throughtime.errors.base import ThroughtimeError


class DataError(ThroughtimeError, ValueError):
    """The data, or what was asked of them, cannot be used."""


class NotADataSource(DataError):
    """Something else than a name or a path was given as data."""

    message = (
        "data is of type {kind}, expected the name of a bundled data set, a path, a "
        "frame or a list of arrays: pass one of these."
    )


class UnknownDataSet(DataError):
    """A name that is neither a bundled data set nor a file."""

    message = (
        "data='{name}' is neither a bundled data set nor a file{hint}: bundled are "
        "{bundled}; for your own text give the path of a UTF-8 file."
    )


class MissingFile(DataError):
    """A path that leads to nothing."""

    message = (
        "There is no file '{path}' (looked from '{folder}'): check the spelling, or "
        "give the whole path."
    )


class FolderGiven(DataError):
    """A folder where a file is needed."""

    message = (
        "'{path}' is a folder, expected one text file: give the path of a file in it."
    )


class UnreadableFile(DataError):
    """A file that the system does not let us read."""

    message = (
        "The file '{path}' cannot be read ({reason}): check its permissions and its "
        "disk, or give another file."
    )


class EmptyFile(DataError):
    """A file without a character."""

    message = (
        "The file '{path}' is empty, expected text or a table: give a file with "
        "content."
    )


class NothingToMeasure(DataError):
    """New data without one answer whose truth is known."""

    message = (
        "{source} has no step whose answer can be measured, expected one: give longer "
        "sequences, as the first answer and its truth need some steps."
    )


class NotAText(DataError):
    """Columns, for a model that has learned a text."""

    message = (
        "'{source}' has columns, expected a text, as the model has learned one: give "
        "the path of a text."
    )


class NotUTF8(DataError):
    """Bytes that are no UTF-8 text."""

    message = (
        "The file '{path}' is not UTF-8 text (byte {position} does not decode): save "
        "it as UTF-8, for example with `iconv -f latin1 -t utf-8`."
    )


class OneSymbolText(DataError):
    """A text whose training part repeats one character: nothing to predict."""

    message = (
        "The training part of '{source}' has one symbol only, {symbol!r}, expected at "
        "least two: there is nothing to predict in it, give another text."
    )


class UnknownSplit(DataError):
    """A split that a text does not have."""

    message = (
        "split={given!r} is no split of the text {source}, expected 'time' or none: "
        "give one of these."
    )


class TextTooShort(DataError):
    """A text too short to be split."""

    message = (
        "The text '{source}' has {length} characters, expected at least {needed} so "
        "that training, validation and test each predict one: give a longer text."
    )


class SymbolOutsideVocabulary(DataError):
    """A number that stands for no symbol."""

    message = (
        "Symbol {symbol} is outside the vocabulary, expected 0 to {last}: decode with "
        "the vocabulary that encoded."
    )


class NotPositive(DataError):
    """A count below one."""

    message = (
        "{argument}={given!r}, expected a whole number of at least 1: give a larger "
        "{argument}."
    )


class TooFewSymbols(DataError):
    """Fewer symbols than parallel streams need."""

    message = (
        "{symbols} symbols cannot fill batch_size={batch_size} parallel streams, "
        "expected at least {needed} symbols: give a smaller batch_size or a longer "
        "text."
    )


class NoTrainingSteps(DataError):
    """Sequences without a single time step."""

    message = (
        "The training sequences have no time step at all, expected at least one: "
        "check how the sequences were read and split."
    )


class NonFiniteFeature(DataError):
    """Infinity among the features."""

    message = (
        "Sequence {sequence} is infinite at step {step}, feature {feature}, "
        "expected finite numbers: fill or remove such values first."
    )


class FeatureCountMismatch(DataError):
    """Sequences with another number of features than expected."""

    message = (
        "A sequence has the shape {given}, expected (T, {expected}) as in training: "
        "give the features that the model was trained on."
    )


class UnknownTableFormat(DataError):
    """A file to be written whose ending names no format."""

    message = (
        "The ending of '{path}' names no format to write, expected one of {known}: "
        "give the file such an ending."
    )
