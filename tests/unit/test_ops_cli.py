"""The `leadline` command: one clear line and status 2 for what a person typed wrong, the right system for the rest (spec I)."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from contracts.events import CardRecorded, LeadSeen, StageEntered
from contracts.meta import Actor, Meta
from contracts.personal import ERASED
from services.eventlog.mapper import Recorded
from services.ops.history import as_object, describe, who
from services.ops.main import main
from services.ops.place import OpsError, Place, find_place
from services.ops.terminal import plain
from services.ops.tokens import check_name, new_token, token_hash
from services.ops.up import practice_start

LEAD = "018f3d2a-1111-7111-8111-00000000feed"


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No system is configured, none runs here."""
    for name in ("DATABASE_URL", "LEADLINE_DATA", "KAFKA_BOOTSTRAP", "LEADLINE_CLOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder as `leadline up` leaves it."""
    made = tmp_path / "here"
    made.mkdir()
    info = {
        "http": "http://127.0.0.1:8123",
        "kafka": "127.0.0.1:19093",
        "database": "postgresql://leadline:x@127.0.0.1:15433/leadline",
        "bi_database": "postgresql://leadline_bi:x@127.0.0.1:15433/leadline",
        "smtp": None,
        "topics": ["leads.events"],
        "data": str(made),
    }
    (made / "info.json").write_text(json.dumps(info))
    (made / "secrets.json").write_text(json.dumps({"master_key": "bQ==", "pepper": "cA==", "internal_token": "t"}))
    (made / "ports.json").write_text(json.dumps({"leads": 15001}))
    return made


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["frob"], "Unknown command"),
        (["history", "not-an-id"], "UUID"),
        (["history", LEAD, "--as-of", "2026-11-01"], "no time with a zone"),
        (["up", "--clock", "yesterday"], "no time with a zone"),
        (["up", "--port", "70000"], "0 to 65535"),
        (["token", "--as", "anna", "--role", "boss"], "seller"),
        (["token", "--as", "Анна", "--role", "seller", "--data", "here"], "Latin"),
        (["serve", "leeds"], "leads, relay, projections, robots, reactors, door"),
        (["info"], "leadline up --data data"),
        (["verify", "--data", "nowhere"], "no running system in nowhere"),
    ],
)
def test_I_bad_input_is_one_clear_line_and_status_2(
    typed: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("leadline: ")
    assert err.count("\n") == 1


def test_I_info_prints_what_the_running_system_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--data", str(folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads((folder / "info.json").read_text())
    assert set(said) == {"http", "kafka", "database", "bi_database", "smtp", "topics", "data"}
    assert main(["info", "--data", str(folder)]) == 0
    assert "127.0.0.1:19093" in capsys.readouterr().out


def test_I_a_data_folder_gives_the_settings_of_its_services(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/leadline")
    settings = find_place(folder).settings()
    assert settings.kafka_bootstrap == "127.0.0.1:19093"
    assert settings.leads_url == "http://127.0.0.1:15001"
    assert settings.database_url.get_secret_value().endswith(":15433/leadline")
    assert find_place(None) == Place(None)
    assert find_place(None).settings().database_url.get_secret_value() == "postgresql://elsewhere/leadline"


def test_I_a_damaged_data_folder_says_so_and_shows_no_secret(folder: Path) -> None:
    (folder / "secrets.json").write_text('{"master_key": ')
    with pytest.raises(OpsError, match=r"secrets\.json cannot be read"):
        find_place(folder).settings()


def test_I_help_is_fast_because_nothing_heavy_is_imported() -> None:
    heavy = "{'asyncpg', 'aiokafka', 'fastapi', 'uvicorn', 'alembic', 'pydantic', 'cryptography'}"
    code = f"import sys, services.ops.main; print(sorted({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    assert out.strip() == "[]"


def test_I_a_practice_folder_stays_one_and_a_real_one_never_becomes_one(tmp_path: Path) -> None:
    start, later = datetime(2026, 11, 22, 9, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert practice_start(tmp_path / "real", None) is None
    assert practice_start(tmp_path / "practice", start) == start
    (tmp_path / "practice" / "postgres").mkdir()
    assert practice_start(tmp_path / "practice", None) == start
    assert practice_start(tmp_path / "practice", later) == start
    (tmp_path / "real" / "postgres").mkdir(parents=True)
    with pytest.raises(OpsError, match="real system"):
        practice_start(tmp_path / "real", start)


def test_I_a_token_is_random_and_known_by_its_prefix() -> None:
    one, other = new_token(), new_token()
    assert one != other
    assert one.startswith("ll_")
    assert len(one) == 3 + 43
    assert len(token_hash(one)) == 32
    with pytest.raises(OpsError, match="--as"):
        check_name(" anna")


def recorded(data: CardRecorded | StageEntered | LeadSeen, **meta: object) -> Recorded:
    """An event as the history gets it."""
    at = datetime(2026, 11, 22, 9, tzinfo=UTC)
    full = {
        "stream": LEAD,
        "version": 3,
        "kind": "lead",
        "type": data.TOPIC,
        "happened_at": at,
        "recorded_at": at,
        "actor": Actor(id="anna", kind="person", role="seller"),
        "command": uuid4(),
        "correlation": "c",
        "pipeline": "classic@1",
        **meta,
    }
    return Recorded(Meta.model_validate(full), data)


def test_K6_history_tells_what_happened_and_marks_what_was_erased() -> None:
    entered = StageEntered(
        stage="processing", kind="open", visit=2, from_stage="new", from_visit=1, cause="moved", direction="forward"
    )
    assert describe(recorded(entered)) == "stage entered new → processing (open, visit 2, moved, forward)"
    against = entered.model_copy(
        update={"basis": "override", "overridden": ("S2.exit_criteria",), "override_reason": "так решил"}
    )
    assert describe(recorded(against)) == (
        "stage entered new → processing (open, visit 2, moved, forward, by override: S2.exit_criteria) так решил"
    )
    known = recorded(CardRecorded(names=("needs",), values={"needs": "столешница"}))
    assert describe(known) == "card recorded names=[needs], values={needs: столешница}"
    gone = recorded(CardRecorded(names=("needs",), values=ERASED))
    assert describe(gone) == "card recorded names=[needs], values=[erased]"
    told = as_object(gone)
    assert (told["erased"], told["data"]) == (["values"], {"names": ["needs"], "values": None})
    assert told["pipeline"] == "classic@1"
    robot = recorded(LeadSeen(), actor=Actor(id="mailer", kind="robot", on_behalf_of="anna"))
    assert who(robot) == "mailer (robot for anna)"


def test_K6_a_clients_text_cannot_move_the_terminals_cursor() -> None:
    assert plain("Иван\x1b[2J\r\n\u202eПетров") == "Иван�[2J �Петров"
