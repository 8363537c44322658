"""What looks like a key, a token or a password that stands in the open."""

from __future__ import annotations

import re
from typing import Final

_HEADER = re.compile(r"api[-_]?key|(?:^|[-_])(?:token|secret|password|passwd|cookie)$", re.IGNORECASE)
_VARIABLE = re.compile(
    r"(?:^|_)(?:(?:API|ACCESS|SECRET|PRIVATE|AUTH)?_?KEY|TOKEN|SECRET|PASSWORD|PASSWD|ACCESS_KEY_ID)$", re.IGNORECASE
)
_VALUE = re.compile(
    r"(?:(?:bearer|basic)\s+\S{8,}"
    r"|(?:sk|pk|rk|gsk|xai|hf|ghp|gho|ghs|glpat|github_pat|xox[abprs]|nvapi|r8)[-_][\w-]{16,}"
    r"|AIza[\w-]{30,}|A[KS]IA[A-Z0-9]{12,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)",
    re.ASCII | re.IGNORECASE,
)
_IN_URL = re.compile(r"[a-z][a-z0-9+.-]{0,20}://[^/\s:@]{0,256}:[^/\s:@$]{1,256}@", re.IGNORECASE)  # user:password@
_A_KEY: Final = 8  # characters that any key has


def in_header(name: str, value: str) -> bool:
    return bool((_HEADER.search(name) and len(value) >= _A_KEY) or _VALUE.match(value))


def in_environment(name: str, value: str) -> bool:
    """Of a variable: what names a file or another variable is no secret itself."""
    if _VALUE.match(value) or _IN_URL.match(value):
        return True
    plain = len(value) >= _A_KEY and not value.startswith(("/", "$(", "file:")) and not value.isdecimal()
    return plain and bool(_VARIABLE.search(name))
