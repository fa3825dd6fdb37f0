"""Makes the project runnable on a machine that has Python 3.11+ and nothing else; used by the Makefile.

    python3 deploy/bootstrap.py [--dev] [-- COMMAND ARG...]

Makes `.venv`, installs the locked packages (every download checked against the hashes in the lock), installs the
project itself in place, then runs COMMAND from `.venv`. Done once per lock file: a stamp in `.venv` holds the digest of
what was installed, written last, so that an interrupted install is done again. Standard library only; safe with two at once (the
second waits). Errors say what to do and end with status 1.
"""

# Starting processes is what this module is for; every command is a list made here, nothing of it comes from outside.
# ruff: noqa: S603, S606

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)


def python() -> Path:
    """The environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def stop(text: str) -> None:
    """End with status 1 and a sentence for the person at the terminal."""
    sys.exit(f"error: {text}")


def run(what: str, *command: str) -> None:
    """Run one step; a failure ends the whole with what was being done."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        stop(f"{what} failed with status {done.returncode}; what went wrong stands above")


def make_venv() -> None:
    """Make `.venv` anew with pip in it."""
    if VENV.exists():
        shutil.rmtree(VENV)
    # Debian and Ubuntu put ensurepip into a package of its own, and venv then fails halfway with a long text
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stop(f"this Python has no `venv`; install it first, on Debian or Ubuntu: apt-get install python{version}-venv")
    print("making .venv", flush=True)
    run("making .venv", sys.executable, "-m", "venv", str(VENV))


def wanted_stamp(lock: Path) -> str:
    """Digest of everything that decides what is installed."""
    digest = hashlib.sha256()
    for part in (lock, ROOT / "pyproject.toml"):
        digest.update(part.read_bytes())
    return f"{lock.name} {digest.hexdigest()} {sys.version_info.major}.{sys.version_info.minor} {ROOT}\n"


def read_stamp(path: Path) -> str:
    """The stamp of what is installed, empty when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def install(dev: bool) -> None:
    """Install what the lock names, unless the stamp says that it is there."""
    locks = {True: ROOT / "requirements-dev.lock", False: ROOT / "requirements.lock"}
    stamps = {kind: VENV / f"leadline-{'dev' if kind else 'run'}.stamp" for kind in locks}
    wanted = {kind: wanted_stamp(lock) for kind, lock in locks.items()}
    # the development lock holds all that the other one does, in the same versions
    if read_stamp(stamps[True]) == wanted[True] or (not dev and read_stamp(stamps[False]) == wanted[False]):
        return
    for stamp in stamps.values():
        stamp.unlink(missing_ok=True)
    if subprocess.run([python(), "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        run("putting pip into .venv", str(python()), "-m", "ensurepip")  # made by a tool that leaves it out
    print(f"installing what {locks[dev].name} names (once)", flush=True)
    pip = (str(python()), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run("installing packages", *pip, "--require-hashes", "--only-binary", ":all:", "-r", str(locks[dev]))
    # its build tool is in the lock, so nothing is fetched here
    run("installing the project", *pip, "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(ROOT))
    stamps[dev].write_text(wanted[dev], encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Make the environment ready, then become the command."""
    if sys.version_info < OLDEST:
        stop(f"Leadline needs Python {'.'.join(map(str, OLDEST))} or newer; this is {sys.version.split()[0]}")
    if os.name == "nt":
        stop("Leadline runs on Linux and macOS; on Windows use WSL or: docker compose up")
    import fcntl

    split = arguments.index("--") if "--" in arguments else len(arguments)
    alone = os.open(ROOT, os.O_RDONLY)  # the folder itself is the lock: nothing to leave behind
    fcntl.flock(alone, fcntl.LOCK_EX)
    if not python().exists():
        make_venv()
    install("--dev" in arguments[:split])
    os.close(alone)
    command = arguments[split + 1 :]
    if command:
        os.environ["PATH"] = f"{python().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        os.environ.pop("PYTHONHOME", None)
        # a start is seven processes of one code: it is compiled once and kept (`make clean` removes it), not in each
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.stdout.flush()
        try:
            os.execvp(command[0], command)
        except OSError as error:
            stop(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
