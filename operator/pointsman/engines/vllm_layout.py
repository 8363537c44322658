"""Where things are in a container of vLLM, and what is known of its version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pointsman.api.fields import seconds

if TYPE_CHECKING:
    from pointsman.api.deploy import Deploy

IMAGE: Final = "vllm/vllm-openai:v0.32.0"  # pinned: `latest` would change a model's answers on a Pod's restart
STARTUP_SECONDS: Final = 1800.0  # for a start, unless spec.deploy.startupTimeout says otherwise
PORT: Final = 8000
HEALTH: Final = "/health"
HOME: Final = "/home/pointsman"
CACHE: Final = "/cache"
MODEL_DIR: Final = "/models"  # the claim or the image of the model
ADAPTERS_DIR: Final = "/adapters"  # those of adapters, each below a name of its own
CHAT_TEMPLATE_DIR: Final = "/etc/pointsman/chat-template"
CHAT_TEMPLATE_FILE: Final = "template.jinja"  # whatever the ConfigMap's key is called

Version = tuple[int, int]

# Others number their own releases: nvcr.io/nvidia/vllm:25.09-py3 holds 0.10, rhaiis/vllm-cuda-rhel9:3.2.1 too.
_OWN = re.compile(r"(?:^|/)vllm-(?:openai|cpu)[-\w.]*$")
_TAG = re.compile(r"v?(\d+)\.(\d+)(?:\.\d+)?(?:[-_.+].*|(?:rc|post|dev)\d+.*)?", re.ASCII)
_SAID = re.compile(r"vllm[-_]?v?(\d+)\.(\d+)", re.ASCII)  # as in rocm6.4_ubuntu22.04_vllm0.8.3_20250410
_NEWEST: Final = (1 << 30, 0)
_MOVING = re.compile(r"|latest.*|nightly.*")


def startup(deploy: Deploy) -> float:
    """Seconds until an engine must be ready, counted from its container's start."""
    return seconds(deploy.startup_timeout) if deploy.startup_timeout else STARTUP_SECONDS


def version(deploy: Deploy) -> Version:
    """Of vLLM as stated, else by the image's tag. What is not known is taken to be as new as the pinned image."""
    return _told(deploy) or _NEWEST


def told(deploy: Deploy) -> str:
    """Where the version is known from."""
    stated = deploy.engine.version if deploy.engine else None
    return f"spec.deploy.engine.version {stated}" if stated else deploy.image or IMAGE


def takes(deploy: Deploy, since: Version) -> bool:
    """Whether an image takes a flag that is there since this version, and of which an older one would die.

    Of somebody else's image that does not tell its version, or of a tag that names a branch, it is not assumed.
    """
    if known := _told(deploy):
        return known >= since
    repository, tag = _parts(deploy.image or IMAGE)
    return bool(_OWN.search(repository) and _MOVING.fullmatch(tag))


def _told(deploy: Deploy) -> Version | None:
    stated = deploy.engine.version if deploy.engine else None
    repository, tag = _parts(deploy.image or IMAGE)
    own = _TAG.fullmatch(stated or tag) if stated or _OWN.search(repository) else None
    found = own or _SAID.search(tag)
    return (int(found[1]), int(found[2])) if found else None


def _parts(image: str) -> tuple[str, str]:
    """Repository and tag, "" for none."""
    named = image.partition("@")[0]
    folder, slash, last = named.rpartition("/")
    last, _, tag = last.partition(":")
    return folder + slash + last, tag
