"""Every setting of a NameServer and a broker, under RocketMQ's own property names where one exists.

Holds names, defaults, reading and checking; no behaviour, no files: a ``.conf`` file's text comes in as an argument.
A property that RocketMQ does not have (or clamps) is called ``reference.…``. Sources: NamesrvConfig,
BrokerConfig, MessageStoreConfig, NettyServerConfig of RocketMQ 4.9.
"""

# ruff: noqa: N815 - attributes carry RocketMQ's property names

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from reference_impl.commands import MASTER_ID
from reference_impl.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value = str | int | bool

DELAY_LEVELS: Final = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h"
"""Default of messageDelayLevel [MessageStoreConfig]."""

SLAVE_RATIO_LESS: Final = 10
"""Percent of memory that a slave takes less than its accessMessageInMemoryMaxRatio [BrokerStartup]."""

_UNIT_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_ADDRESS: Final = re.compile(r".+:\d+")

_PORT_MAX: Final = 65535
"""Largest port of TCP."""

_TIME_MS_MAX: Final = 1 << 40
"""Longest time a setting may name, 34 years; ours."""

_IGNORED_NAMES: Final = """
rocketmqHome configStorePath productEnvName clusterTest serverWorkerThreads serverCallbackExecutorThreads
serverSelectorThreads serverOnewaySemaphoreValue serverAsyncSemaphoreValue serverChannelMaxIdleTimeSeconds
serverSocketSndBufSize serverSocketRcvBufSize serverPooledByteBufAllocatorEnable useEpollNativeSelector
brokerIP2 messageStorePlugIn clusterTopicEnable brokerTopicEnable sendMessageThreadPoolNums
pullMessageThreadPoolNums processReplyMessageThreadPoolNums queryMessageThreadPoolNums
adminBrokerThreadPoolNums clientManageThreadPoolNums consumerManageThreadPoolNums heartbeatThreadPoolNums
endTransactionThreadPoolNums consumerManagerThreadPoolQueueCapacity clientManagerThreadPoolQueueCapacity
sendThreadPoolQueueCapacity pullThreadPoolQueueCapacity replyThreadPoolQueueCapacity
queryThreadPoolQueueCapacity filterServerNums filterDataCleanTimeSpan startAcceptSendRequestTimeStamp traceOn
enableCalcFilterBitMap expectConsumerNumUseFilter maxErrorRateOfBloomFilter compressedRegister forceRegister
registerNameServerPeriod registerBrokerTimeoutMills fetchNamesrvAddrByAddressServer highSpeedMode
commercialEnable disableConsumeIfConsumerReadSlowly consumerFallbehindThreshold
aclEnable autoCreateSubscriptionGroupEnable regionId storePathCommitLog storePathConsumeQueue storePathIndex
storeCheckpoint abortFile mappedFileSizeConsumeQueue enableConsumeQueueExt mappedFileSizeConsumeQueueExt
bitMapLengthConsumeQueueExt commitIntervalCommitLog useReentrantLockWhenPutMessage flushCommitLogTimed
flushIntervalConsumeQueue deleteCommitLogFilesInterval deleteConsumeQueueFilesInterval
destroyMapedFileIntervalForcibly redeleteHangedFileInterval putMsgIndexHightWater checkCRCOnRecover
flushCommitLogLeastPages commitCommitLogLeastPages flushLeastPagesWhenWarmMapedFile
flushConsumeQueueLeastPages flushCommitLogThoroughInterval commitCommitLogThoroughInterval
flushConsumeQueueThoroughInterval maxHashSlotNum maxIndexNum messageIndexSafe
warmMapedFileEnable debugLockEnable duplicationEnable diskFallRecorded osPageCacheBusyTimeOutMills
transientStorePoolEnable transientStorePoolSize fastFailIfNoBufferInStorePool enableDLegerCommitLog
commercialTimerCount commercialTransCount commercialBigCount
serverSocketBacklog writeBufferHighWaterMark writeBufferLowWaterMark traceOnEnable
"""

IGNORED: Final = frozenset(_IGNORED_NAMES.split())
"""Properties of a real ``namesrv.conf`` or ``broker.conf`` that have no meaning here: accepted, with a note."""


def _reference(name: str, default: Value) -> Any:
    """A setting that RocketMQ has no property for; its property is ``reference.<name>``."""
    return field(default=default, name=f"reference.{name}")


