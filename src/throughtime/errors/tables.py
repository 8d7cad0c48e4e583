"""Mistakes in tables: their columns, rows, values, and what is asked of them."""

from throughtime.errors.data import DataError


class UnknownColumn(DataError):
    """A name that is no column."""

    message = (
        "{argument} names {name!r}, which is no column of {source}{hint}; its columns "
        "are {columns}: give one of these."
    )


class ColumnGivenTwice(DataError):
    """One column for two uses that exclude each other."""

    message = (
        "Column {column!r} is given as {first} and as {second}, expected one use: "
        "give another column for one of them."
    )


class BadColumnNames(DataError):
    """Something else than names of columns."""

    message = (
        "{argument} is {given}, expected the name of a column or a list of names: "
        "give the columns by their names."
    )


class NoFeatures(DataError):
    """A table without a column to learn from."""

    message = (
        "{source} has no column left to learn from; its columns are {columns}: give "
        "features, or leave one of the others out."
    )


class UnsuitableColumn(DataError):
    """A column of a type that is neither number, boolean nor text."""

    message = (
        "{source}, column {column!r} is of type {dtype}, expected numbers, booleans "
        "or text: give {advice}."
    )


class TooManyCategories(DataError):
    """A text with so many values that it is no category."""

    message = (
        "{source}, column {column!r} has more than {most} different texts, too many "
        "for a feature: give features without it, group its values first, or give it "
        "as sequence if it says to which sequence a row belongs."
    )


class InfiniteValue(DataError):
    """An infinite number."""

    message = (
        "{where}, column {column!r} is infinite, expected a finite number: give the "
        "number, or leave it empty where it is missing."
    )


class ValueMissing(DataError):
    """A value that is missing where none may."""

    message = (
        "{where}, column {column!r} has no value, expected one in every row: give "
        "{advice}."
    )


class MissingKey(DataError):
    """A row that belongs to no sequence, or has no time."""

    message = (
        "{where}, column {column!r} has no value, expected the {what} of every row: "
        "give it, or leave the row out."
    )


class NoRows(DataError):
    """A table without a row."""

    message = (
        "{source} has no rows, expected one for each time step: give data with rows."
    )


class DuplicateTime(DataError):
    """Two rows of a sequence at the same time."""

    message = (
        "Column {column!r} holds the time {time} twice in sequence {key!r} (its rows "
        "{rows}), expected one row at a time: give a sequence column that tells them "
        "apart, or leave one out."
    )


class BadArrays(DataError):
    """Arrays that are no sequences."""

    message = (
        "{source} are {given}, expected a list of arrays (T, F) of numbers, or one "
        "array (N, T, F): give each sequence as its own array, a row for each step."
    )


class BadMatrices(BadArrays):
    """Sparse matrices that are no sequences."""

    message = (
        "{source} are sparse matrices {given}, expected a list of matrices (T, d) of "
        "one width and of finite numbers: give each sequence as its own matrix, a row "
        "for each step."
    )


class TargetShapeMismatch(DataError):
    """Targets that do not fit the sequences."""

    message = (
        "The target has the shape {given}, expected (N,) or (N, K) for the {sequences} "
        "sequences, or a list of arrays (T,) or (T, K), as long as each: give one "
        "answer per sequence or per step."
    )


class ContradictoryQuestion(DataError):
    """A question that the data cannot answer."""

    message = "{argument}={given!r}, but {fact}: give {advice}."


class MixedColumns(DataError):
    """Columns of several kinds where one is needed."""

    message = (
        "The {what} are of several kinds ({kinds}), expected one kind: give {advice}."
    )


class TargetNotConstant(DataError):
    """One answer per sequence, where the target changes."""

    message = (
        "per='sequence', but column {column!r} changes within sequence {key!r} "
        "(at step {step}), expected one value: give per='step', or mend the column."
    )


class OneClassOnly(DataError):
    """A target that never changes in training."""

    message = (
        "Column {column!r} has the one value {value!r} in the training part, expected "
        "at least two classes: give data, or a split, with more."
    )


class UnseenClass(DataError):
    """A class that training does not know."""

    message = (
        "Column {column!r} has the class {value!r} outside the training part only "
        "(sequence {key!r}), expected every class in training: give more sequences "
        "of it, or another split or seed."
    )


class TooFewSequences(DataError):
    """Too few sequences to keep some of them apart."""

    message = (
        "{source} has {sequences} sequences with one answer each, expected at least "
        "{needed} so that training, validation and test have some: give more, or a "
        "split column."
    )


class SequenceTooShort(DataError):
    """No sequence is long enough to be split by time."""

    message = (
        "The longest sequence of {source}, {key!r}, has {length} steps, expected at "
        "least {needed} so that it can be split by time: give longer sequences, or "
        "ten and more of them."
    )


