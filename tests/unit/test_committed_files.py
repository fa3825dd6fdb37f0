"""No committed file holds a download address of a registry or a path of one machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]

REGISTRIES = (
    "py" + "pi.org",
    "files.python" + "hosted.org",
    "repo1." + "maven.org",
    "repo." + "maven.apache.org",
    "registry." + "npmjs.org",
    "deb." + "debian.org",
    "proxy." + "golang.org",
    "crates" + ".io",
)
MACHINE = ("/" + "work/", "/" + "root/", "/" + "home/")
FORBIDDEN = (*REGISTRIES, *MACHINE)


def tracked() -> list[Path]:
    """Files of the repository, those not yet committed but not ignored among them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=30).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def findings(text: str) -> list[str]:
    """What a text holds that it must not. A path counts where it begins one, not inside a longer path or address."""
    found = [word for word in REGISTRIES if word in text]
    for word in MACHINE:
        at = text.find(word)
        while at >= 0:
            before = text[at - 1] if at else " "
            if not (before.isalnum() or before in "._-~}>*/"):
                found.append(word)
                break
            at = text.find(word, at + 1)
    return found


def test_no_file_names_a_registry_or_a_machine() -> None:
    paths = tracked()
    assert paths
    bad = {
        str(path.relative_to(ROOT)): found
        for path in paths
        if (found := findings(path.read_bytes().decode("utf-8", "replace")))
    }
    assert not bad, bad


def test_what_is_forbidden_is_found() -> None:
    for word in REGISTRIES:
        assert findings(f'url = "https://{word}/simple"') == [word]
    for word in MACHINE:
        assert findings(f"cd {word}main") == [word]
    assert not findings("framework/ docs/howto/ see ./network/ and a/homepage/")
