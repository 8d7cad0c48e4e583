"""Mistakes around a training: its settings, its cell, its run folder, its result."""

from throughtime.errors.base import ThroughtimeError


class SettingError(ThroughtimeError, ValueError):
    """A setting of a training has a value that it cannot have."""


class NumberOutOfRange(SettingError):
    """A number outside the range of its setting."""

    message = "{argument}={given!r}, expected {expected}: give such a number."


class UnknownChoice(SettingError):
    """A word that is none of those a setting knows."""

    message = (
        "{argument}={given!r} is not known{hint}, expected one of {known}: give one "
        "of these."
    )


class HeadSizeMismatch(SettingError):
    """An output layer that is given another number of units than it was built for."""

    message = (
        "{head} is given the shape {given}, expected (…, {expected}) as it was built: "
        "give input_size the units of the network before it."
    )


class UnusedSetting(SettingError):
    """A setting that has nothing to act on."""

    message = "{argument}={given!r}, expected none for {reason}: leave {argument} out."


class TruncatedTwice(SettingError):
    """Two settings that say how far error flows back."""

    message = (
        "steps={steps} and tbptt={tbptt!r} both say how far error flows back, expected "
        "one of them: leave steps out, as K and K:K are such steps."
    )


class UnfitTarget(SettingError):
    """A question that cannot be asked of its columns."""

    message = (
        "task='{task}' is asked of {given}, expected {expected}: name other columns as "
        "target, or choose another task."
    )


class TooLargeForMemory(ThroughtimeError, MemoryError):
    """A network or batch for which this machine has no memory."""

    message = (
        "{what} is too large for the memory of this machine ({reason}), expected what "
        "fits into it: {advice}."
    )


class BadTarget(SettingError):
    """Targets of another shape or dtype than the answers they are compared with."""

    message = "{argument} is {given}, expected {expected}: {advice}."


class ExtraMissing(SettingError):
    """A setting that needs a package which is not installed."""

    message = (
        "{argument}={given!r} needs the package {package}, which is not installed, "
        'expected it here: pip install "throughtime[{extra}]"'
    )


class DeviceMissing(SettingError):
    """A device that this machine or this PyTorch does not have."""

    message = (
        "device={given!r} cannot be used ({reason}), expected a device that PyTorch "
        "sees here: use device='cpu', or install the PyTorch build for your GPU."
    )


class LooksAhead(SettingError):
    """A network that would see what it is to predict."""

    message = (
        "bidirectional=True, expected False for the next steps of '{data}': the "
        "reverse direction would read the answer: leave bidirectional out."
    )


class CellNeedsInput(SettingError):
    """A cell with a further input, for which no column was named."""

    message = (
        "{cell} has the Input '{name}', expected a column that feeds it: name one in "
        "inputs (on the command line by --input {name}=COLUMN), or leave the Input out."
    )


class InputWithoutCell(SettingError):
    """A column for an input that the cell does not have."""

    message = (
        "inputs names '{name}', expected an Input of {cell}, which has none of that "
        "name: leave it out, or add it to the features."
    )


class CellInputMismatch(SettingError):
    """Columns for an input that are more or fewer numbers than it takes."""

    message = (
        "inputs gives '{name}' of {cell} {given} numbers at each step, expected "
        "{needed} as it is declared: name as many columns, or declare another size."
    )


class BadConfiguration(SettingError):
    """A file of options that is no TOML."""

    message = (
        "The file '{path}' cannot be read as TOML ({reason}), expected lines such as "
        "`hidden_size = 128`: mend that line."
    )


class UnknownOption(SettingError):
    """A name in a file of options that is none."""

    message = (
        "The file '{path}' has the option '{name}', which is not known{hint}, expected "
        "the options that `throughtime train --help` lists, but for --out, --resume, "
        "--json and --quiet: mend or remove it."
    )


class OptionOfOtherKind(SettingError):
    """A value in a file of options that the option cannot have."""

    message = (
        "The file '{path}' says {name} = {given!r}, expected {expected}: mend it, or "
        "leave the option out."
    )


class TooFarAhead(SettingError):
    """A forecast for which no sequence is long enough."""

    message = (
        "horizon={horizon} with difference={difference} is answered after {needed} "
        "steps of a sequence, but {part} of {data} has at most {longest} in a row: "
        "give a smaller horizon or difference, or longer sequences or steps."
    )


class UnknownCell(SettingError):
    """A name that is no built-in cell."""

    message = (
        "cell={given!r} is not known{hint}, expected one of {known}, or "
        "FILE.py:Class for a cell of your own: give one of these."
    )


class CellWithoutClass(SettingError):
    """A file alone, where a class in it must be named."""

    message = (
        "cell={given!r} names no class, expected FILE.py:Class; in the file are "
        "{found}: write {example}."
    )


class CellNotInFile(SettingError):
    """A file that has no such class."""

    message = (
        "'{path}' has no cell class '{name}'{hint}, expected a class derived from "
        "throughtime.Cell; in it are {found}: give one of these, or add it."
    )


