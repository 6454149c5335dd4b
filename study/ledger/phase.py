"""The phases of a study, and the states of a trial in each."""

from typing import Literal

Phase = Literal["search", "confirm"]
State = Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL"]
