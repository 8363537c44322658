"""A network namespace of the test session's own, in which every simulated Pod's address can be listened on.

After `enter()`, this process and all that it starts see loopback only: nothing can be sent to the outside, and no
port clashes with the machine's. The interface `lo` carries POD_CIDR as well, and as all of a loopback interface's
networks are local, a server can bind any address in it, as on 127.0.0.0/8; yet to Kubernetes, which refuses loopback
addresses in EndpointSlices, they are ordinary ones.

There is no way back. Call it before anything starts a thread or a server that later tests are to reach.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

POD_CIDR = "10.244.0.0/16"
_POD_NETWORK, _POD_MASK = "10.244.0.1", "255.255.0.0"

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
_IFF_UP = 1

_entered = False


def entered() -> bool:
    return _entered


def enter() -> None:
    """Move this thread, and all that it starts, into a new namespace; a second call does nothing.

    Without root, a user namespace is made as well, for which the process must have no other threads yet.
    OSError says why it cannot be done here: not Linux, or namespaces are forbidden.
    """
    global _entered  # noqa: PLW0603 - a process is in one namespace, so this is the process's state
    if _entered:
        return
    if sys.platform != "linux":
        raise OSError(f"network namespaces need Linux, this is {sys.platform}")
    uid, gid = os.geteuid(), os.getegid()
    _unshare(_CLONE_NEWNET if uid == 0 else _CLONE_NEWUSER | _CLONE_NEWNET)
    if uid != 0:
        _become_root(uid, gid)
    _raise_loopback()
    _entered = True


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"a network namespace of its own is refused here: {os.strerror(error)}")


def _become_root(uid: int, gid: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack_from("16xH", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH22x", b"lo", 0)))[0]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))
        fcntl.ioctl(control, _SIOCSIFADDR, _address(b"lo:pods", _POD_NETWORK))
        fcntl.ioctl(control, _SIOCSIFNETMASK, _address(b"lo:pods", _POD_MASK))


def _address(interface: bytes, address: str) -> bytes:
    return struct.pack("16sHH4s16x", interface, socket.AF_INET, 0, socket.inet_aton(address))