class _Common(Struct, frozen=True):
    """What both roles can be told, and how settings are shown."""

    bindAddress: str = "127.0.0.1"
    """Address (or, in a simulation, node name) that is listened on [NettyServerConfig]."""
    idle_close_ms: int = _reference("idleCloseMs", 120_000)
    """A connection without a byte for so long is closed; RocketMQ's serverChannelMaxIdleTimeSeconds is 120 s."""

    def effective(self) -> dict[str, Value]:
        """Every value by property name, for the ready line."""
        values: dict[str, Value] = to_builtins(self)
        return values


class NameServerSettings(_Common, frozen=True):
    """Settings of a NameServer."""

    listenPort: int = 9876
    """0 takes a free one."""
    orderMessageEnable: bool = False
    """Whether a route names the order configuration of its topic."""
    kvConfigPath: str = ""
    """File that keeps the key-value configuration; empty: it lives as long as the process. RocketMQ has a default."""
    broker_expiry_ms: int = _reference("brokerExpiryMs", 120_000)
    """A broker silent for longer is removed at the next scan [BROKER_CHANNEL_EXPIRED_TIME]."""
    broker_scan_ms: int = _reference("brokerScanMs", 10_000)
    """Time between two scans for silent brokers [scanNotActiveBroker]."""


class BrokerSettings(_Common, frozen=True):
    """Settings of a broker."""

    brokerName: str = "broker-a"
    brokerClusterName: str = "DefaultCluster"
    brokerId: int = 0
    """0 is the master of its name, others are slaves."""
    brokerIP1: str = "127.0.0.1"
    """Address that is registered and told to clients."""
    listenPort: int = 10911
    """0 takes a free block of P, P - 2 (VIP) and P + 1 (HA)."""
    haListenPort: int = 0
    """Where slaves fetch the commit log; 0 means listenPort + 1."""
    namesrvAddr: str = ""
    """NameServers, divided by ``;``; empty: registers nowhere."""
    storePathRootDir: str = "store"
    flushDiskType: str = "ASYNC_FLUSH"
    syncFlushTimeout: int = 5000
    """ms that a SYNC_FLUSH send waits before it is answered FLUSH_DISK_TIMEOUT."""
    flushIntervalCommitLog: int = 500
    """ms between two syncs of ASYNC_FLUSH."""
    flushConsumerOffsetInterval: int = 5000
    """ms between two writes of consumerOffset.json."""
    flushDelayOffsetInterval: int = 10_000
    """ms between two writes of delayOffset.json."""
    messageDelayLevel: str = DELAY_LEVELS
    maxMessageSize: int = 4_194_304
    """Bytes of a body."""
    autoCreateTopicEnable: bool = True
    autoCreateSubscriptionGroup: bool = True
    defaultTopicQueueNums: int = 8
    """Queues of TBW102, an upper bound for created topics."""
    brokerFastFailureEnable: bool = True
    """Whether requests that have waited for longer than the next four are refused with SYSTEM_BUSY."""
    waitTimeMillsInSendQueue: int = 200
    """ms, of a send or a send-back."""
    waitTimeMillsInPullQueue: int = 5000
    """ms, of a pull."""
    waitTimeMillsInHeartbeatQueue: int = 31_000
    """ms, of a heartbeat."""
    waitTimeMillsInTransactionQueue: int = 3000
    """ms, of the end of a transaction: mostly one-way, so that the refusal is silent."""
    longPollingEnable: bool = True
    shortPollingTimeMills: int = 1000
    """ms that a pull is held while long polling is off."""
    notifyConsumerIdsChangedEnable: bool = True
    brokerRole: str = "ASYNC_MASTER"
    slaveTimeout: int = 3000
    """ms that a SYNC_MASTER send waits for a slave before it is answered FLUSH_SLAVE_TIMEOUT."""
    haSendHeartbeatInterval: int = 5000
    """ms of silence on an HA connection after which either side says something."""
    haHousekeepingInterval: int = 20_000
    """ms without a byte from the other side after which either side of an HA connection closes it."""
    haTransferBatchSize: int = 32_768
    """Bytes of the commit log in one HA frame."""
    haSlaveFallbehindMax: int = 268_435_456
    """Bytes that a usable slave may be behind; without one, SYNC_MASTER answers SLAVE_NOT_AVAILABLE."""
    haMasterAddress: str = ""
    """Where a slave fetches the commit log; empty: where the NameServers say."""
    slaveReadEnable: bool = False
    """Whether a pull far behind is sent to the slave that its group names."""
    accessMessageInMemoryMaxRatio: int = 40
    """Percent of the machine's memory; a pull further behind counts as reading from the disk. A slave takes 10 less."""
    maxTransferBytesOnMessageInMemory: int = 262_144
    """Bytes that one pull is answered, unless its first message alone is longer."""
    maxTransferCountOnMessageInMemory: int = 32
    """Messages that one pull is answered, however many it asks for."""
    maxTransferBytesOnMessageInDisk: int = 65_536
    """Bytes, for a pull that counts as reading from the disk."""
    maxTransferCountOnMessageInDisk: int = 8
    """Messages, for a pull that counts as reading from the disk."""
    offsetCheckInSlave: bool = False
    """Whether a slave corrects the offset of a pull outside the queue, as a master does."""
    mappedFileSizeCommitLog: int = 1_073_741_824
    """Bytes of one commit log file."""
    brokerPermission: int = 6
    messageIndexEnable: bool = True
    """Whether messages can be found by their keys."""
    maxMsgsNumBatch: int = 64
    """Most messages that one query by key is answered."""
    defaultQueryMaxNum: int = 32
    """Most messages that one query by unique key is answered."""
    enablePropertyFilter: bool = False
    """Whether consumers may filter by SQL92."""
    filterSupportRetry: bool = False
    """Whether SQL92 filters are put to retries too."""
    autoDeleteUnusedStats: bool = False
    """Whether the counts of a topic or group go with it."""
    rejectTransactionMessage: bool = False
    storeReplyMessageEnable: bool = True
    """Whether answers of request-reply are stored beside being handed over."""
    traceTopicEnable: bool = False
    """Whether the broker is born with the topic of message traces."""
    msgTraceTopicName: str = "RMQ_SYS_TRACE_TOPIC"
    transactionTimeOut: int = 6000
    """ms before an undecided half message is asked about, unless it names its own immunity."""
    transactionCheckMax: int = 15
    """Checks before a half message is given up."""
    transactionCheckInterval: int = 60_000
    """ms between two rounds of checks."""
    cleanResourceInterval: int = 10_000
    """ms between two looks at the disk."""
    first_clean_ms: int = _reference("firstCleanMs", 1)
    """No look at the disk sooner after the start; RocketMQ's is 60 000 [DefaultMessageStore.addScheduleTask]."""
    deleteWhen: str = "04"
    """Hours (UTC) at which old files go, divided by ``;``."""
    diskMaxUsedSpaceRatio: int = 75
    """Percent of the disk above which old files go at any hour."""
    diskSpaceCleanForciblyRatio: int = 85
    """Percent above which files go whatever their age."""
    diskSpaceWarningLevelRatio: int = 90
    """Percent above which sends are refused."""
    cleanFileForciblyEnable: bool = True
    """Whether files may go before their time."""
    disk_spare_bytes: int = _reference("diskSpareBytes", 100 << 20)
    """With so much free no disk counts as full; ours."""
    fileReservedTime: int = 72
    """Hours that a message is kept, 0 where its file may go once it is full; an older half message is given up."""
    register_period_ms: int = _reference("registerPeriodMs", 30_000)
    """Time between two registrations; RocketMQ's registerNameServerPeriod is clamped to 10 to 60 s."""
    client_expiry_ms: int = _reference("clientExpiryMs", 120_000)
    """A client without a heartbeat for longer is removed at the next scan [CHANNEL_EXPIRED_TIMEOUT]."""
    client_scan_ms: int = _reference("clientScanMs", 10_000)
    """Time between two scans for silent clients [ClientHousekeepingService]."""
    hold_scan_ms: int = _reference("holdScanMs", 5000)
    """Time between two looks at held pulls [PullRequestHoldService]."""
    delay_scan_ms: int = _reference("delayScanMs", 100)
    """Time between two looks at a delay level [ScheduleMessageService]."""
    lock_expiry_ms: int = _reference("lockExpiryMs", 60_000)
    """A queue lock not renewed for longer is anybody's [RebalanceLockManager]."""
    ha_reconnect_ms: int = _reference("haReconnectMs", 5000)
    """Time between two tries of a slave to reach its master [HAClient]."""
    slave_sync_ms: int = _reference("slaveSyncMs", 10_000)
    """Time between two copies of the master's tables by a slave [BrokerController.handleSlaveSynchronize]."""
    physical_memory_bytes: int = _reference("physicalMemoryBytes", 0)
    """Memory that accessMessageInMemoryMaxRatio is a part of; 0 means the machine's."""
    version: str = _reference("version", "4.9.7")
    """Which RocketMQ's answers are given where versions differ."""

    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "flushDiskType": ("ASYNC_FLUSH", "SYNC_FLUSH"),
        "brokerRole": ("ASYNC_MASTER", "SYNC_MASTER", "SLAVE"),
        "reference.version": ("4.9.7",),
    }

    @property
    def nameservers(self) -> tuple[str, ...]:
        """The addresses of ``namesrvAddr``, without repeats."""
        parts = (part.strip() for part in self.namesrvAddr.replace(",", ";").split(";"))
        return tuple(dict.fromkeys(part for part in parts if part))

    @property
    def sync_flush(self) -> bool:
        """Whether an acknowledgement waits for the disk."""
        return self.flushDiskType == "SYNC_FLUSH"

    @property
    def ha_port(self) -> int:
        """The port that slaves connect to."""
        return self.haListenPort or self.listenPort + 1

    @property
    def sync_master(self) -> bool:
        """Whether an acknowledgement waits for a slave."""
        return self.brokerRole == "SYNC_MASTER"

    @property
    def slave(self) -> bool:
        """Whether this broker copies a master and takes no messages itself."""
        return self.brokerRole == "SLAVE"

    @property
    def memory_bytes(self) -> int:
        """How far behind a pull may be and still be served from memory; 0: any."""
        ratio = self.accessMessageInMemoryMaxRatio - (SLAVE_RATIO_LESS if self.slave else 0)
        return self.physical_memory_bytes * max(0, ratio) // 100

    @property
    def delay_levels_ms(self) -> tuple[int, ...]:
        """Delay of each level in ms; level 1 comes first."""
        return parse_delay_levels(self.messageDelayLevel)


