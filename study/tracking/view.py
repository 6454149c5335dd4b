"""The comparison that MLflow opens a study with: which prior is best?

MLflow keeps a shared view (columns, filter, order, charts) as a tag of the experiment, and opens
it by its key in the address. While the search runs, its trials are compared; once seeds are
tested, the confirmed ones, grouped by cell, so that a bar is the mean over seeds as in the table.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

from study.record import TrialRecord
from study.tracking.run import metric_name

KEY = "study"
TAG = f"mlflow.sharedViewState.{KEY}"
CHARTS, DETAILS = "study-charts", "study-details"
SHOWN = {"test_fid", "val_fid", "elbo"}
COLUMNS = (
    "tags.`stratum`", "tags.`state`", "metrics.`test_fid`", "metrics.`val_fid`", "metrics.`elbo`",
    "metrics.`rate`", "metrics.`distortion`", "metrics.`device_seconds`",
    "params.`optimizer.learning_rate`", "attributes.`Dataset`",
)  # fmt: skip


def view_path(experiment: str) -> str:
    """The address of the comparison below that of MLflow."""
    return f"/#/experiments/{experiment}/runs?viewStateShareKey={KEY}&compareRunsMode=CHART"


def view_state(records: Sequence[TrialRecord]) -> str:
    """What MLflow's shared view holds, as MLflow packs it."""
    packed = zlib.compress(json.dumps(_view(records)).encode())
    return f"deflate;{base64.b64encode(packed).decode()}"


def _view(records: Sequence[TrialRecord]) -> dict[str, Any]:
    """The names of the fields are MLflow's."""
    is_tested = any(record.test for record in records)
    return {
        "searchFilter": f"tags.phase = '{'confirm' if is_tested else 'search'}'",
        "orderByKey": "metrics.`test_fid`" if is_tested else "metrics.`val_fid`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": list(COLUMNS),
        "runsHiddenMode": "SHOW_ALL",
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "tag", "groupByData": "cell"}],
        },
        "useGroupedValuesInCharts": True,
        "compareRunSections": [
            _section(CHARTS, "Which prior is best", is_shown=True),
            _section(DETAILS, "Everything else", is_shown=False),
        ],
        "compareRunCharts": [*_charts(is_tested), *_others(records)],
        "isAccordionReordered": True,
    }


def _section(key: str, name: str, *, is_shown: bool) -> dict[str, Any]:
    return {
        "uuid": key, "name": name, "display": is_shown, "isReordered": True, "deleted": False,
        "isGenerated": False,
    }  # fmt: skip


def _charts(is_tested: bool) -> list[dict[str, Any]]:
    test = [_bar("test_fid", "Test FID (lower is better)")] if is_tested else []
    return [
        *test,
        _line("val_fid", "Validation FID by epoch (lower is better)"),
        _line("elbo", "ELBO by epoch, nats per image (higher is better)"),
        _card(
            "SCATTER", "rate-distortion", "Rate against distortion, nats per image",
            xaxis={"key": "rate", "type": "METRIC"},
            yaxis={"key": "distortion", "type": "METRIC"}, runsCountToCompare=1000,
        ),
    ]  # fmt: skip


def _others(records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """A chart for every other metric, folded away; MLflow would open one for each."""
    curves = {metric_name(n) for r in records for m in r.measurements[-1:] for n in m.scalars()}
    tests = {name for r in records if r.test for name in r.test.metrics()}
    charts = [_line(name, name) for name in sorted((curves | {"device_seconds"}) - SHOWN)]
    charts += [_bar(name, name) for name in sorted(tests - SHOWN)]
    return [chart | {"metricSectionId": DETAILS} for chart in charts]


def _bar(metric: str, title: str) -> dict[str, Any]:
    return _card("BAR", metric, title, metricKey=metric, runsCountToCompare=1000)


def _line(metric: str, title: str) -> dict[str, Any]:
    return _card(
        "LINE", metric, title, metricKey=metric, selectedMetricKeys=[metric], lineSmoothness=0,
        xAxisScaleType="linear", scaleType="linear", xAxisKey="step", range={},
        yAxisKey="metric", yAxisExpressions=[], selectedXAxisMetricKey="",
        useGlobalXaxisKey=True, useGlobalLineSmoothing=True, runsCountToCompare=1000,
    )  # fmt: skip


def _card(kind: str, key: str, title: str, **fields: Any) -> dict[str, Any]:
    card = {
        "uuid": f"study-{key}", "type": kind, "metricSectionId": CHARTS, "deleted": False,
        "isGenerated": False, "displayName": title,
    }  # fmt: skip
    return card | fields
