"""What went through the broker, counted and sampled."""

from __future__ import annotations

from reference_impl.delivery.statistics import DAY_MS, HOURS_MS, KEYS_MAX, SECONDS_MS, Statistics, Window, shown

NOW_MS = 1_700_000_000_000


def test_a_minute_has_six_samples_and_forgets_older_ones() -> None:
    counts = Statistics()
    for number in range(20):
        counts.put("T", 10, 1000)
        counts.sample_seconds(NOW_MS + number * SECONDS_MS)
    minute = counts.puts["T"].minute
    assert shown(minute, 1) == Window(60, 1.0, 10.0)
    assert shown(minute, 2) == Window(6000, 100.0, 1000.0)
    assert shown(minute, 1, per_request=False).avgpt == 0.0
    assert shown(counts.puts["T"].hour, 1) == Window()


def test_the_first_sample_counts_from_zero() -> None:
    counts = Statistics()
    counts.got("T", "G", 5, 50)
    assert counts.consume_tps("T", "G") == 0.0
    counts.sample_seconds(NOW_MS)
    assert counts.consume_tps("T", "G") == 0.5
    assert counts.consume_tps("T", "X") == 0.0


def test_times_are_a_column_too() -> None:
    counts = Statistics()
    counts.missed()
    counts.missed()
    counts.sample_seconds(NOW_MS)
    assert (counts.all_misses.messages, shown(counts.all_misses.minute, 3).sum) == (0, 2)


def test_names_and_keys() -> None:
    counts = Statistics()
    counts.put("T", 1, 10)
    counts.got("%RETRY%G", "G", 1, 10)
    counts.sent_back("T", "G")
    known = [
        ("TOPIC_PUT_NUMS", "T"),
        ("TOPIC_PUT_SIZE", "T"),
        ("GROUP_GET_NUMS", "%RETRY%G@G"),
        ("GROUP_GET_SIZE", "%RETRY%G@G"),
        ("SNDBCK_PUT_NUMS", "T@G"),
        ("BROKER_PUT_NUMS", "C"),
        ("BROKER_GET_NUMS", "C"),
    ]
    for name, key in known:
        found = counts.find(name, key, "C")
        assert found is not None, name
        assert list(found) == ["statsMinute", "statsHour", "statsDay"]
    for name, key in [
        ("TOPIC_PUT_NUMS", "U"),
        ("BROKER_PUT_NUMS", "T"),
        ("BROKER_PUT_SIZE", "C"),
        ("X", "T"),
        ("", ""),
    ]:
        assert counts.find(name, key, "C") is None, (name, key)


def test_memory_is_bounded() -> None:
    counts = Statistics()
    for number in range(KEYS_MAX + 5):
        counts.put(f"T{number}", 1, 1)
        counts.got("T", f"G{number}", 1, 1)
    assert (len(counts.puts), len(counts.gets)) == (KEYS_MAX, KEYS_MAX)
    assert counts.all_puts.messages == KEYS_MAX + 5
    for number in range(25):
        counts.put("T0", 1, 1)
        counts.sample_hours(NOW_MS + number * HOURS_MS)
    assert list(counts.puts) == ["T0"], "who has not moved for a day is dropped"
    assert counts.gets == {}


def test_days_begin_at_midnight() -> None:
    counts = Statistics()
    midnight_ms = NOW_MS // DAY_MS * DAY_MS + DAY_MS
    counts.start(NOW_MS)
    counts.put("T", 3, 1)
    counts.sample_hours(midnight_ms - 1)
    assert list(counts.mornings) == [(0, 0), (0, 0)]
    counts.sample_hours(midnight_ms)
    counts.put("T", 1, 1)
    counts.sample_hours(midnight_ms + HOURS_MS)
    assert list(counts.mornings) == [(0, 0), (3, 0)]
    counts.sample_hours(midnight_ms + DAY_MS)
    assert list(counts.mornings) == [(3, 0), (4, 0)]


def test_topics_and_groups_can_be_forgotten() -> None:
    counts = Statistics()
    for topic in ("T", "U"):
        counts.put(topic, 1, 1)
        for group in ("G", "H"):
            counts.got(topic, group, 1, 1)
            counts.sent_back(topic, group)
    counts.forget_topic("T")
    assert list(counts.puts) == ["U"]
    counts.forget_group("G")
    assert list(counts.gets) == list(counts.backs) == [("U", "H")]
