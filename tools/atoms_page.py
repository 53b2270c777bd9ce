"""`docs/catalogue.md`: checks, gates, monitors, triggers, policies, fallbacks, windows, measures, as declared."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import ModuleType

from trimtab.data import checks
from trimtab.deployment import policies
from trimtab.features.measures import MEASURES
from trimtab.features.measures.find import PERCENTILES
from trimtab.features.windows import WINDOWS
from trimtab.monitoring import monitors
from trimtab.retraining import triggers
from trimtab.serving import fallbacks
from trimtab.stats.metrics import METRICS
from trimtab.validation import gates

HEAD = """\
<!-- Made by tools/generate_docs.py from the folders named below. Change those, then: make docs -->

# Catalogue

What a system can be declared with. Each is one file; a new one appears here by itself.
"""


def page() -> str:
    """The page."""
    return HEAD + "".join(
        [
            _section("Checks", "tt.checks", "src/trimtab/data/checks", checks),
            _section("Gates", "tt.gates", "src/trimtab/validation/gates", gates),
            _section("Monitors", "tt.monitors", "src/trimtab/monitoring/monitors", monitors),
            _section("Triggers", "tt.triggers", "src/trimtab/retraining/triggers", triggers),
            _section("Rollout policies", "tt", "src/trimtab/deployment/policies", policies),
            _section("Fallbacks", "tt.fallbacks", "src/trimtab/serving/fallbacks", fallbacks),
            "\n## Window kinds\n\n",
            *(f'- `window_on="{name}"`: {_first(kind)}\n' for name, kind in WINDOWS.items()),
            f"\n## Measures\n\n{_names([*MEASURES, PERCENTILES])}\n",
            "\n## Metrics\n\n| metric | better | unit |\n|---|---|---|\n",
            *(
                f"| `{one.name}` | {'higher' if one.higher_is_better else 'lower'} | {one.unit} |\n"
                for one in METRICS.values()
            ),
        ]
    )


def _section(title: str, prefix: str, folder: str, module: ModuleType) -> str:
    lines = [f"\n## {title}\n\nIn `{folder}/`.\n"]
    for name in module.__all__:
        made = getattr(module, name)
        if inspect.isfunction(made):
            signature = str(inspect.signature(made)).partition(" ->")[0].replace("'", "")
            lines.append(f"\n### {prefix}.{name}\n\n```text\n{name}{signature}\n\n{inspect.getdoc(made)}\n```\n")
    return "".join(lines)


def _first(kind: type) -> str:
    return (inspect.getmodule(kind).__doc__ or "").strip().splitlines()[0]


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
