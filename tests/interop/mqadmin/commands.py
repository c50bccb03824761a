"""Every sub-command of mqadmin 4.9.7 with realistic arguments, in an order in which each finds what it asks about.

A case works when it prints what ``shows`` says, without a stack trace; one that is to be refused works when it prints
that refusal. Placeholders: ``{broker}`` of the cluster, ``{msg_id}``, ``{unique_key}`` of the first
message that was sent, ``{client}`` of the consumer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mqadmin.driver import Said

ACL_REASON = "access control is off: the real broker fails too, with a NullPointerException or silence"


@dataclass(frozen=True, slots=True)
class Case:
    """One run of a sub-command."""

    line: str
    """Its words; ``-n`` with the NameServer is added."""
    shows: str
    """Expression that is found in what it prints when it works."""
    refused: bool = False
    """It is to fail."""
    endless: bool = False
    """It has no end of its own."""
    differs: str = ""
    """Why the two texts are not the same, where both work."""
    lacks: str = ""
    """Why it does not work on the reference, where it works on the real one."""
    broken: str = ""
    """Why it does not work on the real one."""

    @property
    def name(self) -> str:
        """The sub-command."""
        return self.line.split()[0]

    def works(self, said: Said) -> bool:
        """Whether this is what a working command prints."""
        failed = re.search(r"(?m)^(Caused by: )?[\w.]+(Exception|Error)\b", said.text) is not None
        ended = said.end == "done" or (self.endless and said.end == "stopped")
        return re.search(self.shows, said.text) is not None and ended and (failed == self.refused or self.endless)


SEED = ("@push G T", "@send P T 12 TagA", "@await G 12")
"""After the first cases, which make the topic and the group."""

FIRST = (
    Case("updateTopic -c DefaultCluster -t T -r 4 -w 4", "create topic to .* success"),
    Case("updateTopic -b {broker} -t ByBroker -r 2 -w 2 -p 6", "create topic to .* success"),
    Case("updateTopic -c DefaultCluster -t Ordered -r 2 -w 2 -o true", r"isOrder=true, orderConf=\[broker-a:2\]"),
    Case("updateTopic -c DefaultCluster -t TBW102", "conflict with system topic", refused=True),
    Case("updateSubGroup -c DefaultCluster -g G -r 5", "create subscription group to .* success"),
    Case("updateSubGroup -b {broker} -g Other", "create subscription group to .* success"),
)

CASES = (
    Case("updateTopicPerm -c DefaultCluster -t ByBroker -p 4", "update topic perm from 6 to 4"),
    Case("updateTopicPerm -b {broker} -t ByBroker -p 6", "update topic perm from 4 to 6"),
    Case("topicList", "(?m)^T$"),
    Case("topicList -c", r"(?m)^DefaultCluster\s+T\s+G"),
    Case("topicRoute -t T", '"writeQueueNums":4'),
    Case("topicRoute -t T -l", r"Total:\s+1\s+4\s+4"),
    Case("topicRoute -t Absent", "CODE: 17", refused=True),
    Case("topicStatus -t T", r"broker-a\s+3\s+0\s+3"),
    Case("topicClusterList -t T", "DefaultCluster"),
    Case("allocateMQ -t T -i 10.0.0.1,10.0.0.2", '"10.0.0.2":'),
    Case("clusterList", r"DefaultCluster\s+broker-a\s+0\s+127.0.0.1:\d+\s+V4_9_7"),
    Case("clusterList -m", r"DefaultCluster\s+broker-a\s+0\s+0\s+1\d\s+1\d"),
    Case("brokerStatus -b {broker}", "(?m)^brokerVersionDesc +: V4_9_7", differs="STATUS"),
    Case("brokerStatus -c DefaultCluster", "msgPutTotalTodayNow +: 1", differs="STATUS"),
    Case("queryMsgById -i {msg_id}", r"consumerGroup=G, trackType=CONSUMED"),
    Case("queryMsgById -i {msg_id} -g G -d {client}", "consumeResult=CR_SUCCESS"),
    Case("queryMsgByKey -t T -k key-3", r"[0-9A-F]{32,}\s+3\s+0"),
    Case("queryMsgByUniqueKey -t T -i {unique_key}", "trackType=CONSUMED"),
    Case("queryMsgByUniqueKey -t T -i {unique_key} -a", "OffsetID|Topic: +T"),
    Case("queryMsgByUniqueKey -t T -i {unique_key} -g G -d {client}", "consumeResult=CR_SUCCESS"),
    Case("queryMsgByOffset -t T -b broker-a -i 1 -o 0", r"Keys: +\[key-1\]"),
    Case("queryMsgTraceById -i {unique_key}", r"Pub\s+P\s"),
    Case("printMsg -t T -d true", "MSGID: .*body-0"),
    Case("printMsgByQueue -t T -a broker-a -i 1 -p true -d true -f true", r"Tag: TagA\s+Count: 3"),
    Case("producer -b {broker}", r"producer group \(P\) instance"),
    Case("producerConnection -g P -t T", r"0001\s+\S+@P\s+127.0.0.1:\d+\s+JAVA\s+V4_9_7"),
    Case("producerConnection -g Absent -t T", r"the producer group\[Absent\] not exist", refused=True),
    Case("consumerConnection -g G", "(?s)MessageModel: CLUSTERING"),
    Case("consumerConnection -g G -b {broker}", "ConsumeFromWhere: CONSUME_FROM_FIRST_OFFSET"),
    Case("consumerConnection -g Absent", "CODE: 17", refused=True),
    Case("consumerProgress", r"G\s+1\s+V4_9_7\s+PUSH\s+CLUSTERING", differs="RATE"),
    Case("consumerProgress -g G", r"T\s+broker-a\s+3\s+3\s+3\s+0"),
    Case("consumerProgress -g G -s true", r"T\s+broker-a\s+3\s+3\s+3\s+\S+\s+0"),
    Case("consumerStatus -g G", "(?s)Same subscription in the same group of consumer.*Rebalance OK"),
    Case("consumerStatus -g G -i {client}", r"(?s)#Consumer MQ Detail#.*T\s+broker-a\s+3\s+ProcessQueueInfo"),
    Case(
        "consumerStatus -g G -i {client} -s",
        "(?s)#Consumer jstack#.*PullMessageService",
        differs="names of the tool's own threads",
    ),
    Case("brokerConsumeStats -b {broker}", r"T\s+G\s+broker-a\s+3\s"),
    Case("brokerConsumeStats -b {broker} -o true", "Diff Total: 0"),
    Case("cloneGroupOffset -s G -d Other -t T", "clone group offset success"),
    Case("resetOffsetByTime -g G -t T -s -1", r"broker-a\s+3\s+\d"),
    Case("resetOffsetByTime -g G -t T -s now -f false", r"broker-a\s+3\s+\d", differs="RATE"),
    Case("resetOffsetByTime -g G -t T -s 2020-01-01#00:00:00:000", r"broker-a\s+3\s+0\s"),
    Case("resetOffsetByTime -g Other -t T -s 2020-01-01#00:00:00:000", r"broker-a\s+3\s+3\s+\d\s+0\s+0"),
    Case("resetOffsetByTime -g Absent -t T -s now", "THe consumer group <Absent> not exist", refused=True),
    Case("skipAccumulatedMessage -g G -t T", r"broker-a\s+3\s+\d"),
    Case("skipAccumulatedMessage -g Other -t T", r"broker-a\s+3\s+\d"),
    Case("sendMsgStatus -b broker-a -c 3", "sendStatus=SEND_OK"),
    Case("sendMessage -t T -p hello -b broker-a -i 1 -m true", r"broker-a\s+1\s+SEND_OK"),
    Case("consumeMessage -t T -g Peek -b broker-a -i 0 -o 0 -c 2", "(?s)Consume ok.*MSGID:"),
    Case("consumeMessage -t T -b broker-a -i 1 -c 3", "(?s)Consume ok.*MSGID:"),
    Case("checkMsgSendRT -t T -a 3", r"broker-a\s+2\s+true"),
    Case(
        "clusterRT -a 3 -i 1",
        r"DefaultCluster\s+broker-a\s+[\d.]+\s+3\s+0",
        endless=True,
        differs="how many rounds it gets done",
    ),
    Case("getConsumerConfig -g G", "retryMaxTimes += +5"),
    Case("queryCq -t T -q 1 -i 0 -c 3 -b {broker}", "ConsumeQueueData{physicOffset="),
    Case("queryCq -t T -q 1 -i 0 -c 3 -g G", "(?s)Subscription data.*ConsumeQueueData{physicOffset="),
    Case("statsAll -t T", r"T\s+G\s+\d+\s+[\d.]+\s+[\d.]+", differs="RATE"),
    Case("statsAll -a", r"T\s+G\s+\d+\s+[\d.]+\s+[\d.]+", differs="RATE"),
    Case("statsAll", r"ByBroker\s+0\s+0.00", differs="RATE"),
    Case("startMonitoring", "^$", endless=True),
    Case("queryMsgById -i {msg_id} -s true", "sendStatus=SEND_OK", differs="DRAWN"),
    Case("sendMessage -t T -p hello -k k1 -c TagB", r"broker-a\s+\d\s+SEND_OK", differs="DRAWN"),
    Case("updateKvConfig -s NS -k K -v V", "create or update kv config to namespace success"),
    Case("deleteKvConfig -s NS -k K", "delete kv config from namespace success"),
    Case("updateOrderConf -t T -m put -v broker-a:4", "update orderConf success"),
    Case("updateOrderConf -t T -m get", r"orderConf=\[broker-a:4\]"),
    Case("updateOrderConf -t T -m delete", "delete orderConf success"),
    Case("updateOrderConf -t T -m get", "CODE: 22", refused=True),
    Case("wipeWritePerm -b broker-a", r"OK, \d\d"),
    Case("topicRoute -t T -l", r"4\s+4\s+4\s"),
    Case("addWritePerm -b broker-a", r"OK, \d\d"),
    Case("topicRoute -t T -l", r"4\s+4\s+6\s"),
    Case("getNamesrvConfig", "orderMessageEnable += +false", differs="CONFIG"),
    Case("updateNamesrvConfig -k orderMessageEnable -v true", "update name server config success"),
    Case("getNamesrvConfig", "orderMessageEnable += +true", differs="CONFIG"),
    Case("getBrokerConfig -b {broker}", "flushDelayOffsetInterval += +10000", differs="CONFIG"),
    Case("updateBrokerConfig -b {broker} -k flushDelayOffsetInterval -v 9000", "update broker config success"),
    Case("getBrokerConfig -c DefaultCluster", "flushDelayOffsetInterval += +9000", differs="CONFIG"),
    Case("updateBrokerConfig -c DefaultCluster -k absent -v 1", "update broker config success"),
    Case("cleanExpiredCQ -b {broker}", "success"),
    Case("cleanExpiredCQ -c DefaultCluster", "success"),
    Case("cleanUnusedTopic -b {broker}", "success"),
    Case("cleanUnusedTopic -c DefaultCluster", "success"),
    Case("deleteExpiredCommitLog -b {broker}", "success"),
    Case("deleteExpiredCommitLog -c DefaultCluster", "success"),
    Case("exportMetadata -c DefaultCluster -f export", "export .*metadata.json success"),
    Case("exportMetadata -b {broker} -t -f export", "export .*topic.json success"),
    Case("exportMetadata -b {broker} -g -f export", "export .*subscriptionGroup.json success"),
    Case("exportConfigs -c DefaultCluster -f export", "export .*configs.json success"),
    Case("exportMetrics -c DefaultCluster -f export", "export .*metrics.json success"),
    Case("updateAclConfig -b {broker} -a someone -s 12345678", "success", broken=ACL_REASON),
    Case("deleteAclConfig -b {broker} -a someone", "success", broken=ACL_REASON),
    Case("clusterAclConfigVersion -b {broker}", "DefaultCluster", broken=ACL_REASON),
    Case("updateGlobalWhiteAddr -b {broker} -g 10.0.0.1", "success", broken=ACL_REASON),
    Case("getAclConfig -b {broker}", "globalWhite", broken=ACL_REASON),
    Case("deleteSubGroup -b {broker} -g Other", "delete subscription group .* success"),
    Case("deleteSubGroup -c DefaultCluster -g Gone -r true", "delete subscription group .* success"),
    Case("deleteTopic -c DefaultCluster -t T", "delete topic .* from NameServer success"),
    Case("topicRoute -t T", "CODE: 17", refused=True),
    Case("deleteTopic -c DefaultCluster -t TBW102", "conflict with system topic", refused=True),
)

REASONS = {
    "STATUS": "times of puts and gets are not measured here, thread pools do not exist; reference.* figures are added",
    "CONFIG": "paths; properties of Netty and of threads show RocketMQ's defaults; reference.* settings are added",
    "RATE": "rates of the last minute, and how far the consumer is at that moment",
    "DRAWN": "the queue of the tool's own message is drawn",
    "THREADS": "threads of the tool's own process",
    "ROUNDS": "how many rounds it gets done before it is stopped",
}
"""Texts of the reasons that are used more than once."""
