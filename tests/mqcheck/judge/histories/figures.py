"""When things happen in the healthy run, and how its nodes are set; times in ms of the run."""

from __future__ import annotations

PHASES = {
    "load": (0, 10_000),
    "fault": (10_000, 26_000),
    "heal": (26_000, 27_000),
    "recover": (27_000, 36_000),
    "final-read": (36_000, 38_000),
}
CONFIG = {
    "nameserver-1": {"expiry_ms": 4000, "scan_ms": 500},
    "nameserver-2": {"expiry_ms": 4000, "scan_ms": 500},
    **{
        broker: {
            "register_ms": 1000,
            "client_expiry_ms": 4000,
            "client_scan_ms": 500,
            "hold_scan_ms": 500,
            "delay_scan_ms": 100,
            "transactionTimeOut": 1000,
            "transactionCheckInterval": 500,
            "transactionCheckMax": 2,
            "lock_expiry_ms": 3000,
            "offset_flush_ms": 1000,
            "delay_level_1_ms": 1000,
            "delay_level_2_ms": 2000,
            "delay_level_3_ms": 1000,
            "delay_level_4_ms": 1500,
            "delay_level_5_ms": 2000,
            "maxMessageSize": 4_194_304,
            "flushDiskType": "SYNC_FLUSH" if broker in ("broker-s", "broker-e", "broker-f") else "ASYNC_FLUSH",
        }
        for broker in ("broker-a", "broker-b", "broker-p", "broker-s", "broker-e", "broker-f")
    },
    "kit": {
        "heartbeat_ms": 1000,
        "route_poll_ms": 1000,
        "rebalance_ms": 1000,
        "send_timeout_ms": 3000,
        "send_retries": 2,
        "max_reconsume": 2,
        "recover_ms": 5000,
        "persist_ms": 1000,
        "threshold_messages": 10,
        "threshold_bytes": 1000,
        "threshold_span": 8,
        "flow_control_ms": 50,
        "orderly_suspend_ms": 40,
    },
    "broker-m": {"brokerRole": "SYNC_MASTER", "slaveTimeout": 400},
    "broker-o": {"brokerFastFailureEnable": "true", "waitTimeMillsInSendQueue": 200},
    "broker-w": {"flushDiskType": "SYNC_FLUSH"},
    "broker-r": {"cleanResourceInterval": 200, "mappedFileSizeCommitLog": 4096, "fileReservedTime": 72},
    "broker-n": {"brokerRole": "ASYNC_MASTER"},
    "broker-n-slave": {"reference.slaveSyncMs": 500},
}
TOPIC, POWER_TOPIC, FAIL_TOPIC, DELAY_TOPIC, HALF_TOPIC = "T", "P", "F", "D", "X"
GROUPS = ("g1", "g2", "g3", "go")
KILLED_MS, READY_MS = 12_000, 15_000
NAMESERVER_KILLED_MS, NAMESERVER_READY_MS = 16_000, 17_000
HOLE_MS, HOLE_HEALED_MS = 18_000, 26_000
CUT_MS, CUT_READY_MS = 10_500, 11_500
DISK_FAULT_MS, DISK_TOPIC = 9_800, "E"
DISK_FAULTS = {"broker-e": "fsync-error", "broker-f": "disk-full"}
SLAVE_CUT_MS, SLAVE_HEALED_MS = 13_000, 16_000
COPIED_TOPIC, SLAVE_TOPIC = "S", "N"
SPOILT_MS = (30_000, 31_000)
FULL_MS = (28_000, 30_000)
SLAVE_GONE_MS = (30_000, 32_000)
SILENT_MS = 18_000
