"""Where things are in a container of vLLM, and what an image's tag tells of its version."""

from __future__ import annotations

import re
from typing import Final

IMAGE: Final = "vllm/vllm-openai:v0.32.0"  # pinned: `latest` would change a model's answers on a Pod's restart
PORT: Final = 8000
HEALTH: Final = "/health"
HOME: Final = "/home/pointsman"
CACHE: Final = "/cache"
MODEL_DIR: Final = "/models"  # the claim or the image of the model
ADAPTERS_DIR: Final = "/adapters"  # those of adapters, each below a name of its own
CHAT_TEMPLATE_DIR: Final = "/etc/pointsman/chat-template"
CHAT_TEMPLATE_FILE: Final = "template.jinja"  # whatever the ConfigMap's key is called

_VERSION = re.compile(r":v?(\d+)\.(\d+)(\.\d+)?([-.+][^/]*)?$")
_NEWEST: Final = (1 << 30, 0)


def version(image: str | None) -> tuple[int, int]:
    """Of vLLM, by the image's tag. A digest or a private tag says nothing: taken to be as new as the pinned image."""
    found = _VERSION.search((image or IMAGE).partition("@")[0])
    return (int(found[1]), int(found[2])) if found else _NEWEST
