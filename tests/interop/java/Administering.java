import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
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
final class Administering {
    interface Use {
        void with(DefaultMQAdminExt admin) throws Exception;
    }

    private Administering() {
    }

    static void register() {
        Map<String, Harness.Feature> all = Harness.FEATURES;
        all.put("admin-topic", () -> admin(Administering::topic));
        all.put("admin-group", () -> admin(Administering::group));
        all.put("admin-topic-stats", () -> admin(Administering::topicStats));
        all.put("admin-consume-stats", () -> admin(Administering::consumeStats));
        all.put("admin-connections", () -> admin(Administering::connections));
        all.put("admin-running-info", () -> admin(Administering::runningInfo));
        all.put("admin-consume-directly", () -> admin(Administering::consumeDirectly));
        all.put("admin-reset-offset", () -> admin(Administering::resetOffset));
        all.put("admin-clone-offset", () -> admin(Administering::cloneOffset));
        all.put("admin-who-consumes", () -> admin(Administering::whoConsumes));
        all.put("admin-broker-config", () -> admin(Administering::brokerConfig));
        all.put("admin-broker-stats", () -> admin(Administering::brokerStats));
        all.put("admin-cluster", () -> admin(Administering::cluster));
        all.put("admin-key-values", () -> admin(Administering::keyValues));
        all.put("admin-topic-config", () -> admin(Administering::topicConfig));
        all.put("admin-topic-permission", () -> admin(Administering::topicPermission));
        all.put("admin-group-disabled", () -> admin(Administering::disabledGroup));
        all.put("admin-update-offset", () -> admin(Administering::updateOffset));
        all.put("admin-message-track", () -> admin(Administering::messageTrack));
        all.put("admin-consume-queue", () -> admin(Administering::consumeQueue));
        all.put("admin-nameserver-config", () -> admin(Administering::nameServerConfig));
        Harness.alone("admin-write-permission", () -> admin(Administering::writePermission));
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
        DefaultMQProducer producer = Clients.producer();
        Clients.send(producer, topic, "A", 6);
        Harness.until("six messages", 10, () -> admin.examineTopicStats(topic).getOffsetTable().values().stream()
            .mapToLong(one -> one.getMaxOffset() - one.getMinOffset()).sum() == 6);
        producer.shutdown();
    }

    /** A group that has consumed a topic and is still there. */
    static final class Consumed implements AutoCloseable {
        final String topic = Harness.fresh("T");
        final String group = Harness.fresh("G");
        final Clients.Kept kept = new Clients.Kept();
        final DefaultMQProducer producer;
        final DefaultMQPushConsumer consumer;

