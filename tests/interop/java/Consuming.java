import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;

/** What a group receives, and which member of it. */
final class Consuming extends Clients {
    private Consuming() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("consume-concurrent", Consuming::consumeConcurrently);
        all.put("consume-tags", Consuming::consumeTags);
        all.put("consume-sql92", Consuming::consumeSql92);
        all.put("consume-sql92-refused", Consuming::refuseSql92);
        all.put("consume-broadcast", Consuming::broadcast);
        all.put("consume-rebalance", Consuming::rebalance);
        all.put("consume-resume", Consuming::resume);
        all.put("consume-delay", Consuming::delay);
        all.put("consume-batches", Consuming::batches);
        all.put("consume-two-topics", Consuming::twoTopics);
        all.put("consume-from-timestamp", Consuming::fromTimestamp);
        all.put("consume-from-last", Consuming::fromLast);
        all.put("consume-suspend", Consuming::suspend);
    }

    static void consumeConcurrently() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> before = send(producer, topic, "A", 20);
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = listen(Harness.fresh("G"), topic, "*", kept);
        Harness.until("the backlog", 40, () -> kept.bodies().containsAll(before));
        long sent = System.nanoTime();
        Set<String> after = send(producer, topic, "B", 1);
        Harness.until("what comes later", 20, () -> kept.bodies().containsAll(after));
        Harness.check(System.nanoTime() - sent < TimeUnit.SECONDS.toNanos(5), "a held pull wakes at once");
        Harness.same(21, kept.messages.size(), "each once");
        consumer.shutdown();
        producer.shutdown();
    }

    static void consumeTags() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> wanted = send(producer, topic, "Aa", 5);
        send(producer, topic, "BB", 5);
        send(producer, topic, "C", 5);
        wanted.addAll(send(producer, topic, "D", 5));
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = listen(Harness.fresh("G"), topic, "Aa || D", kept);
        Harness.until("tagged messages", 40, () -> kept.messages.size() >= 10);
        Set<String> late = send(producer, topic, "D", 1);
        Harness.until("one more", 20, () -> kept.bodies().containsAll(late));
        wanted.addAll(late);
        Harness.same(wanted, kept.bodies(), "only the wanted (BB has the hash code of Aa)");
        consumer.shutdown();
        producer.shutdown();
    }

    static void consumeSql92() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        send(producer, topic, "A", 10);
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.subscribe(topic, MessageSelector.bySql("a > 2 AND a <= 5 AND TAGS IS NOT NULL"));
        consumer.registerMessageListener(kept);
        consumer.start();
        Harness.until("selected messages", 40, () -> kept.messages.size() >= 3);
        Thread.sleep(500);
        Set<String> wanted = Set.of(topic + "-A-3", topic + "-A-4", topic + "-A-5");
        Harness.same(wanted, kept.bodies(), "only the selected");
        consumer.shutdown();
        producer.shutdown();
    }

    static void refuseSql92() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        send(producer, topic, "A", 1);
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.subscribe(topic, MessageSelector.bySql("a >> 1 AND"));
        consumer.registerMessageListener(new Kept());
        try {
            consumer.start();
            throw new AssertionError("a broken expression was taken");
        } catch (MQClientException refused) {
            Harness.same(23, refused.getResponseCode(), "code");
        }
        producer.shutdown();
    }

    static void broadcast() throws Exception {
        String topic = Harness.fresh("T");
        String group = Harness.fresh("G");
        DefaultMQProducer producer = producer();
        send(producer, topic, "make", 1);
        List<Kept> members = List.of(new Kept(), new Kept());
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (Kept kept : members) {
            DefaultMQPushConsumer consumer = consumer(group);
            consumer.setMessageModel(MessageModel.BROADCASTING);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener(kept);
            consumer.start();
            consumers.add(consumer);
        }
        Set<String> online = new HashSet<>();
        Harness.until("both online", 45, () -> {
            String tag = Harness.fresh("probe");
            online.clear();
            online.addAll(send(producer, topic, tag, 8));
            Thread.sleep(1000);
            return members.stream().allMatch(kept -> kept.bodies().containsAll(online));
        });
        Set<String> all = send(producer, topic, "all", 20);
        Harness.until("each member got all", 30, () -> members.stream().allMatch(kept -> kept.bodies().containsAll(all)));
        consumers.forEach(DefaultMQPushConsumer::shutdown);
        producer.shutdown();
    }

    static void rebalance() throws Exception {
        String topic = Harness.fresh("T");
        String group = Harness.fresh("G");
        DefaultMQProducer producer = producer();
        Set<String> all = new HashSet<>(send(producer, topic, "A", 8));
        Kept first = new Kept();
        Kept second = new Kept();
        DefaultMQPushConsumer one = listen(group, topic, "*", first);
        Harness.until("the first has all", 45, () -> first.bodies().containsAll(all));
        DefaultMQPushConsumer other = listen(group, topic, "*", second);
        Harness.until("both get some", 60, () -> {
            all.addAll(send(producer, topic, Harness.fresh("B"), 8));
            Thread.sleep(500);
            return !second.messages.isEmpty();
        });
        one.shutdown();
        Set<String> late = send(producer, topic, "C", 12);
        all.addAll(late);
        Harness.until("the second has all queues", 60, () -> second.bodies().containsAll(late));
        Set<String> got = new HashSet<>(first.bodies());
        got.addAll(second.bodies());
        Harness.same(all, got, "nothing lost");
        other.shutdown();
        producer.shutdown();
    }

    static void resume() throws Exception {
        String topic = Harness.fresh("T");
        String group = Harness.fresh("G");
        DefaultMQProducer producer = producer();
        Set<String> early = send(producer, topic, "A", 10);
        Kept first = new Kept();
        DefaultMQPushConsumer consumer = listen(group, topic, "*", first);
        Harness.until("the first ten", 45, () -> first.bodies().containsAll(early));
        consumer.shutdown();
        Set<String> late = send(producer, topic, "B", 10);
        Kept second = new Kept();
        consumer = listen(group, topic, "*", second);
        Harness.until("the other ten", 45, () -> second.bodies().containsAll(late));
        Harness.same(late, second.bodies(), "nothing again after a clean stop");
        consumer.shutdown();
        producer.shutdown();
    }

    static void delay() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        Message message = new Message(topic, Harness.bytes("later"));
        message.setDelayTimeLevel(1);
        long sent = System.currentTimeMillis();
        producer.send(message);
        MessageExt got = drain(topic, 2).stream().filter(one -> Harness.text(one.getBody()).equals("later")).findFirst()
            .orElseThrow();
        Harness.check(got.getStoreTimestamp() - sent >= 999, "too early: " + (got.getStoreTimestamp() - sent) + " ms");
        producer.shutdown();
    }

    static void batches() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        MessageQueue queue = queues(producer, topic).get(0);
        for (int number = 0; number < 32; number++) {
            producer.send(new Message(topic, Harness.bytes("m" + number)), queue);
        }
        Kept kept = new Kept();
        AtomicInteger largest = new AtomicInteger();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.setConsumeMessageBatchMaxSize(8);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            largest.accumulateAndGet(batch.size(), Math::max);
            return kept.consumeMessage(batch, context);
        });
        consumer.start();
        Harness.until("all", 45, () -> kept.bodies().size() >= 33);
        Harness.same(8, largest.get(), "largest batch");
        Harness.same(33, kept.messages.size(), "each once");
        consumer.shutdown();
        producer.shutdown();
    }

    static void twoTopics() throws Exception {
        String one = Harness.fresh("T");
        String other = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> wanted = send(producer, one, "A", 5);
        wanted.addAll(send(producer, other, "B", 5));
        send(producer, other, "C", 5);
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.subscribe(one, "*");
        consumer.subscribe(other, "B");
        consumer.registerMessageListener(kept);
        consumer.start();
        Harness.until("messages of both topics", 45, () -> kept.messages.size() >= 10);
        Set<String> late = send(producer, other, "B", 6);
        Harness.until("later ones", 20, () -> kept.bodies().containsAll(late));
        wanted.addAll(late);
        Harness.same(wanted, kept.bodies(), "each topic by its own tags");
        consumer.shutdown();
        producer.shutdown();
    }

    /** Where a group begins shows in broadcasting only: of a young queue a broker says that every group has offset 0. */
    static DefaultMQPushConsumer beginsAt(ConsumeFromWhere where, String when, String topic, Kept kept) throws Exception {
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.setMessageModel(MessageModel.BROADCASTING);
        consumer.setConsumeFromWhere(where);
        if (when != null) {
            consumer.setConsumeTimestamp(when);
        }
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(kept);
        consumer.start();
        return consumer;
    }

    static void fromTimestamp() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        send(producer, topic, "old", 8);
        Thread.sleep(4200); // 4.9 finds the nearest message, and the option has whole seconds
        String when = new SimpleDateFormat("yyyyMMddHHmmss").format(new Date(System.currentTimeMillis() - 1000));
        Set<String> wanted = send(producer, topic, "new", 8);
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = beginsAt(ConsumeFromWhere.CONSUME_FROM_TIMESTAMP, when, topic, kept);
        Harness.until("what is newer", 45, () -> kept.bodies().containsAll(wanted));
        wanted.addAll(send(producer, topic, "later", 8));
        Harness.until("what comes later", 20, () -> kept.bodies().containsAll(wanted));
        Harness.same(wanted, kept.bodies(), "nothing older");
        consumer.shutdown();
        producer.shutdown();
    }

    static void fromLast() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> old = send(producer, topic, "old", 8);
        drain(topic, old.size()); // all are in their queues
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = beginsAt(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, null, topic, kept);
        Harness.until("all of what comes now", 45, () -> {
            Set<String> now = send(producer, topic, Harness.fresh("now"), 8);
            Thread.sleep(300);
            return kept.bodies().containsAll(now);
        });
        Harness.check(Collections.disjoint(old, kept.bodies()), "from before: " + kept.bodies());
        consumer.shutdown();
        producer.shutdown();
    }

    /** Pulls that are held end with a message each; after that nothing comes until the consumer is resumed. */
    static void suspend() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        Set<String> before = round(producer, topic, "before");
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = listen(Harness.fresh("G"), topic, "*", kept);
        Harness.until("the first round", 45, () -> kept.bodies().containsAll(before));
        Thread.sleep(300); // by now a pull of each queue is held
        consumer.suspend();
        Set<String> held = round(producer, topic, "held");
        Harness.until("the pulls that were held", 20, () -> kept.bodies().containsAll(held));
        Set<String> late = round(producer, topic, "late");
        Thread.sleep(2000); // what would come, would come at once
        Harness.check(Collections.disjoint(late, kept.bodies()), "to a suspended consumer: " + kept.bodies());
        consumer.resume();
        Harness.until("the last round", 45, () -> kept.bodies().containsAll(late));
        Harness.same(1 + 3 * QUEUES, kept.bodies().size(), "all");
        consumer.shutdown();
        producer.shutdown();
    }

    static Set<String> round(DefaultMQProducer producer, String topic, String name) throws Exception {
        Set<String> sent = new HashSet<>();
        for (MessageQueue queue : queues(producer, topic)) {
            String body = name + queue.getQueueId();
            producer.send(new Message(topic, Harness.bytes(body)), queue);
            sent.add(body);
        }
        return sent;
    }
}