_FIXED_NAMES: Final = """
bindAddress reference.idleCloseMs listenPort kvConfigPath brokerName brokerClusterName brokerId brokerIP1
haListenPort namesrvAddr storePathRootDir flushIntervalCommitLog messageDelayLevel brokerRole
mappedFileSizeCommitLog defaultTopicQueueNums traceTopicEnable msgTraceTopicName reference.delayScanMs
messageIndexEnable reference.version haSendHeartbeatInterval haHousekeepingInterval haTransferBatchSize
haMasterAddress haSlaveFallbehindMax reference.haReconnectMs
"""

_FIXED: Final = frozenset(_FIXED_NAMES.split())
"""Properties that are read at the start alone."""

Settings = TypeVar("Settings", NameServerSettings, BrokerSettings)


class Loaded(Struct, frozen=True):
    """What the texts and arguments of one start came to."""

    nameserver: NameServerSettings
    broker: BrokerSettings
    notes: tuple[str, ...]
    """Lines to be shown to the user: properties that were accepted and mean nothing here."""


def parse_delay_levels(text: str) -> tuple[int, ...]:
    """Read ``1s 5s 10s …`` into ms; a level in ms may be given as ``200ms``. SettingsError names the bad one."""
    levels: list[int] = []
    for word in text.split():
        number, unit = (word[:-2], 1) if word.endswith("ms") else (word[:-1], _UNIT_MS.get(word[-1], 0))
        if not unit or not number.isdecimal():
            raise SettingsError(
                f"messageDelayLevel has {word!r}: write a number and one of ms, s, m, h, d, as in '10s'"
            )
        levels.append(int(number) * unit)
    return tuple(levels)


