"""A real node in namespaces of its own: kubelet, containerd, runc, kube-proxy and the control plane over them."""

from pathlib import Path

from testbed import images
from testbed.node import packages
from testbed.node.host import Unavailable, available
from testbed.node.realnode import RealNode

__all__ = ["RealNode", "Unavailable", "available", "prepare"]


def prepare() -> Path | None:
    """Fetches and builds what the node needs into the cache; the packages' place, None where no node can run."""
    if available():
        return None
    images.prepare()
    try:
        return packages.fetch().root
    except Unavailable:
        return None
