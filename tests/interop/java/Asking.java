import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Queries, requests with a reply, traces, and other ways to connect. */
final class Asking extends Clients {
    private Asking() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("query-key", Asking::queryKey);
        all.put("query-unique-key", Asking::queryUniqueKey);
        all.put("query-id", Asking::queryId);
        all.put("request-reply", Asking::requestReply);
        all.put("request-reply-async", Asking::requestReplyAsync);
        all.put("trace", Asking::trace);
        all.put("vip-channel", Asking::vipChannel);
        all.put("namespace", Asking::namespace);
        all.put("request-timeout", Asking::requestTimeout);
        all.put("trace-consume", Asking::traceConsume);
        all.put("tls", Asking::tls);
        all.put("acl-signature", Asking::signature);
    }

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

    static void requestTimeout() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = producer();
        try {
            producer.request(new Message(topic, Harness.bytes("anybody?")), 2000);
            throw new AssertionError("somebody");
        } catch (RequestTimeoutException nobody) {
            Harness.same(List.of("anybody?"), bodiesOf(drain(topic, 1)), "the request is stored");
        }
        producer.shutdown();
    }

    static void traceConsume() throws Exception {
        String topic = Harness.fresh("T");
        Kept traces = new Kept();
        DefaultMQPushConsumer reader = listen(Harness.fresh("G"), "RMQ_SYS_TRACE_TOPIC", "*", traces);
        DefaultMQProducer producer = producer();
        producer.send(new Message(topic, Harness.bytes("make")));
        Kept kept = new Kept();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(Harness.fresh("G"), true, null);
        consumer.setNamesrvAddr(Harness.namesrv);
        consumer.setInstanceName(Harness.fresh("i"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(kept);
        consumer.start();
        Harness.until("it consumes", 45, () -> kept.bodies().contains("make"));
        SendResult result = producer.send(new Message(topic, Harness.bytes("traced")));
        for (String step : List.of("SubBefore", "SubAfter")) {
            Harness.until(step + " of " + result.getMsgId(), 20, () -> traces.messages.stream()
                .map(one -> Harness.text(one.getBody())).anyMatch(text -> text.contains(step) && text.contains(result.getMsgId())));
        }
        consumer.shutdown();
        producer.shutdown();
        reader.shutdown();
    }

    static void tls() throws Exception {
        String topic = Harness.fresh("T");
        DefaultMQProducer producer = new DefaultMQProducer(Harness.fresh("P"));
        producer.setUseTLS(true);
        started(producer);
        producer.send(new Message(topic, Harness.bytes("secret")));
        Harness.same(List.of("secret"), bodiesOf(drain(topic, 1)), "message");
        producer.shutdown();
    }

    /** What a client signs is taken by a broker that asks for no signature. */
    static void signature() throws Exception {
        String topic = Harness.fresh("T");
        SessionCredentials who = new SessionCredentials("user", "12345678");
        DefaultMQProducer producer = started(new DefaultMQProducer(Harness.fresh("P"), new AclClientRPCHook(who)));
        producer.send(new Message(topic, Harness.bytes("signed")));
        Harness.same(List.of("signed"), bodiesOf(drain(topic, 1)), "message");
        producer.shutdown();
    }
}
