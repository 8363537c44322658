"""What the hub's client, s3 and the file system say when a model cannot be had.

Each entry is looked for in the text as one line; what is special comes before what may be its consequence.
"""

from __future__ import annotations

from typing import Final

from pointsman.engines.saying import say

SOURCE: Final = (
    say(
        "RateLimitedByHub",
        r"you have reached your '?(?P<kind>[\w -]{1,30})'? rate limit\.? ?Retry after (?P<wait>\d+) seconds",
        "the hub's rate limit ({kind}) is reached; it asks to wait {wait} s",
    ),
    say(
        "RateLimitedByHub",
        r"\b429 (?:Client Error|Too Many Requests)|Too Many Requests for url|We had to rate limit your IP",
        "the hub answers 429 Too Many Requests",
    ),
    say(
        "ModelAccessDenied",
        r"GatedRepo|Cannot access gated repo|trying to access a gated repo|Access to (?:model"
        r"|dataset) \S{1,120} is restricted",
        "the model is gated, and the token (or its lack) gives no access",
    ),
    say(
        "ModelSourceNotFound",
        r"RevisionNotFound|Revision Not Found for url|(?P<what>\S{1,80}) is not a valid git identifier",
        "the hub has the model, but not this revision: {what}",
    ),
    say(
        "ModelSourceNotFound",
        r"Repository Not Found for url: (?:https?://)?(?P<url>[^\s?]{1,200}?)\.?(?:[?\s]|$)",
        "the hub has no such model, or hides a private one from this token (or its lack): {url}",
    ),
    say(
        "ModelSourceNotFound",
        r"RepositoryNotFound(?:Error)?|is not a local folder (?:and|or) (?:is not )?a valid "
        r"(?:model identifier|repository)",
        "the hub has no such model, or hides a private one from this token (or its lack)",
    ),
    say(
        "ModelSourceNotFound",
        r"NoSuchBucket|NoSuchKey|The specified (?:bucket|key) does not exist|(?:HeadObject|ListObjects\w{0,2}"
        r"|HeadBucket)"
        r" operation: (?:Not Found|404)|\(404\) when calling",
        "the object store has no such bucket or folder",
    ),
    say(
        "ModelAccessDenied",
        r"\((?P<what>AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|403"
        r"|Forbidden)\) when calling"
        r"|(?P<other>NoCredentialsError|Unable to locate credentials|PartialCredentialsError)",
        "the object store refuses the credentials: {what}{other}",
    ),
    say(
        "ModelAccessDenied",
        r"\b(?P<code>40[13]) (?:Client Error|Forbidden|Unauthorized)|Invalid (?:username or password|user token"
        r"|credentials in)"
        r"|LocalTokenNotFound",
        "the hub refuses the token: {code}",
    ),
    say(
        "ModelSourceNotFound",
        r"\b404 Client Error|Entry Not Found for url|RemoteEntryNotFound",
        "the hub answers 404: no such model or file",
    ),
    say(
        "NoSpaceLeft",
        r"No space left on device|\[Errno 28\]|Disk quota exceeded|\[Errno 122\]|not enough free disk space",
        "the volume is full",
    ),
    say(
        "CacheNotWritable",
        r"(?:Permission denied|Read-only file system|PermissionError)(?::| at) '?(?P<path>/[^\s'\"]{1,160})",
        "{path} cannot be written",
    ),
    say("CacheNotWritable", r"Permission denied|PermissionError|Read-only file system", "a folder cannot be written"),
    say(
        "ModelNotCached",
        r"outgoing traffic has been disabled|OfflineModeIsEnabled|Cannot reach \S{1,120}: offline mode is enabled",
        "the model is not in the cache, and the engine may not download it",
    ),
    say(
        "ModelSourceUnreachable",
        r"\b(?P<code>50[0234]) (?:Server Error|Internal Server Error|Bad Gateway|Service (?:Temporarily )?Unavailable"
        r"|Gateway Time-?out)",
        "the model's source answers {code}",
    ),
    say(
        "ModelSourceUnreachable",
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "the model's source cannot be reached: its certificate is not one that the image trusts",
    ),
    say(
        "ModelSourceUnreachable",
        r"Temporary failure in name resolution|Name or service not known|Failed to resolve '|NameResolutionError"
        r"|No address associated with hostname",
        "the model's source cannot be reached: its name has no address here",
    ),
    say(
        "ModelSourceUnreachable",
        r"LocalEntryNotFound|We couldn't connect to|An error happened while trying to locate|MaxRetryError"
        r"|EndpointConnectionError|Could not connect to the endpoint URL|\bhttpx2?\.Connect(?:Error|Timeout)"
        r"|ConnectTimeout|ReadTimeout(?:Error)?|ProxyError|SSLError|Network is unreachable"
        r"|CAS service error|Reqwest(?: ?Middleware)? Error",
        "the model's source cannot be reached",
        vague=1,
    ),
    say(
        "CorruptWeights",
        r"(?P<what>SafetensorError|HeaderTooLarge|MetadataIncompleteBuffer|InvalidHeader(?:Deserialization)?"
        r"|incomplete metadata, file not fully covered|is not a valid JSON file"
        r"|PytorchStreamReader failed|invalid load key|Consistency check failed[^.]{0,60})",
        "a file of weights is damaged or not whole: {what}",
    ),
    say(
        "CorruptWeights",
        r"(?P<what>Cannot find any model weights[^.]{0,80}"
        r"|following weights were not initialized from checkpoint[^.]{0,60}"
        r"|There is no module or parameter named \S{1,60}"
        r"|Weight files referenced in index but missing[^.]{0,60}|Could not find checkpoint files[^,]{0,80}"
        r"|Cannot find any safetensors model weights[^.]{0,80}"
        r"|Attempted to load weight \(.{1,60}?\) into parameter \(.{1,60}?\))",
        "the weights are not all there, or not this model's: {what}",
    ),
    say(
        "TokenizerNotFound",
        r"(?P<what>Can't load tokenizer for [^.]{1,80}|Couldn't instantiate the backend tokenizer"
        r"|Tokenizer class \S{1,60} does not exist"
        r"|data did not match any variant of untagged enum ModelWrapper"
        r"|Unable to load vocabulary|tokenizer\.(?:json|model)[^.]{0,40}(?:not found|No such file))",
        "the model has no tokenizer that vLLM can read: {what}",
    ),
    say(
        "ModelSourceNotFound",
        r"does not appear to have a file named (?P<file>[\w./-]{1,80}\w)",
        "the model has no {file}",
    ),
    say(
        "ModelSourceNotFound",
        r"Invalid repository ID or local directory specified: '?(?P<what>[^\s']{1,160})",
        "no config.json or params.json of a model could be read at {what}",
        vague=2,
    ),
)
