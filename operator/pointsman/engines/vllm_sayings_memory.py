"""What vLLM (0.6 to 0.32), PyTorch and NCCL say when memory is short or the GPUs fail.

Each entry is looked for in the text as one line; what is special comes before what may be its consequence.
"""

from __future__ import annotations

from typing import Final

from pointsman.engines.saying import say

MEMORY: Final = (
    say(
        "KVCacheTooSmall",
        r"max seq len\s*\((?P<asked>\d[\d,]*)\),? ?\(?(?P<need>[\d.]+) ?GiB KV cache is needed, which is larger "
        r"than the available KV cache memory \((?P<have>-?[\d.]+) ?GiB\)[^=]{0,90}?estimated maximum model length is "
        r"(?P<fits>\d[\d,]*)",
        "a context of {asked} tokens needs {need} GiB of KV cache, {have} GiB are free for it: {fits} tokens would fit",
    ),
    say(
        "KVCacheTooSmall",
        r"max seq len\s*\((?P<asked>\d[\d,]*)\),? ?\(?(?P<need>[\d.]+) ?Gi?B KV cache is needed, which is larger "
        r"than the available KV cache memory \((?P<have>-?[\d.]+) ?Gi?B\)",
        "a context of {asked} tokens needs {need} GiB of KV cache, {have} GiB are free for it",
    ),
    say(
        "KVCacheTooSmall",
        r"max seq len\s*\((?P<asked>\d[\d,]*)\) is larger than the maximum number of tokens that can be "
        r"stored in (?:the )?KV cache \((?P<fits>\d[\d,]*)\)",
        "a context of {asked} tokens does not fit the KV cache: {fits} tokens would fit",
    ),
    say(
        "KVCacheTooSmall",
        r"estimated maximum model length is (?P<fits>\d[\d,]*)",
        "the context does not fit the KV cache: {fits} tokens would fit",
    ),
    say(
        "KVCacheTooSmall",
        r"No available memory for the cache blocks",
        "when the weights are loaded, no GPU memory is left for the KV cache",
    ),
    say(
        "KVCacheTooSmall",
        r"Cannot auto-fit max_model_len",
        "when the weights are loaded, no GPU memory is left for the KV cache of even one token",
    ),
    say(
        "KVCacheTooSmall",
        r"max_num_seqs \((?P<asked>\d+)\) exceeds (?:the )?available Mamba cache blocks \((?P<have>\d+)\)",
        "engine.maxNumSeqs {asked} needs as many blocks of the Mamba cache, {have} fit: set it to {have} or less",
    ),
    say(
        "GPUMemoryInUse",
        r"Free memory on device (?:\S{0,20} )?\((?P<free>[\d.]+)/(?P<total>[\d.]+) Gi?B\) on startup is less "
        r"than desired GPU memory utilization \((?P<share>[\d.]+), (?P<want>[\d.]+) Gi?B\)",
        "of the GPU's {total} GiB only {free} are free, and gpuMemoryUtilization {share} asks for {want}",
    ),
    say(
        "GPUMemoryInUse",
        r"Free memory on device (?:\S{0,20} )?\((?P<free>[\d.]+)/(?P<total>[\d.]+) Gi?B\) on startup is less",
        "of the GPU's {total} GiB only {free} are free, and gpuMemoryUtilization asks for more",
    ),
    say(
        "GPUMemoryInUse",
        r"Error in memory profiling",
        "GPU memory was freed or taken by another process while vLLM measured it",
    ),
    say(
        "OutOfMemory",
        r"(?:CUDA|HIP|XPU) out of memory\. Tried to allocate (?P<tried>[\d.]+ [KMGT]iB)\."
        r"(?: GPU (?P<gpu>\d+) has a total capacity of (?P<total>[\d.]+ [KMGT]iB) of which "
        r"(?P<free>[\d.]+ [KMGT]?i?B|0 bytes) is free)",
        "the GPU's memory is full: {tried} more were asked for, {free} of {total} are free",
    ),
    say(
        "OutOfMemory",
        r"(?:CUDA|HIP|XPU) out of memory\. Tried to allocate (?P<tried>[\d.]+ [KMGT]iB)",
        "the GPU's memory is full: {tried} more were asked for",
    ),
    say(
        "OutOfMemory",
        r"(?:CUDA|HIP|XPU) out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA error: out of memory"
        r"|CUBLAS_STATUS_ALLOC_FAILED|Triton Error \[CUDA\]: out of memory",
        "the GPU's memory is full",
    ),
    say(
        "OOMKilled",
        r"(?:DefaultCPUAllocator: (?:can't|not enough)[^.]{0,80}memory|Cannot allocate memory|^MemoryError\b"
        r"| MemoryError\b)",
        "the container's memory (not the GPU's) is full",
    ),
)

