"""Two groups that want a part of a topic: one by tags, one by SQL92."""

from __future__ import annotations

from histories.reading import Reading

WARES = ("W", "broker-a", 0)
TAGGED, DEAR = ("gt", "ct@20"), ("gq", "cq@21")
PRICES = 60
BROKEN = 6


class Filtering(Reading):
    """A filtered topic on the broker that is killed."""

    def filtered_load(self) -> None:
        """Of each three messages one has the wanted tag, and half are dear; as many before the kill as after it."""
        topic, broker, queue = WARES
        self.subscribe(TAGGED[0], topic, expression="A || Aa")
        self.subscribe(DEAR[0], topic, expression="price > 50", expression_type="SQL92")
        for group, member in (TAGGED, DEAR):
            self.assign(group, member, WARES, 300)
        for i in range(2 * PRICES):
            at = 5_000 + 20 * i if i < PRICES else 20_000 + 20 * i
            tag = ("A", "BB", None)[i % 3]
            message, offset = self.send(at, WARES, tag=tag, properties=f'{{"price":"{i % PRICES * 2}"}}')
            if tag == "A":
                self.deliver(at + 8, *TAGGED, message, WARES, offset, tag=tag)
            if i % PRICES * 2 > 50:
                self.deliver(at + 8, *DEAR, message, WARES, offset, tag=tag)
        for group, member in (TAGGED, DEAR):
            self.commit(24_000, group, member, WARES, 2 * PRICES)
        for i in range(BROKEN):
            end = {"answers": 1, "code": 23, "response_flag": "1"}
            where = {"probe": "sql92-broken", "node": broker, "request_code": 46, "encoding": "json"}
            self.span("replies", 30_700 + i, 30_703 + i, end, **where)
            end = {"code": 20, "next_offset": 2 * PRICES, "records": 0, "min_offset": 0, "max_offset": 2 * PRICES}
            place = {"node": broker, "broker": broker, "topic": topic, "queue": queue, "position": i}
            asked = {"kind": "pull", "consumer_group": "readers", "max_num": 32, "expression": "nobody"}
            asked |= {"expression_type": "TAG"}
            self.span("pulls", 30_800 + i, 30_803 + i, end, **asked, **place)