class BadSplitColumn(DataError):
    """A split column with other values, or without a part."""

    message = (
        "Column {column!r} of split {fault}, expected 'train', 'validation' or "
        "'test' for every sequence: give these words."
    )


class SequenceInTwoParts(DataError):
    """A sequence that is on two sides."""

    message = (
        "Sequence {key!r} is in {first!r} and in {second!r} by column {column!r} "
        "({where}), expected the same part in all its rows: give each sequence one "
        "part."
    )


class BadMemory(DataError):
    """An amount of memory that cannot be read."""

    message = "memory={given!r}, expected a size such as '256MB' or '2GiB': give one."


class DiskFull(DataError):
    """No room for the file that holds large data while they are used."""

    message = (
        "{size} of data do not fit on the disk of '{folder}' ({reason}), where data "
        "beyond memory are kept while they are used: give TMPDIR another folder, or "
        "a larger memory."
    )


class NotATable(DataError):
    """A file whose content is not what its ending says."""

    message = (
        "{source} cannot be read as {format} ({reason}): check that it is whole, or "
        "give another file."
    )


class NotANumber(DataError):
    """Text among numbers."""

    message = (
        "{where}, column {column!r} holds {value!r}, where most rows hold numbers: "
        "give the number, or leave it empty where it is missing."
    )


class DecimalComma(DataError):
    """Numbers that are written with a comma."""

    message = (
        "{where}, column {column!r} holds {value!r}, as most of its rows hold numbers "
        "with a comma, expected them with a point: save the table with decimal points "
        "and nothing between thousands."
    )


class NoHeader(DataError):
    """Numbers where the names of the columns belong."""

    message = (
        "{source} begins with the numbers {first}, expected the names of its columns "
        "in the first line: give it a line of names above."
    )


class RaggedRow(DataError):
    """A row with more or fewer fields than there are columns."""

    message = (
        "{where} has {fields} fields, expected {columns} as in the first line: give "
        "each row as many, and text with separators in quotes."
    )


class DuplicateColumn(DataError):
    """Two columns of one name."""

    message = (
        "{source} has two columns named {column!r}, expected names that differ: give "
        "one of them another name."
    )


class NoTable(DataError):
    """A folder or pattern without tables of one format."""

    message = (
        "{source} holds {found}, expected files of one of the formats {formats}: give "
        "a folder or a pattern with tables of one format."
    )


class FilesDiffer(DataError):
    """Two files of one table with other columns."""

    message = (
        "{source} has the columns {given}, but {first} has {expected}: give files "
        "with the same columns and types."
    )


class TruthMissing(DataError):
    """New data to be measured, without what is true of them."""

    message = (
        "There is no {what} in {source}{hint}, expected it, since answers are measured "
        "against what is true: give it, or use `throughtime predict` (in Python "
        "throughtime.train.predict) for rows whose truth nobody knows."
    )


class SchemaMismatch(DataError):
    """New data that are not as those in training were."""

    message = (
        "{source} {fault}, expected {expected} as in training: give data with the "
        "columns that the model was trained on."
    )


class NotATime(DataError):
    """A text that tells no time."""

    message = (
        "{where}, column {column!r} holds {value!r}, expected a number, a date, or a "
        "time of the form 2026-01-31T12:00:00: give one of these as time."
    )


class OneSequencePerClass(DataError):
    """Classes that cannot be in several parts."""

    message = (
        "Each of the {classes} classes has one sequence only, expected more, so that "
        "what is kept apart has no class that training does not know: give more "
        "sequences of each class."
    )


class FeatureWithoutValues(DataError):
    """A feature that is missing at every step of training."""

    message = (
        "Feature {feature} has no value in the training part, expected some: give "
        "features without it, or another split."
    )


class UnnamedColumn(DataError):
    """A column without a name."""

    message = (
        "{source} has no name for column {number} in its first line, expected one for "
        "each: give it a name, or save the table without its row numbers."
    )


class ColumnWithoutValues(DataError):
    """A column that is empty in every row."""

    message = (
        "{source}, column {column!r} has no value in any row, expected some: give "
        "features without it."
    )


class BadTSFile(DataError):
    """A line of a `.ts` file that cannot be read."""

    message = (
        "{where} {fault}, expected `@data` and then one sequence a line, its channels "
        "separated by colons, equally long, and without time stamps: give such a file."
    )


class NotAFeature(DataError):
    """A column whose future is asked, but which is not read."""

    message = (
        "Column {column!r} is given as target of task='{task}', which predicts what "
        "is read, but is no feature: give it among the features, too."
    )


class UnknownClass(DataError):
    """A class that the model does not know, in new data."""

    message = (
        "{where}, column {column!r} has the class {value!r}, expected one of {known} "
        "as in training: give data of these classes."
    )
