import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** What only 5.x clients have. */
final class Newer extends Clients {
    private Newer() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("heartbeat-v2", Newer::heartbeat);
        all.put("namespace-v2", Newer::namespace);
        all.put("send-auto-batch", Newer::autoBatch);
        all.put("send-compressed-lz4", () -> compressed(CompressionType.LZ4));
        all.put("send-compressed-zstd", () -> compressed(CompressionType.ZSTD));
        all.put("send-delay-ms", Newer::delayMs);
        all.put("send-recall", Newer::recall);
        all.put("consume-pop", Newer::pop);
    }

    /** Heartbeats that send subscriptions only when these have changed. */
    static void heartbeat() throws Exception {
        String topic = Harness.fresh("T");
        String later = Harness.fresh("T");
        String group = Harness.fresh("G");
        DefaultMQProducer producer = producer();
        send(producer, topic, "A", 8);
        Kept kept = new Kept();
        List<Kept> members = List.of(new Kept(), kept);
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (Kept member : members) {
            DefaultMQPushConsumer consumer = consumer(group);
            consumer.setUseHeartbeatV2(true);
            consumer.setHeartbeatBrokerInterval(1000);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener(member);
            consumer.start();
            consumers.add(consumer);
        }
        try {
            Harness.until("both take part", 60, () -> {
                send(producer, topic, Harness.fresh("B"), 8);
                Thread.sleep(500);
                return members.stream().noneMatch(member -> member.messages.isEmpty());
            });
        } catch (AssertionError late) {
            Administering.admin(admin -> Harness.check(false, late.getMessage() + ": they got "
                + members.stream().map(member -> member.messages.size()).toList() + ", own "
                + consumers.stream().map(one -> one.getDefaultMQPushConsumerImpl().getRebalanceImpl()
                    .getProcessQueueTable().keySet().stream().map(MessageQueue::getQueueId).toList()).toList()
                + ", the broker knows " + admin.examineConsumerConnectionInfo(group).getConnectionSet().size()));
        }
        Set<String> other = send(producer, later, "C", 8);
        for (DefaultMQPushConsumer consumer : consumers) {
            consumer.subscribe(later, "*");
        }
        Harness.until("a subscription made later", 60, () -> {
            Set<String> got = new HashSet<>(members.get(0).bodies());
            got.addAll(members.get(1).bodies());
            return got.containsAll(other);
        });
        Administering.admin(admin -> Harness.until("the broker knows all of it", 20, () -> {
            var known = admin.examineConsumerConnectionInfo(group);
            return known.getConnectionSet().size() == 2 && known.getSubscriptionTable().containsKey(later);
        }));
        consumers.forEach(DefaultMQPushConsumer::shutdown);
        producer.shutdown();
    }

    static void namespace() throws Exception {
        String topic = Harness.fresh("T");
        String space = Harness.fresh("NS");
        DefaultMQProducer producer = new DefaultMQProducer(Harness.fresh("P"));
        producer.setNamespaceV2(space);
        started(producer);
        producer.send(new Message(topic, Harness.bytes("inside")));
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.setNamespaceV2(space);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(kept);
        consumer.start();
        Harness.until("it comes", 45, () -> kept.bodies().contains("inside"));
        consumer.shutdown();
        producer.shutdown();
    }

    static void autoBatch() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.setAutoBatch(true);
        ExecutorService senders = Executors.newFixedThreadPool(8);
        List<Future<SendResult>> results = new ArrayList<>();
        Set<String> sent = new HashSet<>();
        for (int number = 0; number < 100; number++) {
            String body = "m" + number;
            sent.add(body);
            results.add(senders.submit(() -> producer.send(new Message(topic, Harness.bytes(body)))));
        }
        for (Future<SendResult> result : results) {
            Harness.same(SendStatus.SEND_OK, result.get(30, TimeUnit.SECONDS).getSendStatus(), "status");
        }
        senders.shutdown();
        Harness.same(sent, new HashSet<>(bodiesOf(drain(topic, 100))), "messages");
        producer.shutdown();
    }

    static void compressed(CompressionType type) throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.setCompressType(type);
        String body = "all the same ".repeat(5000);
        producer.send(new Message(topic, Harness.bytes(body)));
        MessageExt got = drain(topic, 1).get(0);
        Harness.same(body, Harness.text(got.getBody()), "body");
        Harness.check(got.getStoreSize() < body.length() / 10, "stored compressed, not " + got.getStoreSize() + " B");
        producer.shutdown();
    }

    static void delayMs() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Message message = new Message(topic, Harness.bytes("later"));
        message.setDelayTimeMs(3000);
        long sent = System.currentTimeMillis();
        producer.send(message);
        Harness.check(drain(topic, 1).get(0).getStoreTimestamp() - sent >= 2990, "it came at once");
        producer.shutdown();
    }

    static void recall() throws Exception {
        DefaultMQProducer producer = producer();
        Message message = new Message(Harness.fresh("T"), Harness.bytes("never"));
        message.setDelayTimeMs(3000);
        SendResult result = producer.send(message);
        Harness.check(result.getRecallHandle() != null, "no handle to recall it with");
        producer.recallMessage(message.getTopic(), result.getRecallHandle());
        producer.shutdown();
    }

    /** Queues assigned by the broker, and messages popped from it. */
    static void pop() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> sent = send(producer, topic, "A", 4);
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.setClientRebalance(false);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(kept);
        consumer.start();
        Harness.until("messages popped", 20, () -> kept.bodies().containsAll(sent));
        consumer.shutdown();
        producer.shutdown();
    }
}