        Consumed() throws Exception {
            producer = Clients.producer();
            Set<String> sent = Clients.send(producer, topic, "A", 8);
            consumer = Clients.listen(group, topic, "*", kept);
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
            Map<MessageQueue, Long> reset = new HashMap<>();
            Harness.until("the broker knows the group by its commits", 20, () -> {
                try {
                    reset.putAll(admin.resetOffsetByTimestamp(one.topic, one.group, 0, true));
                    return true;
                } catch (MQClientException notYet) {
                    return false;
                }
            });
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
            Clients.Kept kept = new Clients.Kept();
            DefaultMQPushConsumer consumer = Clients.listen(other, one.topic, "*", kept);
            Set<String> late = Clients.send(one.producer, one.topic, "late", 4);
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

    static void topicConfig(DefaultMQAdminExt admin) throws Exception {
        TopicConfig found = admin.examineTopicConfig(Harness.brokerAddress, make(admin, 5));
        Harness.same(5, found.getReadQueueNums(), "readQueueNums");
        Harness.same(6, found.getPerm(), "perm");
    }

    /** A producer looks for queues that may be written; that a queue may be read is checked by the broker. */
    static void topicPermission(DefaultMQAdminExt admin) throws Exception {
        String topic = make(admin, 2);
        DefaultMQProducer producer = Clients.producer();
        Clients.send(producer, topic, "A", 1);
        producer.shutdown();
        admin.createAndUpdateTopicConfig(Harness.brokerAddress, new TopicConfig(topic, 2, 2, 4));
        Harness.same(1, Clients.drain(topic, 1).size(), "still to be read");
        DefaultMQProducer other = Clients.producer();
        try {
            Clients.send(other, topic, "B", 1);
            throw new AssertionError("stored");
        } catch (MQClientException nowhere) {
            Harness.same(10005, nowhere.getResponseCode(), "code");
        }
        other.shutdown();
        admin.createAndUpdateTopicConfig(Harness.brokerAddress, new TopicConfig(topic, 2, 2, 2));
        DefaultMQPullConsumer consumer = Pulling.puller();
        try {
            consumer.pull(new MessageQueue(topic, Harness.brokerName, 0), "*", 0, 1);
            throw new AssertionError("read");
        } catch (MQBrokerException refused) {
            Harness.same(16, refused.getResponseCode(), "code");
        }
        consumer.shutdown();
    }

    static void disabledGroup(DefaultMQAdminExt admin) throws Exception {
        String topic = make(admin, 1);
        DefaultMQPullConsumer consumer = Pulling.puller();
        SubscriptionGroupConfig config = new SubscriptionGroupConfig();
        config.setGroupName(consumer.getConsumerGroup());
        config.setConsumeEnable(false);
        admin.createAndUpdateSubscriptionGroupConfig(Harness.brokerAddress, config);
        try {
            consumer.pull(new MessageQueue(topic, Harness.brokerName, 0), "*", 0, 1);
            throw new AssertionError("served");
        } catch (MQBrokerException refused) {
            Harness.same(16, refused.getResponseCode(), "code");
        }
        consumer.shutdown();
    }

    static void updateOffset(DefaultMQAdminExt admin) throws Exception {
        String topic = make(admin, 1);
        DefaultMQProducer producer = Clients.producer();
        Clients.send(producer, topic, "A", 5);
        DefaultMQPullConsumer consumer = Pulling.puller();
        MessageQueue queue = new MessageQueue(topic, Harness.brokerName, 0);
        admin.updateConsumeOffset(Harness.brokerAddress, consumer.getConsumerGroup(), queue, 3);
        Harness.same(3L, consumer.fetchConsumeOffset(queue, true), "offset");
        consumer.shutdown();
        producer.shutdown();
    }

    static void messageTrack(DefaultMQAdminExt admin) throws Exception {
        try (Consumed one = new Consumed()) {
            Harness.until("consumed", 30, () -> admin.messageTrackDetail(one.kept.messages.get(0)).stream().anyMatch(
                track -> track.getConsumerGroup().equals(one.group) && track.getTrackType().name().equals("CONSUMED")));
        }
    }

    static void consumeQueue(DefaultMQAdminExt admin) throws Exception {
        String topic = make(admin, 1);
        DefaultMQProducer producer = Clients.producer();
        Clients.send(producer, topic, "A", 4);
        Harness.until("four entries", 10, () -> producer.maxOffset(new MessageQueue(topic, Harness.brokerName, 0)) == 4);
        var found = admin.queryConsumeQueue(Harness.brokerAddress, topic, 0, 1, 2, null).getQueueData();
        Harness.same(2, found.size(), "entries");
        Harness.same((long) "A".hashCode(), found.get(0).getTagsCode(), "tagsCode");
        Harness.same(found.get(0).getPhysicOffset() + found.get(0).getPhysicSize() <= found.get(1).getPhysicOffset(), true,
            "entries point one after the other");
        producer.shutdown();
    }

    static void nameServerConfig(DefaultMQAdminExt admin) throws Exception {
        Properties found = admin.getNameServerConfig(List.of(Harness.namesrv)).get(Harness.namesrv);
        Harness.check(found.containsKey("kvConfigPath"), "kvConfigPath in " + found.keySet());
    }

    /** Takes the right to write from all topics of the broker: nothing else can be tried meanwhile. */
    static void writePermission(DefaultMQAdminExt admin) throws Exception {
        String topic = make(admin, 1);
        Harness.check(admin.wipeWritePermOfBroker(Harness.namesrv, Harness.brokerName) > 0, "topics");
        Harness.same(4, admin.examineTopicRouteInfo(topic).getQueueDatas().get(0).getPerm(), "only to be read");
        DefaultMQProducer producer = Clients.producer();
        try {
            Clients.send(producer, topic, "A", 1);
            throw new AssertionError("a producer found a queue");
        } catch (MQClientException nowhere) {
            Harness.check(admin.addWritePermOfBroker(Harness.namesrv, Harness.brokerName) > 0, "topics");
        }
        Harness.same(6, admin.examineTopicRouteInfo(topic).getQueueDatas().get(0).getPerm(), "as before");
        producer.shutdown();
        DefaultMQProducer other = Clients.producer();
        Clients.send(other, topic, "A", 1);
        other.shutdown();
    }
}
