import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/**
 * Loads one broker with the official client and tells how fast that went, one JSON line per phase.
 *
 * <p>Usage: {@code Load NAMESRV PHASE…}; each phase is {@code kind:width:body_bytes:count} and gets a topic of its own:
 * {@code sync} sends from {@code width} threads, {@code async} keeps {@code width} sends outstanding, {@code consume}
 * stores {@code count} messages and lets a push consumer drain them, {@code through} sends {@code width} a
 * second from one thread to a consumer that runs. A line {@code begin} comes before what is measured. Every phase warms up with a tenth of its count first. Anything but SEND_OK ends the program
 * with status 1.
 */
public final class Load {
    private static final int WAIT_S = 120;
    private static final int BACKLOG_OUTSTANDING = 256;
    private static String namesrv;
    private static DefaultMQProducer producer;

    public static void main(String[] args) throws Exception {
        namesrv = args[0];
        producer = new DefaultMQProducer("load");
        producer.setNamesrvAddr(namesrv);
        producer.setSendMsgTimeout(30_000);
        producer.setRetryTimesWhenSendFailed(0);
        producer.setRetryTimesWhenSendAsyncFailed(0);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.start();
        try {
            for (int i = 1; i < args.length; i++) {
                String[] parts = args[i].split(":");
                int width = Integer.parseInt(parts[1]);
                byte[] body = new byte[Integer.parseInt(parts[2])];
                new Random(i).nextBytes(body);
                int count = Integer.parseInt(parts[3]);
                String topic = "Load" + i;
                warmUp(topic);
                run(parts[0], topic, width, body, count / 10);
                System.out.println(run(parts[0], topic, width, body, count));
            }
        } finally {
            producer.shutdown();
        }
        System.exit(0);
    }

    private static String run(String kind, String topic, int width, byte[] body, int count) throws Exception {
        switch (kind) {
            case "sync":
                return sync(topic, width, body, count);
            case "async":
                return async(topic, width, body, count);
            case "consume":
                return consume(topic + "C" + count, body, count);
            case "through":
                return through(topic + "T" + count, width, body, count);
            default:
                throw new IllegalArgumentException("phase " + kind + ": write sync, async, consume or through");
        }
    }

    /** The first send makes the topic; a few more follow so that the client has its route. */
    private static void warmUp(String topic) throws Exception {
        for (int i = 0; i < 20; i++) {
            check(producer.send(new Message(topic, new byte[] {1})));
        }
    }

    private static void check(SendResult result) {
        if (result.getSendStatus() != SendStatus.SEND_OK) {
            fail(new IllegalStateException("a send was answered " + result.getSendStatus()));
        }
    }

    private static void fail(Throwable error) {
        error.printStackTrace();
        Runtime.getRuntime().halt(1);
    }

    private static String sync(String topic, int threads, byte[] body, int count) throws Exception {
        long[] took = new long[count];
        AtomicInteger next = new AtomicInteger();
        Thread[] running = new Thread[threads];
        System.out.println("begin");
        long began = System.nanoTime();
        for (int t = 0; t < threads; t++) {
            running[t] = new Thread(() -> {
                try {
                    for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
                        long at = System.nanoTime();
                        check(producer.send(new Message(topic, body)));
                        took[i] = System.nanoTime() - at;
                    }
                } catch (Exception error) {
                    fail(error);
                }
            });
            running[t].start();
        }
        for (Thread thread : running) {
            thread.join();
        }
        return line(count, System.nanoTime() - began, took);
    }

    private static String async(String topic, int outstanding, byte[] body, int count) throws Exception {
        long[] took = new long[count];
        Semaphore free = new Semaphore(outstanding);
        System.out.println("begin");
        long began = System.nanoTime();
        for (int i = 0; i < count; i++) {
            int slot = i;
            free.acquire();
            long at = System.nanoTime();
            producer.send(new Message(topic, body), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    check(result);
                    took[slot] = System.nanoTime() - at;
                    free.release();
                }

                @Override
                public void onException(Throwable error) {
                    fail(error);
                }
            });
        }
        if (!free.tryAcquire(outstanding, WAIT_S, TimeUnit.SECONDS)) {
            fail(new IllegalStateException("sends without an answer"));
        }
        return line(count, System.nanoTime() - began, took);
    }

    /** From the first message to the last one: the start of a consumer has a pace of its own. */
    private static String consume(String topic, byte[] body, int count) throws Exception {
        warmUp(topic);
        async(topic, BACKLOG_OUTSTANDING, body, count);
        int all = count + 20;
        AtomicInteger seen = new AtomicInteger();
        AtomicLong first = new AtomicLong();
        CountDownLatch done = new CountDownLatch(1);
        System.out.println("begin");
        DefaultMQPushConsumer consumer = consumer(topic, (messages, context) -> {
            first.compareAndSet(0, System.nanoTime());
            if (seen.addAndGet(messages.size()) == all) {
                done.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        if (!done.await(WAIT_S, TimeUnit.SECONDS)) {
            fail(new IllegalStateException(seen.get() + " of " + all + " messages came"));
        }
        long took = System.nanoTime() - first.get();
        consumer.shutdown();
        return line(all, took, new long[0]);
    }

    /** How long a message takes from the producer's call to the consumer's. */
    private static String through(String topic, int perSecond, byte[] body, int count) throws Exception {
        warmUp(topic);
        long[] took = new long[count];
        CountDownLatch warm = new CountDownLatch(20);
        AtomicInteger seen = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(1);
        DefaultMQPushConsumer consumer = consumer(topic, (messages, context) -> {
            for (Message message : messages) {
                String at = message.getUserProperty("at");
                if (at == null) {
                    warm.countDown();
                    continue;
                }
                int slot = seen.getAndIncrement();
                took[slot] = System.nanoTime() - Long.parseLong(at);
                if (slot == count - 1) {
                    done.countDown();
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        if (!warm.await(WAIT_S, TimeUnit.SECONDS)) {
            fail(new IllegalStateException("nothing came through"));
        }
        System.out.println("begin");
        long began = System.nanoTime();
        for (int i = 0; i < count; i++) {
            long due = began + i * 1_000_000_000L / perSecond;
            for (long now = System.nanoTime(); now < due; now = System.nanoTime()) {
                LockSupport.parkNanos(due - now);
            }
            Message message = new Message(topic, body);
            message.putUserProperty("at", Long.toString(System.nanoTime()));
            check(producer.send(message));
        }
        if (!done.await(WAIT_S, TimeUnit.SECONDS)) {
            fail(new IllegalStateException(seen.get() + " of " + count + " messages came"));
        }
        long all = System.nanoTime() - began;
        consumer.shutdown();
        return line(count, all, took);
    }

    private static DefaultMQPushConsumer consumer(String topic, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("load-" + topic);
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }

    private static String line(int count, long nanos, long[] took) {
        Arrays.sort(took);
        String latency = took.length == 0 ? "" : String.format(
            ", \"p50_us\": %d, \"p99_us\": %d", took[took.length / 2] / 1000, took[took.length * 99 / 100] / 1000);
        return String.format("{\"count\": %d, \"rate\": %.1f%s}", count, count * 1e9 / nanos, latency);
    }
}
