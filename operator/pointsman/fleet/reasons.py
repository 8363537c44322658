"""Every reason that a condition, target or Event may bear, what it means, what to do: docs/status-reasons.md."""

from __future__ import annotations

from typing import Final, NamedTuple


class Reason(NamedTuple):
    meaning: str
    remedy: str = "Nothing."


_PROBE: Final = "See the message; try the provider's status.resolvedUrl from a Pod of the namespace."
_POD: Final = "See the message, and `kubectl describe pod -l pointsman.dev/provider=NAME`."

REASONS: Final[dict[str, Reason]] = {
    # all is well
    "Accepted": Reason("The object is sound and in use."),
    "NoSecretNeeded": Reason("The object names no Secret."),
    "SecretsFound": Reason("Every Secret's key that the object names is there."),
    "Authorized": Reason("The server took the credentials."),
    "ReplicasReady": Reason("Every wanted replica is ready."),
    "PartlyReady": Reason("Some replicas are ready and serve, others are not.", _POD),
    "Reachable": Reason("The server answers."),
    "Static": Reason("Only the models of spec.models exist; the server's list is not asked for."),
    "Discovered": Reason("The server's list of models was read."),
    "Serving": Reason("The probes succeed."),
    "Ready": Reason("The provider serves; or the route has a target that does."),
    "ResolvedRefs": Reason("Every target's provider and model exist."),
    "Programmed": Reason("Every gateway runs the published routing table."),
    "OnPrimary": Reason("The primary serves."),
    "InsideFence": Reason("Every target is inside the route's dataPolicy."),
    "ContextKept": Reason("No fallback has a smaller context window than the primary."),
    "ContextWindowEnough": Reason("Every target's context window is enough for an agent."),
    # decided by the user
    "Suspended": Reason("spec.suspend is true: not deployed, not in any chain.", "Set spec.suspend to false."),
    "ProbeDisabled": Reason("spec.probe.mode is None: the provider is taken to serve.", "Leave spec.probe.mode out."),
    "ScaledToZero": Reason("spec.deploy.replicas is 0.", "Set spec.deploy.replicas."),
    # of the spec
    "InvalidSpec": Reason(
        "The spec contradicts itself or holds a value that cannot work.", "Mend the path that is named."
    ),
    "NotImplemented": Reason("The spec asks for what this release does not do.", "Do what the message says."),
    "Conflicted": Reason("An older route answers to the same name.", "Choose another modelName or alias."),
    # of Secrets
    "SecretNotFound": Reason("A Secret that the object names is not there.", "Create it in the same namespace."),
    "SecretKeyNotFound": Reason("The Secret is there, the key is not.", "Add the key, or name the right one."),
    "SecretInvalid": Reason(
        "The value is empty or cannot be a header's value.", "Store the bare key, one line of ASCII."
    ),
    # of probes: served.Finding
    "NotProbedYet": Reason("No probe has ended yet.", "Wait for one period of the probe."),
    "NotTold": Reason("The server's answers do not tell whether it looks at credentials."),
    "ConnectionRefused": Reason("Nothing listens at the address.", _PROBE),
    "ConnectionReset": Reason("The server closed the connection without an answer.", _PROBE),
    "DNSFailure": Reason("The host's name has no address.", _PROBE),
    "TLSFailure": Reason("The certificate could not be verified.", "Set spec.endpoint.tls.caBundle or serverName."),
    "Timeout": Reason("No answer came in time.", _PROBE),
    "Unauthorized": Reason("The server refused the credentials (401).", "Renew the key in the Secret."),
    "Forbidden": Reason("The credentials may not do this (403).", "Give the key the right to list and use models."),
    "QuotaExceeded": Reason("The account is out of credit (402).", "Pay, or raise the limit."),
    "RateLimited": Reason(
        "The server asks to be left alone for a while (429).", "Probe less often, or raise the limit."
    ),
    "NotFound": Reason(
        "There is no model list at this address (404).", "Mend spec.endpoint.baseUrl or spec.probe.path."
    ),
    "ServerError": Reason("The server failed (5xx).", "Look into the server's log."),
    "ModelLoading": Reason("The server is still loading its model.", "Wait."),
    "EngineStalled": Reason(
        "The server lists its models, but its engine gives no token, and its figures do not move.",
        "Restart it; POST /resume if it was paused; raise spec.probe.timeout if it is only slow.",
    ),
    "Asleep": Reason(
        "The engine was put to sleep (vLLM's sleep mode): requests would wait until it is woken.",
        "POST /wake_up to the server.",
    ),
    "NotOpenAICompatible": Reason("An answer came that is no model list.", "Mend spec.type or spec.endpoint.baseUrl."),
    "UnexpectedStatus": Reason("The server answered with a status that no model list has.", _PROBE),
    "NoModelList": Reason("The server answers, but its list of models could not be read.", _PROBE),
    "NoModels": Reason("The server has no models.", "Load one, or state it in spec.models."),
    # of workloads
    "Progressing": Reason("Replicas are being started.", _POD),
    "NoReadyReplica": Reason("No replica is ready.", _POD),
    "ReplicaFailure": Reason("Pods could not be created: a quota or an admission rule forbids them.", _POD),
    "ProgressDeadlineExceeded": Reason("Replicas did not become ready in time.", "Raise spec.deploy.startupTimeout."),
    "InsufficientGPU": Reason("No node has enough free GPUs.", "Free some, add nodes, or ask for fewer."),
    "Unschedulable": Reason("No node fits the Pod.", _POD),
    "ImagePullFailed": Reason("The image could not be pulled.", "Mend spec.deploy.image or imagePullSecrets."),
    "ModelAccessDenied": Reason("The hub refuses the model.", "Accept its terms; mend deploy.model.tokenSecretRef."),
    "ModelSourceNotFound": Reason("The hub has no such model or revision.", "Mend deploy.model.source or revision."),
    "RateLimitedByHub": Reason(
        "The hub asks to be left alone for a while.", "Give a token: deploy.model.tokenSecretRef."
    ),
    "OutOfMemory": Reason("The container was killed for its memory.", "Raise deploy.resources, or use more GPUs."),
    "OOMKilled": Reason("The container was killed for its memory.", "Raise spec.deploy.resources.memory."),
    "KVCacheTooSmall": Reason("The context does not fit the GPU's memory.", "Lower deploy.engine.maxModelLen."),
    "StartupTimeout": Reason("The server did not start in time.", "Raise spec.deploy.startupTimeout."),
    "CrashLoopBackOff": Reason("The container ends again and again.", _POD),
    "ContainerCreating": Reason("The Pod's container is being made.", "Wait."),
    # of routes and their targets
    "ProviderNotFound": Reason("A target's provider is not there.", "Create it, or mend the name."),
    "ProviderNotAccepted": Reason("A target's provider is refused.", "Mend the provider: see its Accepted condition."),
    "ModelNotFound": Reason(
        "The provider is known not to have the model.", "Mend the name, or state it in its spec.models."
    ),
    "LocationNotAllowed": Reason("The provider's location is outside the fence.", "Change the chain or the fence."),
    "RegionNotAllowed": Reason("The provider's region is outside the fence.", "Change the chain, or state the region."),
    "OutsideFence": Reason("Targets of the route are outside its dataPolicy; they are never tried.", "Change either."),
    "NoUsableTarget": Reason("No target of the route may be tried.", "See status.effectiveChain."),
    "NoHealthyTarget": Reason("No target that may be tried answers its probes.", "See status.effectiveChain."),
    "OnFallback": Reason("The primary does not serve, a fallback does.", "See status.effectiveChain."),
    "SmallerContext": Reason("A fallback has a smaller context window.", "Choose another, or keep prompts small."),
    "ContextWindowSmall": Reason(
        "A target's context window is small for an agent: under 32000 tokens, or policy.context.warnBelow.",
        "Start the server with a larger window, or choose another target.",
    ),
    "ContextWindowTooSmall": Reason(
        "A target's context window is too small for an agent: under 16000 tokens, or policy.context.blockBelow; with "
        "policy.context it is passed over.",
        "Start the server with a larger window, or choose another target.",
    ),
    "ContextUnknown": Reason("Not every target's context window is known.", "State contextWindow in spec.models."),
    "NoGateway": Reason("No gateway runs in the namespace.", "Label a Pod pointsman.dev/gateway=true, or start one."),
    "RenderFailed": Reason("No new routing table could be made: the last good one stays.", "Do what the message says."),
    "Pending": Reason("Not every gateway runs the published table yet.", "Wait; then look into the gateway's log."),
}


def document() -> str:
    """The table for people, as Markdown."""
    rows = [f"| `{name}` | {reason.meaning} | {reason.remedy} |" for name, reason in sorted(REASONS.items())]
    return "\n".join(("| Reason | It means | What to do |", "|---|---|---|", *rows, ""))
