"""Which sources cannot work: each finding says path, reason and how to mend it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pointsman.engines import vllm_sources
from pointsman.engines.vllm_layout import told, version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Adapter, Deploy, ModelSource
    from pointsman.engines.vllm_sources import Source

_AT: Final = "spec.deploy.model"
_HUB_NAME = re.compile(r"[A-Za-z0-9][-.\w]*(/[A-Za-z0-9][-.\w]*)?", re.ASCII)
_REVISION = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][-\w./+]*", re.ASCII)
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_BUCKET = re.compile(r"[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]")
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[A-Za-z0-9][-A-Za-z0-9.]*(?::\d+)?/)?{_PART}(?:/{_PART})*(?::\w[-\w.]{{0,127}})?(?:@sha(?:256:[0-9a-f]{{64}}|512:[0-9a-f]{{128}}))?",
    re.ASCII,
)
_FOLDER = re.compile(r"[^\s\x00-\x1f\x7f/]+(?:/[^\s\x00-\x1f\x7f/]+)*")
_URL = re.compile(r"https?://[^\s/@?#]+(?:/[^\s@?#]*)?")
_STREAMED: Final = ("runai_streamer", "runai_streamer_sharded")
_STREAMER_SINCE: Final = (0, 7)  # it came with 0.6.6


def refusals(deploy: Deploy) -> Iterator[str]:
    """Nothing when they are sound."""
    model = deploy.model
    yield from _source(f"{_AT}.source", model.source, model.revision, f"{_AT}.revision")
    yield from _model(model)
    yield from _unasked(deploy)
    yield from _streamed(deploy)
    names = [*(model.served_names or [vllm_sources.served_name(deploy)])]
    for at, adapter in enumerate(model.adapters or ()):
        yield from _adapter(f"{_AT}.adapters[{at}]", deploy, adapter)
        if adapter.name in names:
            yield f"{_AT}.adapters[{at}].name: {adapter.name!r} is taken by the model or another adapter: rename it"
        names.append(adapter.name)


def _source(path: str, text: str, revision: str | None, at: str) -> Iterator[str]:
    source = vllm_sources.parse(text)
    check = {"hf": _hub, "pvc": _claim, "s3": _bucket, "oci": _image}.get(source.scheme)
    if check is None:
        yield f"{path}: {text!r} must begin with hf://, pvc://, s3:// or oci://"
    elif trouble := check(source):
        yield f"{path}: {text!r} {trouble}"
    if revision and source.scheme != "hf":
        yield f"{at}: {source.scheme}:// has no revisions: remove it, and name the version in the source"
    elif revision and not _REVISION.fullmatch(revision):
        yield f"{at}: {revision!r} is no commit, tag or branch: letters, digits and -_./+ only"


def _hub(source: Source) -> str:
    name, mark, revision = source.name.partition("@")
    if mark and _HUB_NAME.fullmatch(name):
        return f"names a revision: write hf://{name}, and {revision!r} into the field revision beside it"
    return "" if _HUB_NAME.fullmatch(source.name) else "names no model of the hub: write hf://ORG/NAME"


def _claim(source: Source) -> str:
    if not _CLAIM.fullmatch(source.name):
        return "names no claim: write pvc://CLAIM/PATH with the name of a PersistentVolumeClaim of this namespace"
    return _folder(source.path)


def _bucket(source: Source) -> str:
    if not _BUCKET.fullmatch(source.name) or not source.path:
        return "names no folder of a bucket: write s3://BUCKET/FOLDER"
    return _folder(source.path)


def image_trouble(reference: str) -> str:
    """Why this is no reference to an image, "": it is one."""
    if _IMAGE.fullmatch(reference):
        return ""
    if _IMAGE.fullmatch(reference.lower()):
        return "has upper-case letters, which images may not have: write it in lower case"
    return "names no image: write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST"


def _image(source: Source) -> str:
    return image_trouble(source.name).replace("REGISTRY", "oci://REGISTRY")


def _folder(path: str) -> str:
    if not path:
        return ""
    if {".", ".."} & set(path.split("/")):
        return "leads out of its folder: write the path without . and .."
    return "" if _FOLDER.fullmatch(path) else "is no path: remove spaces, control characters and double slashes"


def _model(model: ModelSource) -> Iterator[str]:
    scheme = vllm_sources.parse(model.source).scheme
    if model.path is not None and scheme != "oci":
        yield f"{_AT}.path: is for oci:// alone: remove it, and write the folder into {_AT}.source"
    elif model.path is not None and (trouble := _folder(model.path.strip("/"))):
        yield f"{_AT}.path: {model.path!r} {trouble}"
    schemes = vllm_sources.schemes(model)
    if model.credentials_ref and "s3" not in schemes:
        yield f"{_AT}.credentialsRef: is for s3:// alone: remove it; the hub's token is {_AT}.tokenSecretRef"
    if model.endpoint_url is not None and not _URL.fullmatch(model.endpoint_url):
        yield f"{_AT}.endpointUrl: {model.endpoint_url!r} must be an http:// or https:// URL without user or query"
    for name in model.served_names or ():
        if name.startswith("-"):
            yield f"{_AT}.servedNames: {name!r} would be read as a flag: begin it with a letter or a digit"


def _unasked(deploy: Deploy) -> Iterator[str]:
    """What is said to a hub that nobody asks. A word of extraArgs may name something of it: a tokenizer, a draft."""
    model, schemes = deploy.model, vllm_sources.schemes(deploy.model)
    if "hf" in schemes or (deploy.engine and deploy.engine.extra_args):
        return
    scheme = vllm_sources.parse(model.source).scheme
    if model.token_secret_ref:
        yield f"{_AT}.tokenSecretRef: is for hf:// alone, nothing of {scheme}:// asks the hub: remove it"
    if model.endpoint_url is not None and "s3" not in schemes:
        yield f"{_AT}.endpointUrl: is for hf:// and s3:// alone, {scheme}:// is mounted: remove it"


def _streamed(deploy: Deploy) -> Iterator[str]:
    if vllm_sources.parse(deploy.model.source).scheme != "s3" or vllm_sources.fetches(deploy):
        return
    if version(deploy) < _STREAMER_SINCE:
        yield f"{_AT}.source: vLLM reads s3:// since 0.7, {told(deploy)} is older: take a newer image, or add a cache"
    stated = deploy.engine.load_format if deploy.engine else None
    if stated and stated not in _STREAMED:
        yield (
            f"spec.deploy.engine.loadFormat: without a cache s3:// is read by {_STREAMED[0]} alone, not by {stated!r}: "
            "remove it, or add spec.deploy.cache"
        )


def _adapter(path: str, deploy: Deploy, adapter: Adapter) -> Iterator[str]:
    yield from _source(f"{path}.source", adapter.source, adapter.revision, f"{path}.revision")
    if vllm_sources.fetches(deploy):
        return
    scheme = vllm_sources.parse(adapter.source).scheme
    if scheme == "s3":
        yield f"{path}.source: vLLM reads no adapter from s3://: add spec.deploy.cache with prefetch, or use pvc://"
    elif scheme == "hf" and adapter.revision:
        yield f"{path}.revision: vLLM takes an adapter's newest: add spec.deploy.cache with prefetch, or remove it"