GPU: Final = (
    say(
        "GPUDriverTooOld",
        r"NVIDIA driver on your system is too old \(found version (?P<have>\d+)\)",
        "the node's NVIDIA driver (CUDA {have}) is too old for this image",
    ),
    say(
        "GPUDriverTooOld",
        r"CUDA driver version is insufficient for CUDA runtime version"
        r"|forward compatibility was attempted on non supported HW"
        r"|provided PTX was compiled with an unsupported toolchain"
        r"|unsupported display driver ?/ ?cuda driver combination",
        "the node's NVIDIA driver is too old for this image",
    ),
    say(
        "GPUDriverTooOld",
        r"unsatisfied condition: cuda ?>= ?(?P<need>[\d.]+\d)",
        "the node's NVIDIA driver is too old: this image needs one for CUDA {need}",
    ),
    say(
        "GPUNotVisible",
        r"Error 802: system not yet initialized|CUDA error: system not yet initialized",
        "the GPUs wait for NVIDIA's fabric manager, which does not run on the node (CUDA error 802)",
    ),
    say(
        "GPUNotVisible",
        r"No CUDA GPUs are available|Failed to infer device type|Found no NVIDIA driver on your system"
        r"|no CUDA-capable device"
        r"|NVML_ERROR_DRIVER_NOT_LOADED|NVMLError_|Can't initialize NVML|libcuda\.so\.1: cannot open shared object",
        "the container sees no GPU",
    ),
    say(
        "GPUFault",
        r"(?P<what>uncorrectable ECC error[^.]{0,40}|GPU has fallen off the bus|\bXid\b[^.]{0,60}"
        r"|CUDA error: (?:an illegal memory access(?: was encountered)?|unspecified launch failure"
        r"|device-side assert(?: triggered)?|misaligned address|hardware[^.]{0,40}))",
        "the GPU failed: {what}",
    ),
    say(
        "SharedMemoryTooSmall",
        r"Error while creating shared memory segment /dev/shm\S{0,80}|No space left on device:? ?'?/dev/shm"
        r"|/dev/shm[^.]{0,80}No space left on device|insufficient shared memory \(shm\)|unable to (?:write"
        r"|mmap)[^.]{0,80}/torch_\d+",
        "the shared memory (/dev/shm) is too small for what the GPUs' processes exchange",
    ),
    say(
        "CollectiveFailed",
        r"NCCL error[^,]{0,120}?[,:] (?P<what>[a-z][^,(]{2,80}\w)",
        "the GPUs' processes could not reach each other: {what}",
    ),
    say(
        "CollectiveFailed",
        r"(?P<what>nccl(?:System|Internal|Unhandled|Remote|Invalid)\w{0,30}Error|Gloo connectFullMesh failed"
        r"|DistBackendError|DistStoreError|DistNetworkError)",
        "the GPUs' processes could not reach each other: {what}",
    ),
    say(
        "PortInUse",
        r"\[Errno 98\]|address already in use(?!\. Retrying)",
        "the port is taken by another process of the Pod",
    ),
)
