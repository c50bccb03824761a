import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Transactions, decided at once or when the broker asks. */
final class Transactions extends Clients {
    private Transactions() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("transaction-commit", Transactions::transactionCommit);
        all.put("transaction-rollback", Transactions::transactionRollback);
        all.put("transaction-check", Transactions::transactionCheck);
        all.put("transaction-check-rollback", Transactions::checkedRollback);
        all.put("transaction-unknown", Transactions::unknown);
    }

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

    static void transact(Decider decider, boolean delivered, int checks) throws Exception {
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
            Harness.until(checks + " checks", 60, () -> decider.checks.size() >= checks);
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
        transact(new Decider(LocalTransactionState.COMMIT_MESSAGE, LocalTransactionState.UNKNOW), true, 0);
    }

    static void transactionRollback() throws Exception {
        transact(new Decider(LocalTransactionState.ROLLBACK_MESSAGE, LocalTransactionState.UNKNOW), false, 0);
    }

    static void transactionCheck() throws Exception {
        transact(new Decider(LocalTransactionState.UNKNOW, LocalTransactionState.COMMIT_MESSAGE), true, 1);
    }

    static void checkedRollback() throws Exception {
        transact(new Decider(LocalTransactionState.UNKNOW, LocalTransactionState.ROLLBACK_MESSAGE), false, 1);
    }

    static void unknown() throws Exception {
        transact(new Decider(LocalTransactionState.UNKNOW, LocalTransactionState.UNKNOW), false, 2);
    }
}
