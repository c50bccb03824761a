import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.command.topic.DeleteTopicSubCommand;

/** What an operator does with the admin client. */
final class AdminFeatures {
    interface Use {
        void with(DefaultMQAdminExt admin) throws Exception;
    }

    private AdminFeatures() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("admin-topic", () -> admin(AdminFeatures::topic));
        all.put("admin-group", () -> admin(AdminFeatures::group));
        all.put("admin-topic-stats", () -> admin(AdminFeatures::topicStats));
        all.put("admin-consume-stats", () -> admin(AdminFeatures::consumeStats));
        all.put("admin-connections", () -> admin(AdminFeatures::connections));
        all.put("admin-running-info", () -> admin(AdminFeatures::runningInfo));
        all.put("admin-consume-directly", () -> admin(AdminFeatures::consumeDirectly));
        all.put("admin-reset-offset", () -> admin(AdminFeatures::resetOffset));
        all.put("admin-clone-offset", () -> admin(AdminFeatures::cloneOffset));
        all.put("admin-who-consumes", () -> admin(AdminFeatures::whoConsumes));
        all.put("admin-broker-config", () -> admin(AdminFeatures::brokerConfig));
        all.put("admin-broker-stats", () -> admin(AdminFeatures::brokerStats));
        all.put("admin-cluster", () -> admin(AdminFeatures::cluster));
        all.put("admin-key-values", () -> admin(AdminFeatures::keyValues));
    }

    static void admin(Use use) throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000);
        admin.setNamesrvAddr(Harness.namesrv);
        admin.setInstanceName(Harness.fresh("admin"));
        admin.start();
        try {
            use.with(admin);
        } finally {
            admin.shutdown();
        }
    }

    static String make(DefaultMQAdminExt admin, int queues) throws Exception {
        String topic = Harness.fresh("T");
        TopicConfig config = new TopicConfig(topic);
        config.setReadQueueNums(queues);
        config.setWriteQueueNums(queues);
        admin.createAndUpdateTopicConfig(Harness.brokerAddress, config);
        return topic;
    }

    static void topic(DefaultMQAdminExt admin) throws Exception {
        String topic = make(admin, 3);
        Harness.same(3, admin.examineTopicRouteInfo(topic).getQueueDatas().get(0).getReadQueueNums(), "at once in the route");
        Harness.check(admin.fetchAllTopicList().getTopicList().contains(topic), "in the list");
        DeleteTopicSubCommand.deleteTopic(admin, "DefaultCluster", topic);
        try {
            admin.examineTopicRouteInfo(topic);
            throw new AssertionError("still there");
        } catch (MQClientException gone) {
            Harness.same(17, gone.getResponseCode(), "code");
        }
        try {
            make(admin, 0).length();
            TopicConfig system = new TopicConfig("TBW102");
            admin.createAndUpdateTopicConfig(Harness.brokerAddress, system);
            throw new AssertionError("a system topic was changed");
        } catch (MQClientException | MQBrokerException refused) {
            Harness.check(refused.getMessage().contains("TBW102"), "remark " + refused.getMessage());
        }
    }

    static void group(DefaultMQAdminExt admin) throws Exception {
        String group = Harness.fresh("G");
        SubscriptionGroupConfig config = new SubscriptionGroupConfig();
        config.setGroupName(group);
        config.setRetryMaxTimes(3);
        config.setConsumeEnable(false);
        admin.createAndUpdateSubscriptionGroupConfig(Harness.brokerAddress, config);
        SubscriptionGroupConfig found = admin.examineSubscriptionGroupConfig(Harness.brokerAddress, group);
        Harness.same(3, found.getRetryMaxTimes(), "retryMaxTimes");
        Harness.same(false, found.isConsumeEnable(), "consumeEnable");
        admin.deleteSubscriptionGroup(Harness.brokerAddress, group);
        Harness.check(!admin.getAllSubscriptionGroup(Harness.brokerAddress, 5000).getSubscriptionGroupTable()
            .containsKey(group), "deleted");
    }

    static void topicStats(DefaultMQAdminExt admin) throws Exception {
        String topic = make(admin, 2);
        Harness.same(2, admin.examineTopicStats(topic).getOffsetTable().size(), "queues of an empty topic");
        DefaultMQProducer producer = Features.producer();
        Features.send(producer, topic, "A", 6);
        Harness.until("six messages", 10, () -> admin.examineTopicStats(topic).getOffsetTable().values().stream()
            .mapToLong(one -> one.getMaxOffset() - one.getMinOffset()).sum() == 6);
        producer.shutdown();
    }

    /** A group that has consumed a topic and is still there. */
    static final class Consumed implements AutoCloseable {
        final String topic = Harness.fresh("T");
        final String group = Harness.fresh("G");
        final Features.Kept kept = new Features.Kept();
        final DefaultMQProducer producer;
        final DefaultMQPushConsumer consumer;

        Consumed() throws Exception {
            producer = Features.producer();
            Set<String> sent = Features.send(producer, topic, "A", 8);
            consumer = Features.listen(group, topic, "*", kept);
            Harness.until("it consumes", 45, () -> kept.bodies().containsAll(sent));
            consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
        }

        String clientId() {
            return consumer.buildMQClientId();
        }

        @Override
        public void close() {
            consumer.shutdown();
            producer.shutdown();
        }
    }

    static void consumeStats(DefaultMQAdminExt admin) throws Exception {
        try (Consumed one = new Consumed()) {
            Harness.until("no lag", 20, () -> admin.examineConsumeStats(one.group, one.topic).getOffsetTable().values().stream()
                .mapToLong(each -> each.getConsumerOffset()).sum() == 8);
            Harness.same(0L, admin.examineConsumeStats(one.group, one.topic).computeTotalDiff(), "difference");
        }
    }

    static void connections(DefaultMQAdminExt admin) throws Exception {
        try (Consumed one = new Consumed()) {
            var consumers = admin.examineConsumerConnectionInfo(one.group);
            Harness.same(1, consumers.getConnectionSet().size(), "consumers");
            Harness.same(one.clientId(), consumers.getConnectionSet().iterator().next().getClientId(), "client");
            Harness.check(consumers.getSubscriptionTable().containsKey(one.topic), "subscription");
            Harness.until("the producer's heartbeat", 40, () -> {
                try {
                    String group = one.producer.getProducerGroup();
                    return admin.examineProducerConnectionInfo(group, one.topic).getConnectionSet().size() == 1;
                } catch (MQBrokerException notYet) {
                    return false;
                }
            });
        }
        try {
            admin.examineConsumerConnectionInfo(Harness.fresh("nobody"));
            throw new AssertionError("somebody");
        } catch (MQBrokerException | MQClientException none) {
            int code = none instanceof MQBrokerException ? ((MQBrokerException) none).getResponseCode()
                : ((MQClientException) none).getResponseCode();
            Harness.check(code == 206 || code == 17, "code " + code);
        }
    }

    static void runningInfo(DefaultMQAdminExt admin) throws Exception {
        try (Consumed one = new Consumed()) {
            var info = admin.getConsumerRunningInfo(one.group, one.clientId(), false);
            Harness.check(info.getMqTable().keySet().stream().anyMatch(queue -> queue.getTopic().equals(one.topic)), "queues");
        }
    }

    static void consumeDirectly(DefaultMQAdminExt admin) throws Exception {
        try (Consumed one = new Consumed()) {
            String id = one.kept.messages.get(0).getMsgId();
            int before = one.kept.messages.size();
            Harness.until("the index", 20, () -> {
                try {
                    return admin.consumeMessageDirectly(one.group, one.clientId(), one.topic, id) != null;
                } catch (MQClientException notYet) {
                    return false;
                }
            });
            Harness.same(before + 1, one.kept.messages.size(), "consumed once more");
        }
    }

    static void resetOffset(DefaultMQAdminExt admin) throws Exception {
        try (Consumed one = new Consumed()) {
            one.kept.messages.clear();
            Map<MessageQueue, Long> reset = admin.resetOffsetByTimestamp(one.topic, one.group, 0, true);
            Harness.check(!reset.isEmpty(), "queues");
            reset.values().forEach(offset -> Harness.same(0L, offset, "offset"));
            Harness.until("all again", 60, () -> one.kept.bodies().size() >= 8);
        }
    }

    static void cloneOffset(DefaultMQAdminExt admin) throws Exception {
        try (Consumed one = new Consumed()) {
            String other = Harness.fresh("G");
            Harness.until("committed", 20, () -> admin.examineConsumeStats(one.group, one.topic).computeTotalDiff() == 0);
            admin.cloneGroupOffset(one.group, other, one.topic, true);
            Features.Kept kept = new Features.Kept();
            DefaultMQPushConsumer consumer = Features.listen(other, one.topic, "*", kept);
            Set<String> late = Features.send(one.producer, one.topic, "late", 4);
            Harness.until("what comes later", 45, () -> kept.bodies().containsAll(late));
            Harness.same(late, kept.bodies(), "only that");
            consumer.shutdown();
        }
    }

    static void whoConsumes(DefaultMQAdminExt admin) throws Exception {
        try (Consumed one = new Consumed()) {
            Harness.until("the group", 20,
                () -> admin.queryTopicConsumeByWho(one.topic).getGroupList().contains(one.group));
        }
    }

    static void brokerConfig(DefaultMQAdminExt admin) throws Exception {
        Properties before = admin.getBrokerConfig(Harness.brokerAddress);
        Harness.same(Harness.brokerName, before.getProperty("brokerName"), "brokerName");
        Properties change = new Properties();
        change.setProperty("maxMessageSize", "4194304");
        admin.updateBrokerConfig(Harness.brokerAddress, change);
        Harness.same("4194304", admin.getBrokerConfig(Harness.brokerAddress).getProperty("maxMessageSize"), "maxMessageSize");
    }

    static void brokerStats(DefaultMQAdminExt admin) throws Exception {
        Map<String, String> table = admin.fetchBrokerRuntimeStats(Harness.brokerAddress).getTable();
        for (String key : new String[] {"brokerVersionDesc", "bootTimestamp", "putTps", "getTotalTps", "msgPutTotalTodayNow"}) {
            Harness.check(table.containsKey(key), "no " + key);
        }
    }

    static void cluster(DefaultMQAdminExt admin) throws Exception {
        var info = admin.examineBrokerClusterInfo();
        Harness.same(Harness.brokerAddress, info.getBrokerAddrTable().get(Harness.brokerName).getBrokerAddrs().get(0L), "address");
        Harness.check(info.getClusterAddrTable().get("DefaultCluster").contains(Harness.brokerName), "cluster");
    }

    static void keyValues(DefaultMQAdminExt admin) throws Exception {
        String space = Harness.fresh("space");
        admin.createAndUpdateKvConfig(space, "key", "value");
        Harness.same("value", admin.getKVConfig(space, "key"), "value");
        Harness.same("value", admin.getKVListByNamespace(space).getTable().get("key"), "list");
        admin.deleteKvConfig(space, "key");
        try {
            admin.getKVConfig(space, "key");
            throw new AssertionError("still there");
        } catch (MQClientException gone) {
            Harness.same(22, gone.getResponseCode(), "code");
        }
    }
}
