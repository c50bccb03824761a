import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** All ways to send. */
final class Sending extends Clients {
    private static final int BODY_MAX = 4 * 1024 * 1024;

    private Sending() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("send-sync", Sending::sendSync);
        all.put("send-async", Sending::sendAsync);
        all.put("send-oneway", Sending::sendOneway);
        all.put("send-batch", Sending::sendBatch);
        all.put("send-queue", Sending::sendToQueue);
        all.put("send-selector", Sending::sendBySelector);
        all.put("send-big", Sending::sendBig);
        all.put("send-too-big", Sending::sendTooBig);
        all.put("send-compressed", Sending::sendCompressed);
        all.put("send-unicode", Sending::sendUnicode);
    }

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
        for (MessageQueue queue : queues(producer, topic)) {
            String body = "for " + queue.getQueueId();
            SendResult result = producer.send(new Message(topic, Harness.bytes(body)), queue);
            Harness.same(queue, result.getMessageQueue(), "queue");
        }
        for (MessageExt one : drain(topic, 1 + QUEUES)) {
            String body = Harness.text(one.getBody());
            Harness.check(body.equals("make") || body.equals("for " + one.getQueueId()), body + " in " + one.getQueueId());
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
}
