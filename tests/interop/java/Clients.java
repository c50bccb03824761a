import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Clients of a feature, and what it says and hears with them. Each feature has topics and groups of its own. */
abstract class Clients {
    static final int QUEUES = 4;

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

    /** Sends so many and returns when they can be read: a real broker fills its queues a moment after it has answered. */
    static Set<String> send(DefaultMQProducer producer, String topic, String tag, int count) throws Exception {
        Set<String> bodies = new HashSet<>();
        Map<MessageQueue, Long> last = new HashMap<>();
        for (int number = 0; number < count; number++) {
            String body = topic + "-" + tag + "-" + number;
            Message message = new Message(topic, tag, "k" + number, Harness.bytes(body));
            message.putUserProperty("a", String.valueOf(number));
            SendResult result = producer.send(message);
            Harness.same(SendStatus.SEND_OK, result.getSendStatus(), "status");
            last.merge(result.getMessageQueue(), result.getQueueOffset(), Math::max);
            bodies.add(body);
        }
        for (Map.Entry<MessageQueue, Long> end : last.entrySet()) {
            Harness.until("what was sent", 20, () -> producer.maxOffset(end.getKey()) > end.getValue());
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

    static List<String> bodiesOf(Collection<MessageExt> messages) {
        return messages.stream().map(one -> Harness.text(one.getBody())).collect(Collectors.toList());
    }

    /** The queues of a topic; the broker tells the NameServer of a new one only after the first send. */
    static List<MessageQueue> queues(DefaultMQProducer producer, String topic) throws Exception {
        AtomicReference<List<MessageQueue>> found = new AtomicReference<>();
        Harness.until("the route of " + topic, 20, () -> {
            try {
                found.set(producer.fetchPublishMessageQueues(topic));
                return true;
            } catch (MQClientException notYet) {
                return false;
            }
        });
        return found.get();
    }

    /** A consumer that acts on each message of a topic alone. */
    static DefaultMQPushConsumer each(String group, String topic, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer consumer = consumer(group);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }
}
