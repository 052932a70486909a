"""Writing a file so that a reader, or a crash, never meets half of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Make ``data`` the content of ``path``: afterwards the file is the old one or the new one, never a mix.

    The bytes go to a temporary file in the same directory (a rename does not cross file systems), reach the
    disk, and only then take the name. An existing file keeps its permissions, a new one gets those of the
    umask, and a symbolic link stays: its target is replaced. A process that is killed while it writes leaves
    the old file and, beside it, a ``.<name>.<random>.tmp`` that nothing reads.

    Raises:
        OSError: the directory is missing, full or not writable. The old file is still there.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(8)}.tmp")
    # Not mkstemp: it creates with mode 0600 whatever the umask says.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(descriptor, stat.S_IMODE(os.stat(target).st_mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    """Bring the rename itself to the disk, where the system can: after a power cut the new name is there."""
    with contextlib.suppress(OSError):  # the file is complete by now; some systems cannot sync a directory
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
