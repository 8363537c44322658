"""Writes the golden files anew: `PYTHONPATH=operator:tests python -m fleet.regolden`. Read the difference first."""

from __future__ import annotations

from fleet.workloads import CASES, GOLDEN, as_yaml

if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        (GOLDEN / f"{name}.yaml").write_text(as_yaml(name))
