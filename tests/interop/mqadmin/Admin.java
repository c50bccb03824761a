import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.tools.command.MQAdminStartup;
import org.apache.rocketmq.tools.command.SubCommand;

/**
 * Runs commands of mqadmin one after another in one JVM, which also holds the clients that they ask about.
 *
 * Each line on standard input is one command, its words divided by tabs; a first word with @ is a wish of ours:
 * "@send group topic count tag", "@push group topic", "@await group count", "@commands", "@endless command", which stops
 * it soon. Each is answered by one line:
 * how it ended (done, exit, stopped after the time, error) and what it printed, in base64.
 */
public class Admin {
    private static final int ENDLESS_MS = Integer.getInteger("endlessMs", 6000);
    private static final int LIMIT_MS = 120_000;
    private static final Map<String, DefaultMQProducer> PRODUCERS = new HashMap<>();
    private static final Map<String, DefaultMQPushConsumer> CONSUMERS = new HashMap<>();
    private static final Map<String, AtomicInteger> CONSUMED = new HashMap<>();

    private static final class Exit extends SecurityException {
    }

    /** A command that ends the JVM ends itself only. */
    private static final class NoExit extends SecurityManager {
        @Override
        public void checkExit(int status) {
            throw new Exit();
        }

        @Override
        public void checkPermission(Permission permission) {
        }

        @Override
        public void checkPermission(Permission permission, Object context) {
        }
    }

    public static void main(String[] args) throws Exception {
        System.setSecurityManager(new NoExit());
        PrintStream answers = System.out;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t");
            ByteArrayOutputStream printed = new ByteArrayOutputStream();
            PrintStream out = new PrintStream(printed, true, "UTF-8");
            System.setOut(out);
            System.setErr(out);
            String end = run(words, out);
            out.flush();
            answers.println(end + "\t" + Base64.getEncoder().encodeToString(printed.toByteArray()));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    /** Runs one line in a thread of its own; a command without end is interrupted when its time is up. */
    private static String run(String[] line, PrintStream out) throws InterruptedException {
        boolean endless = line[0].equals("@endless");
        String[] words = endless ? Arrays.copyOfRange(line, 1, line.length) : line;
        String[] end = {"done"};
        Thread thread = new Thread(() -> {
            try {
                if (words[0].startsWith("@")) {
                    wish(words, out);
                } else {
                    commands().clear(); // one is good for one run: some keep clients that they have shut down
                    MQAdminStartup.main0(words, null);
                }
            } catch (Exit exit) {
                end[0] = "exit";
            } catch (Throwable error) {
                end[0] = "error";
                error.printStackTrace(out);
            }
        });
        thread.start();
        thread.join(endless ? ENDLESS_MS : LIMIT_MS);
        if (thread.isAlive()) {
            thread.interrupt();
            thread.join(2000);
            return "stopped";
        }
        return end[0];
    }

    private static List<?> commands() throws Exception {
        Field commands = MQAdminStartup.class.getDeclaredField("subCommandList");
        commands.setAccessible(true);
        return (List<?>) commands.get(null);
    }

    private static void wish(String[] words, PrintStream out) throws Exception {
        switch (words[0]) {
            case "@send":
                send(words[1], words[2], Integer.parseInt(words[3]), words[4], out);
                break;
            case "@push":
                push(words[1], words[2]);
                out.println(CONSUMERS.get(words[1]).buildMQClientId());
                break;
            case "@await":
                await(words[1], Integer.parseInt(words[2]));
                break;
            case "@commands":
                MQAdminStartup.initCommand();
                for (Object command : commands()) {
                    out.println(((SubCommand) command).commandName());
                }
                break;
            default:
                throw new IllegalArgumentException(Arrays.toString(words));
        }
    }

    /** Messages go to the four queues in turn, so that every run puts them into the same places. */
    private static void send(String group, String topic, int count, String tag, PrintStream out) throws Exception {
        DefaultMQProducer producer = PRODUCERS.get(group);
        if (producer == null) {
            producer = new DefaultMQProducer(group, true);
            producer.setInstanceName(group);
            producer.start();
            PRODUCERS.put(group, producer);
        }
        for (int number = 0; number < count; number++) {
            byte[] body = ("body-" + number).getBytes(StandardCharsets.UTF_8);
            Message message = new Message(topic, tag, "key-" + number, body);
            SendResult sent = producer.send(message, (queues, asked, turn) -> queues.get((int) turn % queues.size()), number);
            out.println(sent.getMsgId() + " " + sent.getOffsetMsgId() + " " + sent.getMessageQueue().getQueueId() + " "
                + sent.getQueueOffset());
        }
    }

    private static void push(String group, String topic) throws Exception {
        AtomicInteger consumed = new AtomicInteger();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setInstanceName(group);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPersistConsumerOffsetInterval(100);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            synchronized (consumed) {
                consumed.addAndGet(messages.size());
                consumed.notifyAll();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        CONSUMERS.put(group, consumer);
        CONSUMED.put(group, consumed);
    }

    /** Waits until a group has consumed so many and has committed that. */
    private static void await(String group, int count) throws Exception {
        AtomicInteger consumed = CONSUMED.get(group);
        long end = System.currentTimeMillis() + LIMIT_MS;
        synchronized (consumed) {
            while (consumed.get() < count && System.currentTimeMillis() < end) {
                consumed.wait(100);
            }
        }
        if (consumed.get() < count) {
            throw new IllegalStateException(group + " consumed " + consumed.get() + " of " + count);
        }
        // The last listener returns after it has counted, and the first commit of its own would come after ten seconds.
        new CountDownLatch(1).await(500, TimeUnit.MILLISECONDS);
        CONSUMERS.get(group).getDefaultMQPushConsumerImpl().persistConsumerOffset();
        new CountDownLatch(1).await(500, TimeUnit.MILLISECONDS);
    }
}
