"""Names of types that the files of this room share."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating]
IntegerArray: TypeAlias = npt.NDArray[np.int64]
Split: TypeAlias = Literal["train", "validation", "test"]
