"""Mistakes around a comparison of models."""

from throughtime.errors.runs import SettingError


class ModelCannotAnswer(SettingError):
    """A model that is asked what it has no answer to."""

    message = (
        "models names '{given}', which cannot answer {question}, expected some of "
        "{known}: leave it out."
    )


class NothingToDecide(SettingError):
    """Models among which there is not one of each side."""

    message = (
        "models names {given}, expected a recurrent network ({recurrent}) and a "
        "baseline beside it ({baselines}): add one, or leave models out."
    )


class NoFolderForPicture(SettingError):
    """A picture that could not be saved when all is done."""

    message = (
        "picture '{path}' is to lie in '{folder}', expected a folder that is there and "
        "can be written into: make it, or name another one."
    )


class OneTargetOnly(SettingError):
    """Several targets whose classes would be compared at once."""

    message = (
        "target names {given}, expected one column, whose classes are compared: name "
        "one of them."
    )


class NothingToCompare(SettingError):
    """Data without a part that models are chosen or compared on."""

    message = (
        "The data '{data}' have no {part} part, expected one, on which models are "
        "chosen and compared: split them otherwise."
    )


class AnswersDiffer(SettingError):
    """Models whose answers are not to the same questions."""

    message = (
        "The models have {given}, expected answers to the same questions: leave one of "
        "them out by models."
    )


class SymbolsMissing(SettingError):
    """Sequences of symbols with gaps, which a chain cannot be counted in."""

    message = (
        "The training part of '{data}' has gaps among its symbols, expected none for a "
        "chain of them: leave such models out."
    )
