"""Deploys for the tests of vLLM's side."""

from __future__ import annotations

from typing import Any

from pointsman.api.deploy import Deploy


def deploy(source: str = "hf://Qwen/Qwen3-32B", **fields: Any) -> Deploy:
    model = {"source": source} | fields.pop("model", {})
    return Deploy.model_validate({"model": model, **fields})
