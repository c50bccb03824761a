from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.disk import MemoryDisk
from reference_impl.errors import StoreDamagedError
from reference_impl.store.tables import CONSUMER_OFFSETS, TOPICS, load_table, save_table

RNG = random.Random(3)
TABLES = st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text() | st.booleans())


def test_a_table_never_saved_is_none() -> None:
    assert load_table(MemoryDisk(), TOPICS) is None


@given(table=TABLES)
def test_what_was_saved_is_loaded(table: dict[str, object]) -> None:
    disk = MemoryDisk()
    save_table(disk, TOPICS, table, durable=False)
    assert load_table(disk, TOPICS) == table


def test_a_durable_table_survives_a_power_cut_and_a_volatile_one_falls_back_to_it() -> None:
    disk = MemoryDisk()
    save_table(disk, TOPICS, {"topicConfigTable": {}}, durable=True)
    save_table(disk, TOPICS, {"topicConfigTable": {"T": {}}}, durable=False)
    save_table(disk, CONSUMER_OFFSETS, {"offsetTable": {}}, durable=False)
    disk.crash(power=True, rng=RNG)
    assert load_table(disk, TOPICS) == {"topicConfigTable": {}}
    assert load_table(disk, CONSUMER_OFFSETS) is None


def test_a_volatile_table_survives_a_kill() -> None:
    disk = MemoryDisk()
    save_table(disk, CONSUMER_OFFSETS, {"offsetTable": {}}, durable=False)
    disk.crash(power=False, rng=RNG)
    assert load_table(disk, CONSUMER_OFFSETS) == {"offsetTable": {}}


def test_files_written_by_rocketmq_can_be_read() -> None:
    disk = MemoryDisk()
    disk.replace(CONSUMER_OFFSETS, b'{\n\t"offsetTable":{"T@G":{0:12,1:3}}\n}', durable=True)
    assert load_table(disk, CONSUMER_OFFSETS) == {"offsetTable": {"T@G": {"0": 12, "1": 3}}}


def test_an_empty_file_as_rocketmq_leaves_after_a_power_cut_is_no_table() -> None:
    disk = MemoryDisk()
    disk.replace(TOPICS, b"", durable=True)
    assert load_table(disk, TOPICS) is None


@pytest.mark.parametrize("data", [b"[1]", b"{", b"\xff\x00"])
def test_a_damaged_table_is_named_with_the_way_out(data: bytes) -> None:
    disk = MemoryDisk()
    disk.replace(TOPICS, data, durable=True)
    with pytest.raises(StoreDamagedError, match="delete it") as caught:
        load_table(disk, TOPICS)
    assert TOPICS in str(caught.value)
