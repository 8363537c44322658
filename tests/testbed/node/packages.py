"""containerd, runc, the CNI plugins and nft: Debian packages unpacked beside the host, not installed in it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed.cache import cached, say
from testbed.node.host import Unavailable

# With the libraries of nft and runc that a slim host may lack.
NAMES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "nftables",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
    "libjansson4",
    "libseccomp2",
    "libedit2",
    "libbsd0",
    "libmd0",
)


@dataclass(frozen=True)
class Packages:
    """The folder that the packages are unpacked in, as if it were the root of a file system."""

    root: Path

    @property
    def path(self) -> str:
        """What goes before PATH."""
        return ":".join(str(self.root / folder) for folder in ("usr/sbin", "usr/bin", "sbin", "bin"))

    @property
    def libraries(self) -> str:
        """What LD_LIBRARY_PATH is: Debian's folder of the machine's architecture."""
        found = {str(p.parent) for p in self.root.glob("**/*.so.*") if p.parent.name.endswith("-linux-gnu")}
        return ":".join(sorted(found))

    @property
    def cni(self) -> Path:
        """The folder of the CNI plugins."""
        return self.root / "usr/lib/cni"


def fetch() -> Packages:
    """The packages, from the cache or from apt. Raises Unavailable where apt cannot download them."""
    release = Path("/etc/os-release").read_text()
    return Packages(cached("node-packages", [*NAMES, release], _unpack))


def _unpack(folder: Path) -> None:
    say("downloading containerd, runc and the CNI plugins (35 MB) …")
    archives = folder / "archives"
    archives.mkdir()
    if not _download(archives):
        _apt("update")
        if not _download(archives):
            raise Unavailable(f"apt-get cannot download {', '.join(NAMES)}: see `apt-get download {NAMES[0]}`")
    for archive in archives.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
        archive.unlink()
    archives.rmdir()


def _download(archives: Path) -> bool:
    return _apt("download", *NAMES, cwd=archives)


def _apt(*args: str, cwd: Path | None = None) -> bool:
    # As root, because apt's own sandbox user may not see the cache.
    command = ["apt-get", "--quiet=2", "--option", "APT::Sandbox::User=root", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, check=False).returncode == 0