def parse_properties(text: str) -> dict[str, str]:
    """Read ``key = value`` lines; ``#`` and ``!`` begin a comment, a later line wins.

    SettingsError names a line without ``=``.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare[0] in "#!":
            continue
        key, separator, value = bare.partition("=")
        if not separator or not key.strip():
            raise SettingsError(f"line {number}, {bare!r}, is no property: write key = value")
        found[key.strip()] = value.strip()
    return found


def properties_text(values: Mapping[str, Value]) -> bytes:
    """Write properties, sorted, one line each, as 26 and 319 answer them."""
    lines = (
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in sorted(values.items())
    )
    return "".join(f"{line}\n" for line in lines).encode()


def parse_arguments(arguments: Iterable[str]) -> dict[str, str]:
    """Read ``key=value`` words of ``-p``; SettingsError names a word without ``=``."""
    found: dict[str, str] = {}
    for word in arguments:
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise SettingsError(f"-p {word!r} is no property: write -p key=value")
        found[key.strip()] = value.strip()
    return found


def load(role: str, properties: Mapping[str, str]) -> Loaded:
    """Make settings for ``namesrv``, ``broker`` or ``all`` of properties; the start calls it.

    With ``all``, a key that both roles have is written ``namesrv.KEY`` or ``broker.KEY``.
    SettingsError: an unknown key (with near matches), a value of the wrong kind or range, an ambiguous key.
    """
    roles: dict[str, type[Struct]] = {"namesrv": NameServerSettings, "broker": BrokerSettings}
    wanted = tuple(roles) if role == "all" else (role,)
    chosen: dict[str, dict[str, Value]] = {name: {} for name in roles}
    notes: list[str] = []
    for key, text in properties.items():
        owner, bare = _owner(key, {name: roles[name] for name in wanted})
        if owner is None:
            notes.append(f"property {bare} has no meaning here and is ignored")
            continue
        attribute = _attributes(roles[owner])[bare]
        chosen[owner][attribute] = _convert(roles[owner], bare, attribute, text)
    nameserver = NameServerSettings(**chosen["namesrv"])  # type: ignore[arg-type]
    broker = BrokerSettings(**chosen["broker"])  # type: ignore[arg-type]
    if not broker.slave and broker.brokerId != MASTER_ID:
        notes.append(f"brokerId {broker.brokerId} is ignored: a broker with brokerRole={broker.brokerRole} has 0")
        broker = replace(broker, brokerId=MASTER_ID)
    _check_broker(broker)
    return Loaded(nameserver, broker, tuple(notes))


def changed(settings: Settings, properties: Mapping[str, str]) -> Settings:
    """Settings after a change at run time (25, 318); names that mean nothing here are left out, as RocketMQ does.

    SettingsError: a property that is read at the start alone, or a value of the wrong kind or range. Then nothing
    changes, where RocketMQ reports success.
    """
    kind = type(settings)
    attributes = _attributes(kind)
    shown = settings.effective()
    values: dict[str, Value] = {}
    for key, text in properties.items():
        if key not in attributes:
            continue
        value = _convert(kind, key, attributes[key], text)
        if key in _FIXED and value != shown[key]:
            raise SettingsError(f"property {key} is {shown[key]!r} until the next start: stop, and start with {text!r}")
        values[attributes[key]] = value
    return replace(settings, **values)


def _check_broker(settings: BrokerSettings) -> None:
    levels = settings.delay_levels_ms
    if not levels:
        raise SettingsError("messageDelayLevel is empty: give at least one level, as in '1s 5s'")
    if settings.slave and settings.brokerId <= MASTER_ID:
        raise SettingsError(f"brokerId is {settings.brokerId}: with brokerRole=SLAVE give 1 or more")
    if settings.haMasterAddress and not _ADDRESS.fullmatch(settings.haMasterAddress):
        raise SettingsError(f"haMasterAddress is {settings.haMasterAddress!r}: write host:port, as in '10.0.0.1:10912'")
    if settings.listenPort in (1, 2):
        raise SettingsError(
            f"listenPort is {settings.listenPort}: the VIP port is listenPort - 2, so use 3 or more, or 0"
        )


def _attributes(kind: type[Struct]) -> dict[str, str]:
    """Attribute of each property."""
    return dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))


def _owner(key: str, roles: Mapping[str, type[Struct]]) -> tuple[str | None, str]:
    """Which role a key belongs to, and its name there; the role is None for a property that is ignored."""
    prefix, _, rest = key.partition(".")
    if prefix in roles and len(roles) > 1:
        roles, key = {prefix: roles[prefix]}, rest
    owners = [name for name, kind in roles.items() if key in _attributes(kind)]
    if len(owners) == 1:
        return owners[0], key
    if owners:
        raise SettingsError(f"property {key!r} belongs to both roles: write namesrv.{key} or broker.{key}")
    if key in IGNORED:
        return None, key
    known = sorted({name for kind in roles.values() for name in _attributes(kind)})
    import difflib

    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(known)}"
    raise SettingsError(f"property {key!r} is unknown: {hint}")


def _convert(kind: type[Struct], key: str, attribute: str, text: str) -> Value:
    default = kind.__struct_defaults__[kind.__struct_fields__.index(attribute)]
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise SettingsError(f"property {key} is {text!r}: write true or false")
        return text.lower() == "true"
    if isinstance(default, int):
        return _number(key, text)
    choices: tuple[str, ...] = getattr(kind, "CHOICES", {}).get(key, ())
    if choices and text not in choices:
        raise SettingsError(f"property {key} is {text!r}: write one of {', '.join(choices)}")
    return text


def _number(key: str, text: str) -> int:
    most = _PORT_MAX if key.endswith("Port") else _TIME_MS_MAX
    least = 0 if key.endswith(("Port", "Id", "Bytes", "ReservedTime")) else 1
    try:
        value = int(text)
    except ValueError:
        raise SettingsError(f"property {key} is {text!r}: write a whole number") from None
    if not least <= value <= most:
        raise SettingsError(f"property {key} is {value}: write a number from {least} to {most}")
    return value
