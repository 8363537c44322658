"""Every reason that a condition, target or Event may bear, what it means, what to do: docs/status-reasons.md."""

from __future__ import annotations

from typing import Final, NamedTuple

from pointsman.fleet import refused_pods

NOTHING: Final = "Nothing."


class Reason(NamedTuple):
    meaning: str
    remedy: str = NOTHING


_PROBE: Final = "Try the provider's status.resolvedUrl from a Pod of the namespace."
_POD: Final = "Look at `kubectl describe pod -l pointsman.dev/provider=NAME`."
_LOG: Final = "Look at `kubectl logs -l pointsman.dev/provider=NAME --tail=200 --prefix`."
_LAST_LOG: Final = "Look at `kubectl logs -l pointsman.dev/provider=NAME --previous --tail=200`."
_JOB: Final = "Look at `kubectl logs -l pointsman.dev/provider=NAME,pointsman.dev/role=prefetch --tail=50`."
# The scheduler of 1.36 does not say which taint. Quoted, as some shells would look for files of that name.
_TAINTS: Final = "`kubectl get nodes -o 'custom-columns=NODE:.metadata.name,TAINTS:.spec.taints[*].key'`"

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
    "ScaledToZero": Reason(
        "Nothing runs: nobody asks for it (spec.deploy.scaling), or spec.deploy.replicas is 0.",
        "Send a request where spec.deploy.scaling is set; else set spec.deploy.replicas to 1 or more.",
    ),
    "Waking": Reason("It was scaled to zero, and starts because somebody asks for it.", "Wait."),
    # of the spec
    "InvalidSpec": Reason(
        "The spec contradicts itself or holds a value that cannot work.", "Mend the path that is named."
    ),
    "NotImplemented": Reason("The spec asks for what this release does not do.", "Leave out what the message names."),
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
    # of workloads: what keeps a Pod from running
    "Progressing": Reason(
        "Replicas are being started.", "Wait; then look at `kubectl describe pod -l pointsman.dev/provider=NAME`."
    ),
    "NoReadyReplica": Reason("No replica is ready.", _POD),
    "ReplacedInPlace": Reason(
        "The only engine is replaced without a fallback: requests fail until the next one is ready.",
        "Give each route that uses it another target; or set spec.deploy.rollout.useFallback to true.",
    ),
    "ObjectRefused": Reason(
        "The API server refuses an object that the provider needs.",
        "Mend the field that its words name; it is tried again every minute.",
    ),
    "EditRefused": Reason(
        "The API server refuses what the last edit asks for; the engine runs as it was before.",
        "Mend the field that its words name; it is tried again every minute.",
    ),
    "ReplicaFailure": Reason(
        "The API server refuses the Pods: a quota, a rule, or something that they name and that is not there.",
        "Change what the message names: the namespace's quota, spec.deploy.resources, serviceAccountName, "
        "runtimeClassName, priorityClassName or podTemplate.",
    ),
    "ProgressDeadlineExceeded": Reason("Replicas did not become ready in time.", _POD),
    "LeaderWorkerSetMissing": Reason(
        "spec.deploy.parallelism.nodes is above 1, and the cluster does not know LeaderWorkerSets.",
        "Install the LeaderWorkerSet controller (sigs.k8s.io/lws), or set parallelism.nodes to 1.",
    ),
    "InsufficientGPU": Reason(
        "No node that the Pod may run on has enough free GPUs.",
        "Free some, add nodes, or lower spec.deploy.gpus; check that `kubectl describe node` lists the GPUs as "
        "allocatable, and that spec.deploy.tolerations and nodeSelector let the Pod onto their nodes.",
    ),
    "InsufficientResources": Reason(
        "No node that the Pod may run on has enough free memory, processors or disk.",
        "Lower spec.deploy.resources, free some, or add nodes.",
    ),
    "UntoleratedTaint": Reason(
        "Nodes would fit but for a taint.",
        f"Add the taint to spec.deploy.tolerations; {_TAINTS} shows each node's.",
    ),
    "NoMatchingNode": Reason(
        "No node has the labels that the Pod asks for, or all that have are cordoned.",
        "Mend spec.deploy.nodeSelector or affinity, label a node, or tolerate its taint in spec.deploy.tolerations: "
        f"{_TAINTS}.",
    ),
    "VolumeNotBound": Reason(
        "The Pod's volume is not there, not bound, or not where the GPUs are.",
        "Look at `kubectl describe pvc`; mend spec.deploy.cache (claimName, storageClassName).",
    ),
    "SchedulingGated": Reason(
        "The Pod has a scheduling gate.", "Wait for the controller that set the gate, or remove it."
    ),
    "Unschedulable": Reason("No node fits the Pod.", _POD),
    "AdmissionRejected": Reason(
        "The node refused the Pod.", "Delete the Pod; check the node's GPUs and device plugin."
    ),
    "ContainerCreating": Reason(
        "The Pod's image, volumes and network are being set up.",
        "Wait; if it takes long, look at `kubectl describe pod -l pointsman.dev/provider=NAME`.",
    ),
    "ImagePullFailed": Reason(
        "The image could not be pulled.",
        "Mend spec.deploy.image or imagePullSecrets; try `crictl pull` on the node.",
    ),
    "ConfigMapNotFound": Reason("A ConfigMap or a key of it is not there.", "Create it in the same namespace."),
    "ContainerConfigError": Reason("The container's configuration cannot be made.", _POD),
    "RunContainerError": Reason(
        "The container could not be started.",
        "Check spec.deploy.image, podTemplate and runtimeClassName, and the node's NVIDIA container toolkit.",
    ),
    "NodeLost": Reason(
        "The Pod's node does not answer.", "Bring the node back, or delete its Node object so that the Pod moves."
    ),
    "Evicted": Reason(
        "The node evicted the Pod, as it ran short of something.",
        "Raise spec.deploy.resources for what the message names (memory, ephemeral-storage), or put the cache on a "
        "claim.",
    ),
    "Preempted": Reason("A Pod of higher priority took the place.", "Set spec.deploy.priorityClassName, or add nodes."),
    # of workloads: the engine
    "ReadinessProbeFailed": Reason("The engine was ready and does not answer /health any more.", _LOG),
    "StartupTimeout": Reason(
        "The server did not start in time.",
        "Raise spec.deploy.startupTimeout, or make loading faster: a cache (spec.deploy.cache), nearer storage.",
    ),
    "OOMKilled": Reason(
        "The container used more than its memory limit (not the GPU's memory).",
        "Raise spec.deploy.resources.memory; /dev/shm (sharedMemorySize) counts against it.",
    ),
    "CrashLoopBackOff": Reason("The container ends again and again.", _LAST_LOG),
    "EngineStartFailed": Reason("vLLM ended while it started, and said why further up in its log.", _LAST_LOG),
    "EngineDied": Reason("vLLM's engine process died while it served.", _LAST_LOG),
    "OutOfMemory": Reason(
        "The GPU's memory is too small for the model.",
        "Use more GPUs (spec.deploy.gpus), larger ones, or a smaller or quantized model; lower engine.maxNumSeqs or "
        "maxModelLen.",
    ),
    "GPUMemoryInUse": Reason(
        "Something else uses the GPU's memory.",
        "End the other process, keep it off this GPU, or lower spec.deploy.engine.gpuMemoryUtilization.",
    ),
    "KVCacheTooSmall": Reason(
        "The GPU's memory cannot hold the context of even one request.",
        "Set spec.deploy.engine.maxModelLen to what would fit, raise gpuMemoryUtilization, or use more GPUs or a "
        "smaller "
        "model.",
    ),
    "InvalidArguments": Reason(
        "vLLM refuses an argument or a setting.",
        "Mend what the message names in spec.deploy.engine or its extraArgs, or use an image of a version that knows "
        "it.",
    ),
    "MaxModelLenTooLarge": Reason(
        "maxModelLen is more than the model was made for.", "Lower spec.deploy.engine.maxModelLen, or leave it out."
    ),
    "ParallelismMismatch": Reason(
        "The model cannot be spread over this number of GPUs.",
        "Change spec.deploy.gpus or parallelism so that tensor divides the model's attention heads (1, 2, 4, 8).",
    ),
    "RemoteCodeNeeded": Reason(
        "The model brings Python code of its own.",
        "Read that code; if you trust it, pin model.revision and set spec.deploy.engine.trustRemoteCode to true.",
    ),
    "UnsupportedModel": Reason(
        "This version of vLLM cannot run the model.",
        "Use a newer spec.deploy.image, or another model; the source must be a whole model, not an adapter or GGUF "
        "file.",
    ),
    "UnsupportedDtype": Reason(
        "The GPU or the quantization cannot compute in this type.",
        "Set spec.deploy.engine.dtype to half, or use newer GPUs.",
    ),
    "UnsupportedQuantization": Reason(
        "The GPU or vLLM cannot run this quantization.",
        "Leave spec.deploy.engine.quantization out, use a model that is quantized otherwise, or newer GPUs.",
    ),
    "NoAttentionBackend": Reason(
        "vLLM has no attention kernel for this model on this GPU with these settings.",
        "Leave spec.deploy.engine.kvCacheDtype and --attention-backend out, or use a newer image or newer GPUs.",
    ),
    "PackageMissing": Reason(
        "The image lacks a package, library or compiler that this model or setting needs.",
        "Use a spec.deploy.image that has what the message names, such as one built from vLLM's own.",
    ),
    "GPUNotVisible": Reason(
        "The container sees no GPU.",
        "Set spec.deploy.gpus to 1 or more; on the node check the driver, the device plugin and "
        "spec.deploy.runtimeClassName "
        "(usually nvidia).",
    ),
    "GPUDriverTooOld": Reason(
        "The node's driver is too old for the image's CUDA.", "Update the node's NVIDIA driver, or use an older image."
    ),
    "GPUFault": Reason(
        "A GPU failed.", "Look at `nvidia-smi -q` and the kernel's log on the node; drain it if it recurs."
    ),
    "CollectiveFailed": Reason(
        "The processes on the GPUs could not exchange data (NCCL).",
        "Raise spec.deploy.sharedMemorySize; set NCCL_DEBUG=INFO in engine.env and look at the log.",
    ),
    "SharedMemoryTooSmall": Reason("The shared memory (/dev/shm) is too small.", "Raise spec.deploy.sharedMemorySize."),
    "PortInUse": Reason("The port is taken.", "Leave hostNetwork and other servers out of spec.deploy.podTemplate."),
    "AdapterLoadFailed": Reason(
        "A LoRA adapter could not be loaded.",
        "Mend model.adapters, or raise spec.deploy.engine.maxLoraRank or maxLoras.",
    ),
    "AdapterNotFound": Reason("A LoRA adapter is not where the spec says.", "Mend spec.deploy.model.adapters."),
    "AdaptersLoading": Reason("Adapters are being loaded into the engines.", "Wait."),
    "AdaptersLoaded": Reason("Every engine has the adapters of the spec."),
    # of workloads: the model
    "Downloading": Reason("A Job fetches the model.", "Wait."),
    "PrefetchPodsMissing": Reason(
        "The Job that fetches the model cannot make its Pod: the API server refuses it.",
        "Do what the Job's Events say: raise the namespace's quota, mend spec.deploy.serviceAccountName, "
        "priorityClassName, cache.resources or podTemplate.",
    ),
    "DownloadFailed": Reason("The Job that fetches the model failed for good.", _JOB),
    "ModelCached": Reason("The model is in the cache."),
    "ModelAccessDenied": Reason(
        "The model's source refuses access.",
        "Accept the model's terms on the hub, and name a token (spec.deploy.model.tokenSecretRef) or keys "
        "(credentialsRef) "
        "that may read it.",
    ),
    "ModelSourceNotFound": Reason(
        "The source has no such model, revision or file.",
        "Mend spec.deploy.model.source or revision; for a private model name a token in model.tokenSecretRef.",
    ),
    "ModelSourceUnreachable": Reason(
        "The model's source does not answer.",
        "Let the Pods reach it (NetworkPolicy, proxy in engine.env), or name a mirror in "
        "spec.deploy.model.endpointUrl.",
    ),
    "ModelNotCached": Reason(
        "The engine may not download, and the cache has no such model.",
        "Mend spec.deploy.model.source or revision, or set spec.deploy.cache.prefetch to true.",
    ),
    "RateLimitedByHub": Reason(
        "The hub asks to be left alone for a while.",
        "Wait; give a token (spec.deploy.model.tokenSecretRef), and a cache (spec.deploy.cache) so that it is asked "
        "once.",
    ),
    "NoSpaceLeft": Reason(
        "The volume for the model is full.", "Raise spec.deploy.cache.size, or the ephemeral-storage of resources."
    ),
    "CacheNotWritable": Reason(
        "The engine's user may not write to a folder.",
        "Make the volume writable for group 1000, or set securityContext in spec.deploy.podTemplate.",
    ),
    "CorruptWeights": Reason(
        "Files of the model are damaged, missing or another model's.",
        "Delete them from the cache so that they are fetched anew; check spec.deploy.model.source.",
    ),
    "TokenizerNotFound": Reason(
        "The model has no tokenizer.", "Use a source that has one, or name one with --tokenizer in engine.extraArgs."
    ),
    # of rollouts
    "NotInMaintenance": Reason("No rollout with hand-over is under way."),
    "Maintenance": Reason(
        "A rollout is under way; routes are on their fallback.", "Wait; see the condition Maintenance."
    ),
    "Draining": Reason("Before a rollout, requests that are under way may end.", "Wait."),
    "Rolling": Reason("The new engine is being started.", "Wait; see the condition WorkloadReady."),
    "Proving": Reason("The new engine is asked for one completion.", "Wait."),
    "RolloutFailed": Reason(
        "The new engine did not come up, or gave no completion.", "Mend spec.deploy, or set it back."
    ),
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
    "PrimaryAsleep": Reason("The primary is scaled to zero, as nobody asks for it; a fallback answers meanwhile."),
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


def remedy_of(reason: str, name: str, message: str = "") -> str:
    """What to do about a provider's reason; "" where nothing is to be done or the reason is none of ours.

    `message` is what was found: where the API server refuses Pods, its words decide.
    """
    known = REASONS.get(reason)
    if reason == "ReplicaFailure" and (told := refused_pods.remedy(message)):
        return told
    return known.remedy.replace("NAME", name) if known and known.remedy != NOTHING else ""


def document() -> str:
    """The table for people, as Markdown."""
    rows = [f"| `{name}` | {reason.meaning} | {reason.remedy} |" for name, reason in sorted(REASONS.items())]
    return "\n".join(("| Reason | It means | What to do |", "|---|---|---|", *rows, ""))
