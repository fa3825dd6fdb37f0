"""The domain reads no clock, makes no ids and does no I/O: what an import linter cannot see (design decision 5)."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = sorted(
    {
        *(ROOT / "services").glob("*/domain/**/*.py"),
        *(ROOT / "services").glob("*/domain.py"),
        *(ROOT / "services" / "pipelines" / "linting").glob("*.py"),
        *(ROOT / "services" / "leads" / "scenarios").glob("*.py"),
        ROOT / "services" / "leads" / "playbook.py",
        *(ROOT / "services" / "calendars" / part for part in ("calendar.py", "months.py", "terms.py")),
        *(ROOT / "projections").glob("*/projection.py"),
        *(ROOT / "contracts").glob("events/*.py"),
        *(ROOT / "contracts").glob("*.py"),
    }
    - {ROOT / "contracts" / "generate.py"}
)
FORBIDDEN_CALLS = {
    *("now", "utcnow", "today", "fromtimestamp", "localtime", "monotonic", "perf_counter", "sleep"),
    *("uuid1", "uuid4", "uuid7", "urandom", "token_hex", "token_bytes", "random", "randint", "choice", "shuffle"),
    *("open", "read_text", "write_text", "read_bytes", "write_bytes", "print", "input", "eval", "exec", "getenv"),
}
FORBIDDEN_NODES = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Global)


def impurities(source: str) -> list[str]:
    """What in a source is not pure, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FORBIDDEN_NODES):
            found.append(f"line {node.lineno}: {type(node).__name__}")
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in FORBIDDEN_CALLS or ast.unparse(node.func) == "time.time":
                found.append(f"line {node.lineno}: {ast.unparse(node.func)}()")
        if (
            isinstance(node, ast.keyword)
            and node.arg == "default_factory"
            and isinstance(node.value, ast.Attribute | ast.Name)
        ):
            name = node.value.attr if isinstance(node.value, ast.Attribute) else node.value.id
            if name in FORBIDDEN_CALLS:
                found.append(f"line {node.lineno}: default_factory={name}")
    return found


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_K2_domain_is_pure(path: Path) -> None:
    assert not impurities(path.read_text("utf-8")), (
        f"{path.relative_to(ROOT)} must take time, ids and data as arguments"
    )


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nat = datetime.now()",
        "import datetime as d\nat = d.datetime.utcnow()",
        "from datetime import date\nday = date.today()",
        "import time\nat = time.time()",
        "from time import monotonic\nat = monotonic()",
        "from uuid import uuid4\nme = uuid4()",
        "import random\nx = random.choice([1])",
        "text = open('x').read()",
        "async def f(): ...",
        "x = Field(default_factory=uuid4)",
    ],
)
def test_K2_what_is_impure_is_found(source: str) -> None:
    assert impurities(source)


def test_K2_the_lead_domain_is_looked_at() -> None:
    found = importlib.util.find_spec("services.leads.domain.rules")
    assert found is not None
    assert Path(str(found.origin)) in PURE
