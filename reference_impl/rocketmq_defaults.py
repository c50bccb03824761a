"""RocketMQ 4.9.7's own properties with their defaults, for the answers that list them all (26, 319).

Tools look for some of them and break without. Those that mean something here are in ``settings`` and shown from
there; nobody reads the others. Thread numbers are those of a machine with two cores. Sources: BrokerConfig,
MessageStoreConfig, NettyServerConfig, NettyClientConfig, NamesrvConfig, as a running broker and NameServer list them.
"""

from __future__ import annotations

from typing import Final

_BROKER: Final = """
accessMessageInMemoryMaxRatio=40 aclEnable=false adminBrokerThreadPoolNums=16 autoDeleteUnusedStats=false
bitMapLengthConsumeQueueExt=112 brokerFastFailureEnable=true brokerTopicEnable=true channelNotActiveInterval=60000
checkCRCOnRecover=true cleanFileForciblyEnable=true cleanResourceInterval=10000 clientAsyncSemaphoreValue=65535
clientCallbackExecutorThreads=2 clientChannelMaxIdleTimeSeconds=120 clientCloseSocketIfTimeout=true
clientManageThreadPoolNums=32 clientManagerThreadPoolQueueCapacity=1000000 clientOnewaySemaphoreValue=65535
clientPooledByteBufAllocatorEnable=false clientSocketRcvBufSize=0 clientSocketSndBufSize=0 clientWorkerThreads=4
clusterTopicEnable=true commercialBaseCount=1 commercialBigCount=1 commercialEnable=true commercialTimerCount=1
commercialTransCount=1 commitCommitLogLeastPages=4 commitCommitLogThoroughInterval=200 commitIntervalCommitLog=200
compressedRegister=false connectTimeoutMillis=3000 consumerFallbehindThreshold=17179869184
consumerManageThreadPoolNums=32 consumerManagerThreadPoolQueueCapacity=1000000 debugLockEnable=false
defaultQueryMaxNum=32 deleteCommitLogFilesInterval=100 deleteConsumeQueueFilesInterval=100 deleteWhen=04
destroyMapedFileIntervalForcibly=120000 disableConsumeIfConsumerReadSlowly=false diskFallRecorded=true
diskMaxUsedSpaceRatio=75 duplicationEnable=false enableCalcFilterBitMap=false enableConsumeQueueExt=false
enableDLegerCommitLog=false enableDetailStat=true enableLmq=false enableMultiDispatch=false
enablePropertyFilter=false enableScheduleAsyncDeliver=false enableScheduleMessageStats=true
endTransactionPoolQueueCapacity=100000 endTransactionThreadPoolNums=12 expectConsumerNumUseFilter=32
fastFailIfNoBufferInStorePool=false fetchNamesrvAddrByAddressServer=false filterDataCleanTimeSpan=86400000
filterServerNums=0 filterSupportRetry=false flushCommitLogLeastPages=4 flushCommitLogThoroughInterval=10000
flushCommitLogTimed=true flushConsumeQueueLeastPages=2 flushConsumeQueueThoroughInterval=60000
flushConsumerOffsetHistoryInterval=60000 flushIntervalConsumeQueue=1000 flushLeastPagesWhenWarmMapedFile=4096
forceRegister=true haHousekeepingInterval=20000 haSendHeartbeatInterval=5000 haSlaveFallbehindMax=268435456
haTransferBatchSize=32768 heartbeatThreadPoolNums=2 heartbeatThreadPoolQueueCapacity=50000 highSpeedMode=false
isEnableBatchPush=false isolateLogEnable=false mappedFileSizeConsumeQueue=6000000
mappedFileSizeConsumeQueueExt=50331648 maxDelayTime=40 maxErrorRateOfBloomFilter=20 maxHashSlotNum=5000000
maxIndexNum=20000000 maxLmqConsumeQueueNum=20000 maxMsgsNumBatch=64 maxTransferBytesOnMessageInDisk=65536
maxTransferBytesOnMessageInMemory=262144 maxTransferCountOnMessageInDisk=8 maxTransferCountOnMessageInMemory=32
messageIndexEnable=true messageIndexSafe=false messageStorePlugIn= offsetCheckInSlave=false
osPageCacheBusyTimeOutMills=1000 processReplyMessageThreadPoolNums=20 pullMessageThreadPoolNums=20
pullThreadPoolQueueCapacity=100000 putMessageFutureThreadPoolNums=2 putMsgIndexHightWater=600000
putThreadPoolQueueCapacity=10000 queryMessageThreadPoolNums=10 queryThreadPoolQueueCapacity=20000
redeleteHangedFileInterval=120000 regionId=DefaultRegion registerBrokerTimeoutMills=6000
registerNameServerPeriod=30000 replyThreadPoolQueueCapacity=10000 scheduleAsyncDeliverMaxPendingLimit=2000
scheduleAsyncDeliverMaxResendNum2Blocked=3 sendMessageThreadPoolNums=2 sendThreadPoolQueueCapacity=10000
serverAsyncSemaphoreValue=64 serverCallbackExecutorThreads=0 serverChannelMaxIdleTimeSeconds=120
serverOnewaySemaphoreValue=256 serverPooledByteBufAllocatorEnable=true serverSelectorThreads=3
serverSocketBacklog=1024 serverSocketRcvBufSize=0 serverSocketSndBufSize=0 serverWorkerThreads=8
slaveReadEnable=false slaveTimeout=3000 startAcceptSendRequestTimeStamp=0 traceOn=true transferMsgByHeap=true
transientStorePoolEnable=false transientStorePoolSize=5 useEpollNativeSelector=false
useReentrantLockWhenPutMessage=true useTLS=false waitTimeMillsInHeartbeatQueue=31000 waitTimeMillsInPullQueue=5000
waitTimeMillsInSendQueue=200 waitTimeMillsInTransactionQueue=3000 warmMapedFileEnable=false
writeBufferHighWaterMark=0 writeBufferLowWaterMark=0
"""

_NAMESRV: Final = """
clusterTest=false productEnvName=center serverAsyncSemaphoreValue=64 serverCallbackExecutorThreads=0
serverChannelMaxIdleTimeSeconds=120 serverOnewaySemaphoreValue=256 serverPooledByteBufAllocatorEnable=true
serverSelectorThreads=3 serverSocketBacklog=1024 serverSocketRcvBufSize=0 serverSocketSndBufSize=0
serverWorkerThreads=8 useEpollNativeSelector=false writeBufferHighWaterMark=0 writeBufferLowWaterMark=0
"""


def _read(text: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in text.split())
    return {name: value for name, _, value in pairs}


def broker_defaults() -> dict[str, str]:
    """Every property of a broker that is not one of one machine alone, with RocketMQ's default."""
    return _read(_BROKER)


def nameserver_defaults() -> dict[str, str]:
    """The same of a NameServer."""
    return _read(_NAMESRV)
