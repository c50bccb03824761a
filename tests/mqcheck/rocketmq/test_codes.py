"""mqcheck.rocketmq.codes: the numbers, as real brokers and clients put them on the wire."""

from __future__ import annotations

import json
from pathlib import Path

from mqcheck.rocketmq.codes import CLIENT_VERSION, KEPT_CODES, LANGUAGES, RESERVED_PROPERTIES, RETRY_CODES, RequestCode

FOLDER = Path(__file__).parents[2] / "golden"
FRAMES = [json.loads(line) for line in (FOLDER / "frames.jsonl").read_text(encoding="utf-8").splitlines()]
RECORDS = [json.loads(line) for line in (FOLDER / "messages.jsonl").read_text(encoding="utf-8").splitlines()]


def test_request_codes_have_their_recorded_names() -> None:
    recorded = {frame["code"]: frame["name"] for frame in FRAMES if frame["direction"] == "request"}
    known = {code.value: code.name for code in RequestCode if code in recorded}
    assert len(known) >= 20
    assert known == {code: recorded[code] for code in known}


def test_languages_are_the_recorded_ones() -> None:
    assert {frame["expect"]["language"] for frame in FRAMES} <= set(LANGUAGES)
    assert LANGUAGES.index("GO") == 9


def test_what_real_brokers_add_to_properties_is_reserved() -> None:
    seen = {name for record in RECORDS for name in record["expect"]["properties"]}
    added = {name for name in seen if name.isupper() or name.startswith("__")}
    assert added - RESERVED_PROPERTIES == set()


def test_stored_and_retried_answers_are_different_things() -> None:
    assert not KEPT_CODES & RETRY_CODES
    assert CLIENT_VERSION >= 401
