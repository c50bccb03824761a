"""Seeded payloads that look like people's: several scripts, unicode keys and tags, empty and very large bodies.

Faker makes a pool once per seed; each message is put together from the pool by the caller's own generator, which
costs microseconds. Nothing here knows who sends.
"""

from __future__ import annotations

import random
import threading
from functools import lru_cache
from typing import Final

from mqcheck.rocketmq.models import Outgoing

LOCALES: Final = ("en_US", "zh_CN", "ja_JP", "ru_RU", "ar_AA", "de_DE")
"""Scripts that a broker must carry unchanged."""

POOL_TEXTS: Final = 96
"""Texts and names made per seed. Ours: enough to differ, few enough to be quick."""

TAGS: Final = ("新建", "paid", "отменён", "versandt")
"""Tags that messages carry; unicode, none a part of another."""

EMPTY_ONE_IN: Final = 25
"""One body in so many is empty."""

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""RocketMQ's default maxMessageSize, to the byte."""

_BODY_TEXTS_MAX: Final = 12
_PROVIDERS: Final = ("faker.providers.lorem", "faker.providers.person")
"""What makes texts and names; all twenty of them take four times as long to find."""
_POOL_LOCK: Final = threading.Lock()


class Payloads:
    """Messages for one topic; the same generator state gives the same messages."""

    def __init__(self, topic: str, rng: random.Random, *, seed: int, largest_at: int | None = None) -> None:
        """`seed` chooses the pool, `rng` what is taken from it.

        `largest_at`: index of the one message that has the largest body a broker takes; None: there is none.
        """
        self._topic = topic
        self._rng = rng
        self._texts, self._names = pool(seed)
        self._largest_at = largest_at
        self._made = 0

    def next(self) -> Outgoing:
        """The next message: body, tag, one or two keys, a property."""
        rng, number = self._rng, self._made
        self._made += 1
        name = rng.choice(self._names)
        keys = (f"{name}-{number}", f"order-{number}") if rng.random() < 0.5 else (f"{name}-{number}",)
        return Outgoing(
            self._topic,
            self._body(number),
            tag=rng.choice(TAGS),
            keys=tuple(key.replace(" ", "_") for key in keys),
            properties={"customer": rng.choice(self._names)},
        )

    def _body(self, number: int) -> bytes:
        if number == self._largest_at:
            return self._rng.randbytes(BODY_BYTES_MAX)
        if self._rng.randrange(EMPTY_ONE_IN) == 0:
            return b""
        texts = self._rng.choices(self._texts, k=self._rng.randint(1, _BODY_TEXTS_MAX))
        return "\n".join(texts).encode()


def pool(seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts and names of all locales, the same for the same seed; a tenth of a second for a new one.

    Called by many scenarios' threads at once, all with the run's seed: the first makes it, the others wait.
    """
    with _POOL_LOCK:
        return _make_pool(seed)


@lru_cache(maxsize=4)
def _make_pool(seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from faker import Faker

    texts: list[str] = []
    names: list[str] = []
    for locale in LOCALES:
        faker = Faker(locale, providers=list(_PROVIDERS))
        faker.seed_instance(seed)
        texts += [faker.text(max_nb_chars=160) for _ in range(POOL_TEXTS // len(LOCALES))]
        names += [faker.name() for _ in range(POOL_TEXTS // len(LOCALES))]
    return tuple(texts), tuple(names)
