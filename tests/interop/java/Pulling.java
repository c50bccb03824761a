import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.MQPullConsumerScheduleService;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;

/** Consumers that ask for messages themselves, and the offsets of queues. */
final class Pulling extends Clients {
    private Pulling() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("pull", Pulling::pull);
        all.put("pull-lite-subscribe", Pulling::liteSubscribe);
        all.put("pull-lite-assign", Pulling::liteAssign);
        all.put("offsets", Pulling::offsets);
        all.put("pull-held", Pulling::held);
        all.put("pull-filtered", Pulling::filtered);
        all.put("pull-send-back", Pulling::sendBack);
        all.put("pull-schedule", Pulling::schedule);
        all.put("pull-lite-seek", Pulling::liteSeek);
    }

    static void pull() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> sent = send(producer, topic, "A", 40);
        DefaultMQPullConsumer consumer = puller();
        Set<String> got = new HashSet<>();
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic)) {
            long offset = 0;
            PullResult result = consumer.pull(queue, "*", offset, 7);
            while (result.getPullStatus() == PullStatus.FOUND) {
                Harness.check(result.getMsgFoundList().size() <= 7, "batch");
                got.addAll(bodiesOf(result.getMsgFoundList()));
                offset = result.getNextBeginOffset();
                result = consumer.pull(queue, "*", offset, 7);
            }
            Harness.same(PullStatus.NO_NEW_MSG, result.getPullStatus(), "status at the end");
            Harness.same(PullStatus.OFFSET_ILLEGAL, consumer.pull(queue, "*", offset + 100, 7).getPullStatus(), "beyond");
            consumer.updateConsumeOffset(queue, offset);
            consumer.getOffsetStore().persist(queue);
            long end = offset;
            Harness.until("the commit", 10, () -> consumer.fetchConsumeOffset(queue, true) == end);
        }
        Harness.same(sent, got, "all messages");
        consumer.shutdown();
        producer.shutdown();
    }

    static DefaultLitePullConsumer lite() {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(Harness.fresh("G"));
        consumer.setNamesrvAddr(Harness.namesrv);
        consumer.setInstanceName(Harness.fresh("i"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        return consumer;
    }

    static void liteSubscribe() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> wanted = send(producer, topic, "A", 20);
        send(producer, topic, "B", 20);
        DefaultLitePullConsumer consumer = lite();
        consumer.subscribe(topic, "A");
        consumer.start();
        Set<String> got = new HashSet<>();
        Harness.until("all tagged messages", 45, () -> {
            got.addAll(bodiesOf(consumer.poll(1000)));
            return got.size() >= 20;
        });
        Harness.same(wanted, got, "only the tagged");
        consumer.shutdown();
        producer.shutdown();
    }

    static void liteAssign() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        SendResult made = producer.send(new Message(topic, Harness.bytes("make")));
        MessageQueue queue = made.getMessageQueue();
        List<String> sent = new ArrayList<>();
        long first = made.getQueueOffset() + 1;
        for (int number = 0; number < 10; number++) {
            producer.send(new Message(topic, Harness.bytes("n" + number)), queue);
            sent.add("n" + number);
        }
        DefaultLitePullConsumer consumer = lite();
        consumer.setAutoCommit(false);
        consumer.start();
        consumer.assign(List.of(queue));
        consumer.seek(queue, first + 4);
        List<String> got = new ArrayList<>();
        // What a pull from before the seek brings may come too: the client forgets only what has arrived by then.
        Harness.until("from the sought offset on", 45, () -> {
            got.addAll(bodiesOf(consumer.poll(1000)));
            return got.contains("n9");
        });
        Harness.same(sent.subList(4, 10), got.subList(got.lastIndexOf("n4"), got.size()), "in order");
        consumer.commitSync();
        Harness.until("the commit", 20, () -> consumer.committed(queue) == first + 10);
        consumer.shutdown();
        producer.shutdown();
    }

    static void offsets() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        SendResult made = producer.send(new Message(topic, Harness.bytes("make")));
        MessageQueue queue = made.getMessageQueue();
        long before = made.getQueueOffset() + 1;
        producer.send(new Message(topic, Harness.bytes("old")), queue);
        Thread.sleep(1100);
        long middle = System.currentTimeMillis() - 300;
        producer.send(new Message(topic, Harness.bytes("new")), queue);
        Harness.until("the maximum", 10, () -> producer.maxOffset(queue) == before + 2);
        Harness.same(0L, producer.minOffset(queue), "minimum");
        Harness.same(before + 1, producer.searchOffset(queue, middle), "by time");
        Harness.same(0L, producer.searchOffset(queue, 0), "by time, before all");
        Harness.check(producer.earliestMsgStoreTime(queue) <= middle, "earliest time");
        producer.shutdown();
    }

    static DefaultMQPullConsumer puller() throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(Harness.fresh("G"));
        consumer.setNamesrvAddr(Harness.namesrv);
        consumer.setInstanceName(Harness.fresh("i"));
        consumer.setHeartbeatBrokerInterval(1000);
        consumer.start();
        return consumer;
    }

    static void held() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        SendResult made = producer.send(new Message(topic, Harness.bytes("make")));
        MessageQueue queue = made.getMessageQueue();
        long end = made.getQueueOffset() + 1;
        Harness.until("the message is in its queue", 10, () -> producer.maxOffset(queue) == end);
        DefaultMQPullConsumer consumer = puller();
        AtomicReference<PullResult> got = new AtomicReference<>();
        Thread waiting = new Thread(() -> {
            try {
                got.set(consumer.pullBlockIfNotFound(queue, "*", end, 10));
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        });
        waiting.start();
        waiting.join(1500);
        Harness.check(waiting.isAlive(), "an empty pull is held, not answered with " + got.get());
        producer.send(new Message(topic, Harness.bytes("now")), queue);
        waiting.join(5000);
        Harness.check(got.get() != null, "the send wakes it");
        Harness.same(List.of("now"), bodiesOf(got.get().getMsgFoundList()), "messages");
        consumer.shutdown();
        producer.shutdown();
    }

    static void filtered() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> tagged = send(producer, topic, "A", 8);
        send(producer, topic, "B", 8);
        DefaultMQPullConsumer consumer = puller();
        Set<String> byTag = new HashSet<>();
        Set<String> bySql = new HashSet<>();
        for (MessageQueue queue : queues(producer, topic)) {
            PullResult result = consumer.pull(queue, "A", 0, 32);
            if (result.getPullStatus() == PullStatus.FOUND) {
                byTag.addAll(bodiesOf(result.getMsgFoundList()));
            }
            Harness.until("the version of the broker, from a heartbeat", 20, () -> {
                try {
                    PullResult sql = consumer.pull(queue, MessageSelector.bySql("TAGS = 'B' AND a BETWEEN 2 AND 3"), 0, 32);
                    if (sql.getPullStatus() == PullStatus.FOUND) {
                        bySql.addAll(bodiesOf(sql.getMsgFoundList()));
                    }
                    return true;
                } catch (MQClientException notYet) {
                    return false;
                }
            });
        }
        Harness.same(tagged, byTag, "by tag");
        Harness.same(Set.of(topic + "-B-2", topic + "-B-3"), bySql, "by SQL");
        consumer.shutdown();
        producer.shutdown();
    }

    static void sendBack() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        SendResult sent = producer.send(new Message(topic, "A", "k", Harness.bytes("not now")));
        DefaultMQPullConsumer consumer = puller();
        queues(producer, topic);
        PullResult result = consumer.pull(sent.getMessageQueue(), "*", sent.getQueueOffset(), 1);
        consumer.sendMessageBack(result.getMsgFoundList().get(0), 1);
        MessageExt back = drain("%RETRY%" + consumer.getConsumerGroup(), 1).get(0);
        Harness.same("not now", Harness.text(back.getBody()), "body");
        Harness.same(1, back.getReconsumeTimes(), "reconsumeTimes");
        Harness.same(topic, back.getProperty("RETRY_TOPIC"), "where it came from");
        consumer.shutdown();
        producer.shutdown();
    }

    static void schedule() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> sent = send(producer, topic, "A", 20);
        MQPullConsumerScheduleService service = new MQPullConsumerScheduleService(Harness.fresh("G"));
        service.getDefaultMQPullConsumer().setNamesrvAddr(Harness.namesrv);
        service.getDefaultMQPullConsumer().setInstanceName(Harness.fresh("i"));
        service.setMessageModel(MessageModel.CLUSTERING);
        Set<String> got = ConcurrentHashMap.newKeySet();
        service.registerPullTaskCallback(topic, (queue, context) -> {
            try {
                long offset = Math.max(0, context.getPullConsumer().fetchConsumeOffset(queue, false));
                PullResult result = context.getPullConsumer().pull(queue, "*", offset, 32);
                if (result.getPullStatus() == PullStatus.FOUND) {
                    got.addAll(bodiesOf(result.getMsgFoundList()));
                }
                context.getPullConsumer().updateConsumeOffset(queue, result.getNextBeginOffset());
                context.setPullNextDelayTimeMillis(100);
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        });
        service.start();
        Harness.until("all messages", 60, () -> got.containsAll(sent));
        Harness.same(sent, got, "only these");
        service.shutdown();
        producer.shutdown();
    }

    static void liteSeek() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        SendResult made = producer.send(new Message(topic, Harness.bytes("make")));
        MessageQueue queue = made.getMessageQueue();
        long first = made.getQueueOffset() + 1;
        producer.send(new Message(topic, Harness.bytes("old")), queue);
        Thread.sleep(1100);
        long middle = System.currentTimeMillis() - 300;
        producer.send(new Message(topic, Harness.bytes("new")), queue);
        DefaultLitePullConsumer consumer = lite();
        consumer.start();
        consumer.assign(List.of(queue));
        Harness.until("the offset by time", 10, () -> consumer.offsetForTimestamp(queue, middle) == first + 1);
        consumer.seekToEnd(queue);
        producer.send(new Message(topic, Harness.bytes("latest")), queue);
        List<String> got = new ArrayList<>();
        Harness.until("what came after the end", 30, () -> got.addAll(bodiesOf(consumer.poll(1000))) && got.contains("latest"));
        Harness.same(List.of("latest"), got, "only that");
        consumer.seekToBegin(queue);
        got.clear();
        Harness.until("all from the beginning", 30, () -> got.addAll(bodiesOf(consumer.poll(1000))) && got.contains("latest"));
        Harness.same(List.of("old", "new", "latest"), got.subList(got.size() - 3, got.size()), "in order");
        consumer.shutdown();
        producer.shutdown();
    }
}