class CellNeedsArguments(SettingError):
    """A user's class that cannot be made without arguments."""

    message = (
        "{name} of '{path}' needs arguments ({reason}), expected a class that is made "
        "by {name}(): give its arguments defaults, or derive a class that sets them."
    )


class CellFileFails(SettingError):
    """A user's file that raises an error: read, made into a cell, or in its step."""

    message = (
        "'{path}' fails at line {line} with {reason}, expected a file whose cell can "
        "be built: mend that line."
    )


class CellFileRefused(SettingError):
    """A declaration in a user's file that the language of cells refuses."""

    message = "{path}:{line}: {reason}"


class RunError(ThroughtimeError, ValueError):
    """A run folder cannot be used as asked."""


class PredictsNoText(RunError):
    """A model of text, asked for a table of answers."""

    message = (
        "'{run}' has learned a text, expected a run on columns: a text has no rows to "
        "write answers beside; measure another text with `throughtime evaluate`, or "
        "draw one with `throughtime sample`."
    )


class NotARun(RunError):
    """A path that leads to no run folder."""

    message = (
        "'{path}' is not a run folder ({reason}), expected the folder that "
        "`throughtime train` wrote: check the path."
    )


class DamagedModel(RunError):
    """A `model.json` that does not describe a model."""

    message = (
        "'{path}' is damaged ({reason}), expected what `throughtime train` wrote: "
        "restore the file from a copy, or train again."
    )


class DamagedWeights(RunError):
    """Weights that cannot be read, or do not fit their model."""

    message = (
        "'{path}' is damaged ({reason}), expected the weights that belong to "
        "model.json: restore the file from a copy, or train again."
    )


class RunExists(RunError):
    """A folder for a new run that holds something already."""

    message = (
        "out='{path}' holds something already, expected a new or empty folder: give "
        "another one, so that nothing is overwritten{more}."
    )


class DamagedCheckpoint(RunError):
    """A checkpoint from which no training can go on."""

    message = (
        "'{path}' is damaged ({reason}), expected the checkpoint of a training: "
        "restore it from a copy, or remove it to start anew with resume=True."
    )


class RunBusy(RunError):
    """A folder into which another training is writing right now."""

    message = (
        "'{path}' is written by another training that still goes on, expected one at a "
        "time: wait for its end, stop it, or give another folder as out."
    )


class ResumesNothing(RunError):
    """A training that is to go on, with no folder said where it is."""

    message = (
        "resume=True without out, expected the folder of the training that is to go "
        "on: give it as out."
    )


class ResumesOther(RunError):
    """A training that is to go on as another one than it was."""

    message = (
        "{argument}={given!r} differs from the training in '{path}', which had "
        "{was!r}, expected the same to go on: give that, or another out to start anew."
    )


class CannotWrite(RunError):
    """A file of a run that the system does not let us write."""

    message = (
        "'{path}' cannot be written ({reason}; what was saved before is kept): free "
        "some space or mend the permissions, or give another folder as out."
    )


class FolderMissing(RunError):
    """A file to write into a folder that is not there."""

    message = (
        "'{path}' cannot be written: there is no folder '{folder}'; make it, or give "
        "another out."
    )


class OverwritesData(RunError):
    """A file to write that is one of those that are read."""

    message = (
        "out={path!r} is a file of the data that are read, expected another one: give "
        "the answers a file of their own."
    )


class DataChanged(RunError):
    """Data that are no longer those of the training."""

    message = (
        "'{path}' is not what it was in training (its checksum differs), expected the "
        "same content so that the test part was never seen: restore it, or train "
        "again."
    )


class DataMoved(RunError):
    """Data of a training that are no longer where they were."""

    message = (
        "The data of '{run}' are not at '{path}' any more, expected them where they "
        "were in training: move them back, or give their path as data."
    )


class DataOfMemory(RunError):
    """Data of a training that were given in memory, and are no file."""

    message = (
        "The data '{name}' of '{run}' were given in memory, expected them again: give "
        "them, or what throughtime.data.read makes of them, to open_run as data."
    )


class NewDataNeeded(RunError):
    """A run whose own data no command can read, asked for its result on them."""

    message = (
        "'{run}' has learned data that were given in memory, which no command can "
        "read again, expected new DATA to measure: give {expected} after the run, "
        "truth included."
    )


class DrawsNoSymbols(RunError):
    """A model of another task, asked to draw symbols."""

    message = (
        "The model of '{path}' has learned the task '{task}' of columns, expected one "
        "that predicts the next symbol of a text: train one on a text first."
    )


class UnknownPrompt(RunError):
    """A prompt with characters that training never saw."""

    message = (
        "prompt holds {symbols}, expected characters of the training text alone: leave "
        "them out."
    )


class TrainingDiverged(ThroughtimeError, ArithmeticError):
    """A loss, a gradient or a weight that is no longer a finite number."""

    message = (
        "{what} is {given} at update {update} of epoch {epoch} ({where}), expected a "
        "finite number (the best weights so far are kept in '{path}'): {advice}."
    )
