"""What befalls slaves: broker-m's is gone for a while, broker-n's outlives its master; both hold what they should."""

from __future__ import annotations

from histories.figures import COPIED_TOPIC, SLAVE_GONE_MS, SLAVE_TOPIC
from histories.requests import Requests

MASTER, SLAVE = "broker-n", "broker-n-slave"


class Slaves(Requests):
    """Two broker groups with slaves."""

    def slave_load(self) -> None:
        """Sends while there is no slave; a topic and offsets that a slave has copied; one that is asked alone."""
        gone, back = SLAVE_GONE_MS
        for node in (MASTER, SLAVE):
            number = int(node == SLAVE)
            life = {"role": "broker", "broker": MASTER, "broker_id": number, "life": 0, "version": "4.9.7"}
            self.entry("nodes", node=node, spawned=1, ready=200, **life)
        self.restart("broker-m-slave", "kill", gone, back)
        self.restart(MASTER, "kill", gone, back)
        for number in range(10):
            message, _ = self.send(gone + 700 + 20 * number, (COPIED_TOPIC, "broker-m", 0), wait_store=True)
            for table in ("attempts", "sends"):
                self.find(table, message=message)[-1].end.update(outcome="kept", code=11)
        for number in range(8):
            self.send(1_000 + 20 * number, (SLAVE_TOPIC, MASTER, 0))
        self.tables_of_slaves()
        self.questions_to_slaves(gone)

    def tables_of_slaves(self) -> None:
        for node, at in ((MASTER, 1_500), (SLAVE, 5_000)):
            place = {"reading": "copied", "node": node, "broker": MASTER, "kind": "topic", "name": SLAVE_TOPIC}
            self.span("inventory", at, at + 5, {"listed": True}, **place)
            for number in range(5):
                place = {"consumer_group": f"idle-{number}", "node": node, "broker": MASTER, "topic": SLAVE_TOPIC}
                place |= {"kind": "query"} if node == SLAVE else {"kind": "commit", "value": 3}
                end = {"code": 0, "position": 3} if node == SLAVE else {"code": 0}
                self.span("offsets", at + 10, at + 15, end, queue=0, **place)

    def questions_to_slaves(self, gone: float) -> None:
        place = {"node": SLAVE, "broker": MASTER, "topic": SLAVE_TOPIC, "queue": 0}
        end = {"min_offset": 0, "max_offset": 8, "complete": True}
        self.span("readings", gone - 500, gone - 400, end, reading="alive", broker_id=1, master=False, **place)
        for number in range(10):
            at = gone + 500 + 20 * number
            asked = {"kind": "pull", "consumer_group": "probe", "expression": "*", "max_num": 8, "position": 0}
            found = {"code": 0, "records": 8, "suggested_broker_id": 0, "next_offset": 8}
            self.span("pulls", at, at + 5, found, **asked, **place)
            asked = {"probe": "send-to-slave", "node": SLAVE, "request_code": 310, "encoding": "json"}
            refused = {"answers": 1, "code": 14, "response_flag": "1"}
            self.span("replies", at, at + 5, refused, **asked)
