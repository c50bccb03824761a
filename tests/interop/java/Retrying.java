import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumption in order, and what becomes of a message that a listener does not want. */
final class Retrying extends Clients {
    private Retrying() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("consume-orderly", Retrying::consumeOrderly);
        all.put("consume-orderly-suspend", Retrying::suspendOrderly);
        all.put("consume-retry", Retrying::retry);
        all.put("consume-dead-letter", Retrying::deadLetter);
        all.put("consume-orderly-dead-letter", Retrying::orderlyDeadLetter);
        all.put("consume-orderly-rebalance", Retrying::rebalanceOrderly);
        all.put("consume-retry-level", Retrying::retryLevel);
        all.put("consume-retry-tail", Retrying::retryTail);
        all.put("consume-dead-letter-at-once", Retrying::deadLetterAtOnce);
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
        MessageQueue queue = queues(producer, topic).get(0);
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

    static void rebalanceOrderly() throws Exception {
        String topic = Harness.fresh("T");
        String group = Harness.fresh("G");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("-1")));
        List<MessageQueue> queues = queues(producer, topic);
        Map<Integer, List<Integer>> seen = new ConcurrentHashMap<>();
        Set<String> members = ConcurrentHashMap.newKeySet();
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (String member : List.of("first", "second")) {
            DefaultMQPushConsumer consumer = consumer(group);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerOrderly) (batch, context) -> {
                members.add(member);
                for (MessageExt one : batch) {
                    seen.computeIfAbsent(one.getQueueId(), id -> new CopyOnWriteArrayList<>())
                        .add(Integer.valueOf(Harness.text(one.getBody())));
                }
                return ConsumeOrderlyStatus.SUCCESS;
            });
            consumers.add(consumer);
        }
        AtomicInteger next = new AtomicInteger();
        Callable<Boolean> more = () -> {
            for (MessageQueue queue : queues) {
                producer.send(new Message(topic, Harness.bytes(String.valueOf(next.getAndIncrement()))), queue);
            }
            return members.size() == 2;
        };
        more.call();
        consumers.get(0).start();
        Harness.until("one has all queues", 45, () -> seen.size() == QUEUES);
        consumers.get(1).start();
        Harness.until("both take part", 60, more);
        consumers.get(0).shutdown();
        more.call();
        // A lock that its holder did not give back lasts 60 s, and is asked for every 20 s.
        Harness.until("the other has all", 100,
            () -> seen.values().stream().flatMap(List::stream).collect(Collectors.toSet()).size() == next.get() + 1);
        for (List<Integer> numbers : seen.values()) {
            List<Integer> once = new ArrayList<>(new LinkedHashSet<>(numbers));
            List<Integer> sorted = new ArrayList<>(once);
            Collections.sort(sorted);
            Harness.same(sorted, once, "order of a queue");
        }
        consumers.get(1).shutdown();
        producer.shutdown();
    }

    static void retryLevel() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("later")));
        List<Long> times = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = each(Harness.fresh("G"), topic, (batch, context) -> {
            times.add(System.currentTimeMillis());
            context.setDelayLevelWhenNextConsume(6);
            return times.size() == 1 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        Harness.until("a retry", 60, () -> times.size() == 2);
        Harness.check(times.get(1) - times.get(0) >= 1950, "level 6 is 2 s, not " + (times.get(1) - times.get(0)) + " ms");
        consumer.shutdown();
        producer.shutdown();
    }

    static void retryTail() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        List<Message> batch = new ArrayList<>();
        for (int number = 0; number < 4; number++) {
            batch.add(new Message(topic, Harness.bytes("m" + number)));
        }
        producer.send(batch);
        Map<String, List<Integer>> tries = new ConcurrentHashMap<>();
        DefaultMQPushConsumer consumer = consumer(Harness.fresh("G"));
        consumer.setConsumeMessageBatchMaxSize(4);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (got, context) -> {
            for (MessageExt one : got) {
                tries.computeIfAbsent(Harness.text(one.getBody()), body -> new CopyOnWriteArrayList<>())
                    .add(one.getReconsumeTimes());
            }
            if (got.size() == 4) {
                context.setAckIndex(1);
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Map<String, List<Integer>> wanted =
            Map.of("m0", List.of(0), "m1", List.of(0), "m2", List.of(0, 1), "m3", List.of(0, 1));
        Harness.until("the tail again: " + tries, 60, () -> wanted.equals(tries));
        consumer.shutdown();
        producer.shutdown();
    }

    static void deadLetterAtOnce() throws Exception {
        String topic = Harness.fresh("T");
        String group = Harness.fresh("G");
        DefaultMQProducer producer = producer();
        SendResult sent = producer.send(new Message(topic, "A", "k", Harness.bytes("poison")));
        AtomicInteger tries = new AtomicInteger();
        DefaultMQPushConsumer consumer = each(group, topic, (batch, context) -> {
            tries.incrementAndGet();
            context.setDelayLevelWhenNextConsume(-1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        Harness.until("a try", 45, () -> tries.get() >= 1);
        MessageExt dead = drain("%DLQ%" + group, 1).get(0);
        Harness.same("poison", Harness.text(dead.getBody()), "dead letter");
        Harness.same(topic, dead.getProperty("RETRY_TOPIC"), "where it came from");
        Harness.same(sent.getMsgId(), dead.getMsgId(), "unique key");
        Harness.same(1, tries.get(), "deliveries");
        consumer.shutdown();
        producer.shutdown();
    }
}
