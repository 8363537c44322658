"""One real node for the session, and the images on it; tests skip, and say why, where it cannot run."""

from collections.abc import Iterator

import pytest

from testbed import images
from testbed.node import RealNode, Unavailable, available

GPUS = 4


@pytest.fixture(scope="session")
def node() -> Iterator[RealNode]:
    """A ready node with four GPUs (in name), a control plane, Services and cluster DNS."""
    if reason := available():
        pytest.skip(reason)
    try:
        made = RealNode(gpus=GPUS)
    except Unavailable as error:
        pytest.skip(str(error))
    with made:
        yield made


@pytest.fixture(scope="session")
def engine_image(node: RealNode) -> str:
    """The name of an image on the node that behaves like vLLM's."""
    node.load(images.engine())
    return images.ENGINE


@pytest.fixture(scope="session")
def pointsman_image(node: RealNode) -> str:
    """The name of this checkout's own image on the node."""
    node.load(images.pointsman())
    return images.POINTSMAN
