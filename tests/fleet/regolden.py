"""Writes the golden files anew: `PYTHONPATH=operator:tests python -m fleet.regolden`. Read the difference first."""

from __future__ import annotations

import yaml

from fleet.test_workload import FULL, GOLDEN, made


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


if __name__ == "__main__":
    for name, deploy in (("bare", {}), ("full", FULL)):
        text = yaml.dump_all(made(**deploy), Dumper=_Plain, sort_keys=False, width=120)
        (GOLDEN / f"{name}.yaml").write_text(text)
