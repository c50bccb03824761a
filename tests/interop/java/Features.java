import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;

/** What an application does with the client: send, consume, pull, ask. Each feature has topics and groups of its own. */
final class Features {
    private static final int QUEUES = 4;
    private static final int BODY_MAX = 4 * 1024 * 1024;

    private Features() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("send-sync", Features::sendSync);
        all.put("send-async", Features::sendAsync);
        all.put("send-oneway", Features::sendOneway);
        all.put("send-batch", Features::sendBatch);
        all.put("send-queue", Features::sendToQueue);
        all.put("send-selector", Features::sendBySelector);
        all.put("send-big", Features::sendBig);
        all.put("send-too-big", Features::sendTooBig);
        all.put("send-compressed", Features::sendCompressed);
        all.put("send-unicode", Features::sendUnicode);
        all.put("consume-concurrent", Features::consumeConcurrently);
        all.put("consume-tags", Features::consumeTags);
        all.put("consume-sql92", Features::consumeSql92);
        all.put("consume-sql92-refused", Features::refuseSql92);
        all.put("consume-orderly", Features::consumeOrderly);
        all.put("consume-orderly-suspend", Features::suspendOrderly);
        all.put("consume-retry", Features::retry);
        all.put("consume-dead-letter", Features::deadLetter);
        all.put("consume-orderly-dead-letter", Features::orderlyDeadLetter);
        all.put("consume-broadcast", Features::broadcast);
        all.put("consume-rebalance", Features::rebalance);
        all.put("consume-resume", Features::resume);
        all.put("consume-delay", Features::delay);
        all.put("transaction-commit", Features::transactionCommit);
        all.put("transaction-rollback", Features::transactionRollback);
        all.put("transaction-check", Features::transactionCheck);
        all.put("pull", Features::pull);
        all.put("pull-lite-subscribe", Features::liteSubscribe);
        all.put("pull-lite-assign", Features::liteAssign);
        all.put("offsets", Features::offsets);
        all.put("query-key", Features::queryKey);
        all.put("query-unique-key", Features::queryUniqueKey);
        all.put("query-id", Features::queryId);
        all.put("request-reply", Features::requestReply);
        all.put("request-reply-async", Features::requestReplyAsync);
        all.put("trace", Features::trace);
        all.put("vip-channel", Features::vipChannel);
        all.put("namespace", Features::namespace);
    }

    // Clients.

    static DefaultMQProducer producer() throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(Harness.fresh("P"));
        return started(producer);
    }

    static <T extends DefaultMQProducer> T started(T producer) throws Exception {
        producer.setNamesrvAddr(Harness.namesrv);
        producer.setInstanceName(Harness.fresh("i"));
        producer.setSendMsgTimeout(10_000);
        producer.setDefaultTopicQueueNums(QUEUES);
        producer.start();
        return producer;
    }

    static DefaultMQPushConsumer consumer(String group) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(Harness.namesrv);
        consumer.setInstanceName(Harness.fresh("i"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        return consumer;
    }

    /** A listener that keeps what it gets. */
    static final class Kept implements MessageListenerConcurrently {
        final List<MessageExt> messages = new CopyOnWriteArrayList<>();

        @Override
        public ConsumeConcurrentlyStatus consumeMessage(
            List<MessageExt> batch,
            org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext context) {
            messages.addAll(batch);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        }

        Set<String> bodies() {
            return messages.stream().map(one -> Harness.text(one.getBody())).collect(Collectors.toSet());
        }
    }

    static Set<String> send(DefaultMQProducer producer, String topic, String tag, int count) throws Exception {
        Set<String> bodies = new HashSet<>();
        for (int number = 0; number < count; number++) {
            String body = topic + "-" + tag + "-" + number;
            Message message = new Message(topic, tag, "k" + number, Harness.bytes(body));
            message.putUserProperty("a", String.valueOf(number));
            SendResult result = producer.send(message);
            Harness.same(SendStatus.SEND_OK, result.getSendStatus(), "status");
            bodies.add(body);
        }
        return bodies;
    }

    /** Starts a group on a topic and gives what it received; the caller shuts it down. */
    static DefaultMQPushConsumer listen(String group, String topic, String tags, Kept kept) throws Exception {
        DefaultMQPushConsumer consumer = consumer(group);
        consumer.subscribe(topic, tags);
        consumer.registerMessageListener(kept);
        consumer.start();
        return consumer;
    }

    /** All messages of a topic, read by a consumer group of its own. */
    static List<MessageExt> drain(String topic, int count) throws Exception {
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = listen(Harness.fresh("D"), topic, "*", kept);
        try {
            Harness.until(count + " messages of " + topic, 45, () -> kept.messages.size() >= count);
        } finally {
            consumer.shutdown();
        }
        return kept.messages;
    }

    // Sending.

    static void sendSync() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Message message = new Message(topic, "A", "key", Harness.bytes("hello"));
        message.setFlag(7);
        SendResult result = producer.send(message);
        Harness.same(SendStatus.SEND_OK, result.getSendStatus(), "status");
        Harness.same(topic, result.getMessageQueue().getTopic(), "topic");
        MessageExt got = drain(topic, 1).get(0);
        Harness.same("hello", Harness.text(got.getBody()), "body");
        Harness.same(result.getMsgId(), got.getMsgId(), "unique key");
        Harness.same(result.getQueueOffset(), got.getQueueOffset(), "offset");
        Harness.same(7, got.getFlag(), "flag");
        Harness.same("A", got.getTags(), "tag");
        producer.shutdown();
    }

    static void sendAsync() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        int count = 200;
        CountDownLatch done = new CountDownLatch(count);
        AtomicReference<Throwable> trouble = new AtomicReference<>();
        for (int number = 0; number < count; number++) {
            producer.send(new Message(topic, Harness.bytes("m" + number)), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    done.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    trouble.set(error);
                    done.countDown();
                }
            });
        }
        Harness.check(done.await(30, TimeUnit.SECONDS), "not all answered");
        Harness.check(trouble.get() == null, "failed: " + trouble.get());
        Harness.same(count, new HashSet<>(bodiesOf(drain(topic, count))).size(), "messages");
        producer.shutdown();
    }

    static void sendOneway() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("first")));
        for (int number = 0; number < 20; number++) {
            producer.sendOneway(new Message(topic, Harness.bytes("m" + number)));
        }
        drain(topic, 21);
        producer.shutdown();
    }

    static void sendBatch() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        List<Message> batch = new ArrayList<>();
        for (int number = 0; number < 50; number++) {
            batch.add(new Message(topic, "B", "k" + number, Harness.bytes("m" + number)));
        }
        SendResult result = producer.send(batch);
        Harness.same(50, result.getOffsetMsgId().split(",").length, "ids");
        List<MessageExt> got = new ArrayList<>(drain(topic, 50));
        got.sort((left, right) -> Long.compare(left.getQueueOffset(), right.getQueueOffset()));
        for (int number = 0; number < 50; number++) {
            Harness.same("m" + number, Harness.text(got.get(number).getBody()), "order");
            Harness.same(result.getQueueOffset() + number, got.get(number).getQueueOffset(), "dense offsets");
            Harness.same("k" + number, got.get(number).getKeys(), "keys");
        }
        producer.shutdown();
    }

    static void sendToQueue() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        for (MessageQueue queue : producer.fetchPublishMessageQueues(topic)) {
            SendResult result = producer.send(new Message(topic, Harness.bytes("m")), queue);
            Harness.same(queue, result.getMessageQueue(), "queue");
        }
        producer.shutdown();
    }

    static void sendBySelector() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        for (int number = 0; number < 12; number++) {
            SendResult result = producer.send(new Message(topic, Harness.bytes("m" + number)),
                (queues, message, wanted) -> queues.get((Integer) wanted % queues.size()), number);
            Harness.same(number % QUEUES, result.getMessageQueue().getQueueId(), "queue");
        }
        producer.shutdown();
    }

    static byte[] noise(int size) {
        byte[] body = new byte[size];
        new Random(size).nextBytes(body);
        return body;
    }

    static void sendBig() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        byte[] body = noise(BODY_MAX);
        producer.send(new Message(topic, body));
        Harness.check(Arrays.equals(body, drain(topic, 1).get(0).getBody()), "body");
        producer.shutdown();
    }

    static void sendTooBig() throws Exception {
        DefaultMQProducer producer = producer();
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setMaxMessageSize(2 * BODY_MAX);
        try {
            producer.send(new Message(Harness.fresh("T"), noise(BODY_MAX + 1)));
            throw new AssertionError("stored");
        } catch (MQBrokerException refused) {
            Harness.same(13, refused.getResponseCode(), "code");
        }
        producer.shutdown();
    }

    static void sendCompressed() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        String body = "all the same ".repeat(5000);
        producer.send(new Message(topic, Harness.bytes(body)));
        MessageExt got = drain(topic, 1).get(0);
        Harness.same(body, Harness.text(got.getBody()), "body");
        Harness.check(got.getStoreSize() < body.length() / 10, "stored compressed, not " + got.getStoreSize() + " B");
        producer.shutdown();
    }

    static void sendUnicode() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Message message = new Message(topic, "Größe-标签", "schlüssel-键", Harness.bytes("Grüße 你好 \uD83D\uDE00"));
        message.putUserProperty("eigenschaft-属性", "wert-值-\uD83D\uDE00");
        producer.send(message);
        MessageExt got = drain(topic, 1).get(0);
        Harness.same("Grüße 你好 \uD83D\uDE00", Harness.text(got.getBody()), "body");
        Harness.same("Größe-标签", got.getTags(), "tag");
        Harness.same("schlüssel-键", got.getKeys(), "key");
        Harness.same("wert-值-\uD83D\uDE00", got.getUserProperty("eigenschaft-属性"), "property");
        producer.shutdown();
    }

    static List<String> bodiesOf(Collection<MessageExt> messages) {
        return messages.stream().map(one -> Harness.text(one.getBody())).collect(Collectors.toList());
    }

    // Consuming.

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

    static void consumeOrderly() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        for (int number = 0; number < 80; number++) {
            producer.send(new Message(topic, Harness.bytes(String.valueOf(number))),
                (queues, message, wanted) -> queues.get((Integer) wanted % queues.size()), number);
        }
        Map<Integer, List<Integer>> seen = new ConcurrentHashMap<>();
        AtomicInteger count = new AtomicInteger();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (batch, context) -> {
            for (MessageExt one : batch) {
                String body = Harness.text(one.getBody());
                if (!body.equals("make")) {
                    seen.computeIfAbsent(one.getQueueId(), id -> new CopyOnWriteArrayList<>()).add(Integer.valueOf(body));
                    count.incrementAndGet();
                }
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        Harness.until("all in order", 45, () -> count.get() >= 80);
        Harness.same(80, count.get(), "each once");
        for (List<Integer> numbers : seen.values()) {
            List<Integer> sorted = new ArrayList<>(numbers);
            Collections.sort(sorted);
            Harness.same(sorted, numbers, "order of a queue");
        }
        consumer.shutdown();
        producer.shutdown();
    }

    static void suspendOrderly() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("0")));
        MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(0);
        for (int number = 1; number < 4; number++) {
            producer.send(new Message(topic, Harness.bytes(String.valueOf(number))), queue);
        }
        List<String> seen = new CopyOnWriteArrayList<>();
        AtomicInteger failures = new AtomicInteger();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (batch, context) -> {
            String body = Harness.text(batch.get(0).getBody());
            if (body.equals("2") && failures.incrementAndGet() <= 3) {
                return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            }
            seen.add(body);
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        Harness.until("all after the suspensions", 45, () -> seen.contains("3") && seen.contains("0"));
        seen.remove("0");
        Harness.same(List.of("1", "2", "3"), seen, "nothing overtakes");
        consumer.shutdown();
        producer.shutdown();
    }

    static void retry() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        SendResult sent = producer.send(new Message(topic, "A", "k", Harness.bytes("again")));
        List<MessageExt> tries = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            tries.addAll(batch);
            return tries.size() < 3 ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Harness.until("two retries", 60, () -> tries.size() >= 3);
        for (int number = 0; number < 3; number++) {
            MessageExt one = tries.get(number);
            Harness.same(number, one.getReconsumeTimes(), "reconsumeTimes");
            Harness.same(topic, one.getTopic(), "topic as the listener sees it");
            Harness.same(sent.getMsgId(), one.getMsgId(), "unique key");
            Harness.same("A", one.getTags(), "tag");
        }
        consumer.shutdown();
        producer.shutdown();
    }

    static void deadLetter() throws Exception {
        String topic = Harness.fresh("T");
        String group = Harness.fresh("G");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("poison")));
        AtomicInteger tries = new AtomicInteger();
        DefaultMQPushConsumer consumer = consumer(group);
        consumer.setMaxReconsumeTimes(1);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            tries.incrementAndGet();
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.start();
        Harness.until("a retry", 60, () -> tries.get() >= 2);
        Harness.same("poison", Harness.text(drain("%DLQ%" + group, 1).get(0).getBody()), "dead letter");
        Harness.same(2, tries.get(), "deliveries");
        consumer.shutdown();
        producer.shutdown();
    }

    static void orderlyDeadLetter() throws Exception {
        String topic = Harness.fresh("T");
        String group = Harness.fresh("G");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("poison")));
        DefaultMQPushConsumer consumer = consumer(group);
        consumer.setMaxReconsumeTimes(1);
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.subscribe(topic, "*");
        AtomicInteger tries = new AtomicInteger();
        consumer.registerMessageListener((MessageListenerOrderly) (batch, context) -> {
            tries.incrementAndGet();
            return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
        });
        consumer.start();
        Harness.until("two tries", 45, () -> tries.get() >= 2);
        Harness.same("poison", Harness.text(drain("%DLQ%" + group, 1).get(0).getBody()), "dead letter");
        consumer.shutdown();
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

    // Transactions.

    static final class Decider implements TransactionListener {
        final LocalTransactionState first;
        final LocalTransactionState checked;
        final List<MessageExt> checks = new CopyOnWriteArrayList<>();

        Decider(LocalTransactionState first, LocalTransactionState checked) {
            this.first = first;
            this.checked = checked;
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            return first;
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            checks.add(message);
            return checked;
        }
    }

    static void transact(Decider decider, boolean delivered) throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer plain = producer();
        plain.send(new Message(topic, Harness.bytes("make")));
        TransactionMQProducer producer = new TransactionMQProducer(Harness.fresh("P"));
        producer.setTransactionListener(decider);
        started(producer);
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = listen(Harness.fresh("G"), topic, "*", kept);
        Message message = new Message(topic, "tag", "key", Harness.bytes("half"));
        message.putUserProperty("p", "v");
        SendResult result = producer.sendMessageInTransaction(message, null);
        Harness.same(SendStatus.SEND_OK, result.getSendStatus(), "status");
        if (decider.first == LocalTransactionState.UNKNOW) {
            Harness.until("a check", 60, () -> !decider.checks.isEmpty());
            MessageExt asked = decider.checks.get(0);
            Harness.same("half", Harness.text(asked.getBody()), "body asked about");
            Harness.same(topic, asked.getTopic(), "topic asked about");
            Harness.same(result.getMsgId(), asked.getUserProperty("UNIQ_KEY"), "unique key");
        }
        if (delivered) {
            Harness.until("the committed message", 45, () -> kept.bodies().contains("half"));
            MessageExt got = kept.messages.stream().filter(one -> Harness.text(one.getBody()).equals("half")).findFirst()
                .orElseThrow();
            Harness.same("v", got.getUserProperty("p"), "property");
            Harness.same("tag", got.getTags(), "tag");
        } else {
            Harness.until("the other message", 45, () -> kept.bodies().contains("make"));
            Thread.sleep(3000);
            Harness.same(Set.of("make"), kept.bodies(), "nothing else");
        }
        consumer.shutdown();
        producer.shutdown();
        plain.shutdown();
    }

    static void transactionCommit() throws Exception {
        transact(new Decider(LocalTransactionState.COMMIT_MESSAGE, LocalTransactionState.UNKNOW), true);
    }

    static void transactionRollback() throws Exception {
        transact(new Decider(LocalTransactionState.ROLLBACK_MESSAGE, LocalTransactionState.UNKNOW), false);
    }

    static void transactionCheck() throws Exception {
        transact(new Decider(LocalTransactionState.UNKNOW, LocalTransactionState.COMMIT_MESSAGE), true);
    }

    // Pulling.

    static void pull() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        Set<String> sent = send(producer, topic, "A", 40);
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(Harness.fresh("G"));
        consumer.setNamesrvAddr(Harness.namesrv);
        consumer.setInstanceName(Harness.fresh("i"));
        consumer.start();
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
        send(producer, topic, "A", 1);
        MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(0);
        List<String> sent = new ArrayList<>();
        long first = producer.maxOffset(queue);
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
        Harness.until("from the sought offset on", 45, () -> {
            got.addAll(bodiesOf(consumer.poll(1000)));
            return got.size() >= 6;
        });
        Harness.same(sent.subList(4, 10), got, "in order");
        consumer.commitSync();
        Harness.until("the commit", 20, () -> consumer.committed(queue) == first + 10);
        consumer.shutdown();
        producer.shutdown();
    }

    static void offsets() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        send(producer, topic, "A", 1);
        MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(0);
        long before = producer.maxOffset(queue);
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

    // Asking.

    static void queryKey() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        long began = System.currentTimeMillis();
        for (int number = 0; number < 3; number++) {
            producer.send(new Message(topic, "A", "order-7 other-" + number, Harness.bytes("m" + number)));
        }
        long now = System.currentTimeMillis() + 60_000;
        Harness.until("three by one key", 30, () -> {
            try {
                return producer.queryMessage(topic, "order-7", 32, began - 60_000, now).getMessageList().size() == 3;
            } catch (MQClientException none) {
                return false;
            }
        });
        Harness.same("m1", Harness.text(producer.queryMessage(topic, "other-1", 32, began - 60_000, now)
            .getMessageList().get(0).getBody()), "by another key");
        producer.shutdown();
    }

    static void queryUniqueKey() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        SendResult result = producer.send(new Message(topic, Harness.bytes("unique")));
        Harness.until("it is found", 30, () -> {
            try {
                return Harness.text(producer.viewMessage(topic, result.getMsgId()).getBody()).equals("unique");
            } catch (MQClientException none) {
                return false;
            }
        });
        producer.shutdown();
    }

    static void queryId() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        SendResult result = producer.send(new Message(topic, Harness.bytes("by id")));
        Harness.same("by id", Harness.text(producer.viewMessage(topic, result.getOffsetMsgId()).getBody()), "body");
        producer.shutdown();
    }

    static DefaultMQPushConsumer replier(String topic, DefaultMQProducer producer) throws Exception {
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.setPullInterval(0);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (batch, context) -> {
            for (MessageExt one : batch) {
                try {
                    if (one.getProperty("REPLY_TO_CLIENT") != null) {
                        byte[] answer = Harness.bytes("re: " + Harness.text(one.getBody()));
                        producer.send(MessageUtil.createReplyMessage(one, answer), 5000);
                    }
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return consumer;
    }

    static void requestReply() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        DefaultMQProducer answering = producer();
        DefaultMQPushConsumer consumer = replier(topic, answering);
        Message reply = producer.request(new Message(topic, Harness.bytes("hello?")), 40_000);
        Harness.same("re: hello?", Harness.text(reply.getBody()), "reply");
        consumer.shutdown();
        answering.shutdown();
        producer.shutdown();
    }

    static void requestReplyAsync() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        DefaultMQProducer answering = producer();
        DefaultMQPushConsumer consumer = replier(topic, answering);
        AtomicReference<String> got = new AtomicReference<>();
        producer.request(new Message(topic, Harness.bytes("later?")), new RequestCallback() {
            @Override
            public void onSuccess(Message message) {
                got.set(Harness.text(message.getBody()));
            }

            @Override
            public void onException(Throwable error) {
                got.set("failed: " + error);
            }
        }, 40_000);
        Harness.until("the reply", 45, () -> got.get() != null);
        Harness.same("re: later?", got.get(), "reply");
        consumer.shutdown();
        answering.shutdown();
        producer.shutdown();
    }

    static void trace() throws Exception {
        String topic = Harness.fresh("T");
        Kept traces = new Kept();
        DefaultMQPushConsumer reader = listen(Harness.fresh("G"), "RMQ_SYS_TRACE_TOPIC", "*", traces);
        DefaultMQProducer producer = started(new DefaultMQProducer(Harness.fresh("P"), null, true, null));
        SendResult result = producer.send(new Message(topic, Harness.bytes("traced")));
        Harness.until("its trace", 60,
            () -> traces.messages.stream().anyMatch(one -> Harness.text(one.getBody()).contains(result.getMsgId())));
        reader.shutdown();
        producer.shutdown();
    }

    static void vipChannel() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = new DefaultMQProducer(Harness.fresh("P"));
        producer.setVipChannelEnabled(true);
        started(producer);
        Set<String> sent = send(producer, topic, "A", 5);
        Harness.same(sent, new HashSet<>(bodiesOf(drain(topic, 5))), "messages");
        producer.shutdown();
    }

    static void namespace() throws Exception {
        String space = Harness.fresh("NS");
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = new DefaultMQProducer(space, Harness.fresh("P"));
        started(producer);
        producer.send(new Message(topic, Harness.bytes("inside")));
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(space, Harness.fresh("G"));
        consumer.setNamesrvAddr(Harness.namesrv);
        consumer.setInstanceName(Harness.fresh("i"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(kept);
        consumer.start();
        Harness.until("it comes", 45, () -> kept.bodies().contains("inside"));
        Harness.same(topic, kept.messages.get(0).getTopic(), "topic without the namespace");
        consumer.shutdown();
        producer.shutdown();
    }
}
