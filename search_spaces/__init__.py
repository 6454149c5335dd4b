"""What varies: a study as plain values, without torch."""

from search_spaces.complaint import complaint, did_you_mean
from search_spaces.domain import Choice, Domain, IntUniform, LogIntUniform, LogUniform, Uniform
from search_spaces.extension import check_extension
from search_spaces.space import (
    dump_space,
    dump_yaml,
    load_space,
    load_stored_space,
    parse_space,
    read_yaml,
    space_names,
    space_of_revision,
    space_values,
)
from search_spaces.spec import DatasetFacts, StudySpec
from search_spaces.stratum import Stratum
from search_spaces.template import annotated_space

__all__ = [
    "Choice", "DatasetFacts", "Domain", "IntUniform", "LogIntUniform", "LogUniform", "Stratum",
    "StudySpec", "Uniform", "annotated_space", "check_extension", "complaint", "did_you_mean",
    "dump_space", "dump_yaml", "load_space", "load_stored_space", "parse_space", "read_yaml",
    "space_names", "space_of_revision", "space_values",
]  # fmt: skip
