package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	queues  = 4
	bodyMax = 4 * 1024 * 1024
)

func register() {
	for name, feature := range map[string]func(){
		"send-sync": sendSync, "send-async": sendAsync, "send-oneway": sendOneway, "send-batch": sendBatch,
		"send-queue": sendToQueue, "send-selector": sendBySelector, "send-big": sendBig, "send-too-big": sendTooBig,
		"send-compressed": sendCompressed, "send-unicode": sendUnicode,
		"consume-concurrent": consumeConcurrently, "consume-tags": consumeTags, "consume-sql92": consumeSQL92,
		"consume-sql92-refused": refuseSQL92, "consume-orderly": consumeOrderly, "consume-orderly-suspend": suspendOrderly,
		"consume-retry": retry, "consume-dead-letter": deadLetter, "consume-orderly-dead-letter": orderlyDeadLetter,
		"consume-broadcast": broadcast, "consume-rebalance": rebalance, "consume-resume": resume, "consume-delay": delay,
		"transaction-commit": transactionCommit, "transaction-rollback": transactionRollback,
		"transaction-check": transactionCheck,
		"pull":              pull, "pull-lite-subscribe": poll, "pull-lite-assign": assign, "offsets": offsets,
		"query-key": nil, "query-unique-key": nil, "query-id": nil,
		"request-reply": requestReply, "request-reply-async": requestReplyAsync, "trace": trace,
		"vip-channel": vipChannel, "namespace": namespace,
		"admin-topic": adminTopic, "admin-group": adminGroup, "admin-topic-stats": nil, "admin-consume-stats": nil,
		"admin-connections": nil, "admin-running-info": nil, "admin-consume-directly": nil, "admin-reset-offset": nil,
		"admin-clone-offset": nil, "admin-who-consumes": nil, "admin-broker-config": nil, "admin-broker-stats": nil,
		"admin-cluster": clusterOf, "admin-key-values": nil, "admin-topic-permission": permission,
		"admin-consume-queue": nil, "admin-group-disabled": nil, "admin-message-track": nil,
		"admin-nameserver-config": nil, "admin-topic-config": nil, "admin-update-offset": nil,
		"admin-write-permission": nil,
		"acl-signature":          signature, "tls": tls, "trace-consume": traceConsume, "request-timeout": requestTimeout,
		"consume-batches": batches, "consume-two-topics": twoTopics, "consume-from-timestamp": fromTimestamp,
		"consume-from-last": fromLast, "consume-suspend": suspend, "consume-orderly-rebalance": rebalanceOrderly,
		"consume-retry-level": retryLevel, "consume-retry-tail": retryTail,
		"consume-dead-letter-at-once": deadLetterAtOnce, "consume-pop": nil,
		"pull-held": pullHeld, "pull-filtered": pullFiltered, "pull-send-back": pullSendBack, "pull-lite-seek": seek,
		"pull-schedule": nil, "heartbeat-v2": nil, "namespace-v2": nil, "send-auto-batch": nil,
		"send-compressed-lz4": nil, "send-compressed-zstd": nil, "send-delay-ms": nil, "send-recall": nil,
		"transaction-check-rollback": checkedRollback, "transaction-unknown": undecided,
	} {
		features[name] = feature
	}
}

// Clients.

func resolver() primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{namesrv})
}

func newProducer(more ...producer.Option) rocketmq.Producer {
	options := append([]producer.Option{
		producer.WithNsResolver(resolver()), producer.WithGroupName(fresh("P")), producer.WithInstanceName(fresh("i")),
		producer.WithSendMsgTimeout(10 * time.Second), producer.WithDefaultTopicQueueNums(queues), producer.WithRetry(2),
	}, more...)
	made := must(rocketmq.NewProducer(options...))
	ok(made.Start())
	return made
}

func newConsumer(group string, more ...consumer.Option) rocketmq.PushConsumer {
	options := append([]consumer.Option{
		consumer.WithNsResolver(resolver()), consumer.WithGroupName(group), consumer.WithInstance(fresh("i")),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, more...)
	return must(rocketmq.NewPushConsumer(options...))
}

// kept is a listener that keeps what it gets.
type kept struct {
	mutex    sync.Mutex
	messages []*primitive.MessageExt
}

func (k *kept) listen(_ context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.messages = append(k.messages, batch...)
	return consumer.ConsumeSuccess, nil
}

func (k *kept) all() []*primitive.MessageExt {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return append([]*primitive.MessageExt{}, k.messages...)
}

func (k *kept) bodies() map[string]bool {
	return bodiesOf(k.all())
}

func bodiesOf(messages []*primitive.MessageExt) map[string]bool {
	found := map[string]bool{}
	for _, one := range messages {
		found[string(one.Body)] = true
	}
	return found
}

func (k *kept) has(wanted map[string]bool) bool {
	got := k.bodies()
	for body := range wanted {
		if !got[body] {
			return false
		}
	}
	return true
}

func sameBodies(wanted, got map[string]bool, what string) {
	check(len(wanted) == len(got), "%s: wanted %d, got %d", what, len(wanted), len(got))
	for body := range wanted {
		check(got[body], "%s: %s is missing", what, body)
	}
}

func everything(expression string) consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.TAG, Expression: expression}
}

func listen(group, topic, tags string, k *kept, more ...consumer.Option) rocketmq.PushConsumer {
	made := newConsumer(group, more...)
	ok(made.Subscribe(topic, everything(tags), k.listen))
	begin(made, topic)
	return made
}

// begin starts a consumer once its topic has a route; before, the client starts with nothing and never again.
func begin(c rocketmq.PushConsumer, topic string) {
	a := must(admin.NewAdmin(admin.WithResolver(resolver())))
	defer a.Close()
	until("a route of "+topic, 45, func() bool {
		found, err := a.FetchPublishMessageQueues(background(), topic)
		return err == nil && len(found) > 0
	})
	ok(c.Start())
}

func message(topic, body string) *primitive.Message {
	return primitive.NewMessage(topic, []byte(body))
}

func send(p rocketmq.Producer, topic, tag string, count int) map[string]bool {
	sent := map[string]bool{}
	for number := 0; number < count; number++ {
		body := fmt.Sprintf("%s-%s-%d", topic, tag, number)
		one := message(topic, body).WithTag(tag).WithKeys([]string{fmt.Sprintf("k%d", number)})
		one.WithProperty("a", fmt.Sprint(number))
		answer := must(p.SendSync(background(), one))
		check(answer.Status == primitive.SendOK, "status %v", answer.Status)
		sent[body] = true
	}
	return sent
}

// drain reads a topic with a group of its own.
func drain(topic string, count int) []*primitive.MessageExt {
	k := &kept{}
	reader := listen(fresh("D"), topic, "*", k)
	defer reader.Shutdown()
	until(fmt.Sprintf("%d messages of %s", count, topic), 45, func() bool { return len(k.all()) >= count })
	return k.all()
}

// Sending.

func sendSync() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	one := message(topic, "hello").WithTag("A").WithKeys([]string{"key"})
	one.Flag = 7
	answer := must(p.SendSync(background(), one))
	check(answer.Status == primitive.SendOK, "status %v", answer.Status)
	got := drain(topic, 1)[0]
	check(string(got.Body) == "hello", "body %s", got.Body)
	check(got.MsgId == answer.MsgID, "unique key %s, %s", got.MsgId, answer.MsgID)
	check(got.QueueOffset == answer.QueueOffset, "offset %d, %d", got.QueueOffset, answer.QueueOffset)
	check(got.GetTags() == "A" && got.Flag == 7, "tag %s, flag %d", got.GetTags(), got.Flag)
}

func sendAsync() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	var waiting sync.WaitGroup
	var failed atomic.Value
	for number := 0; number < 100; number++ {
		waiting.Add(1)
		ok(p.SendAsync(background(), func(_ context.Context, _ *primitive.SendResult, err error) {
			if err != nil {
				failed.Store(err.Error())
			}
			waiting.Done()
		}, message(topic, fmt.Sprintf("m%d", number))))
	}
	waiting.Wait()
	check(failed.Load() == nil, "failed: %v", failed.Load())
	check(len(bodiesOf(drain(topic, 101))) == 101, "messages")
}

func sendOneway() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	for number := 0; number < 20; number++ {
		ok(p.SendOneWay(background(), message(topic, fmt.Sprintf("m%d", number))))
	}
	drain(topic, 21)
}

func sendBatch() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	batch := make([]*primitive.Message, 0, 50)
	for number := 0; number < 50; number++ {
		batch = append(batch, message(topic, fmt.Sprintf("m%d", number)).WithTag("B"))
	}
	answer := must(p.SendSync(background(), batch...))
	var got []*primitive.MessageExt
	for _, one := range drain(topic, 51) {
		if one.GetTags() == "B" {
			got = append(got, one)
		}
	}
	sort.Slice(got, func(i, j int) bool { return got[i].QueueOffset < got[j].QueueOffset })
	for number, one := range got {
		check(string(one.Body) == fmt.Sprintf("m%d", number), "order: %s is %d", one.Body, number)
		check(one.QueueOffset == answer.QueueOffset+int64(number), "dense offsets")
	}
}

func sendToQueue() {
	topic := fresh("T")
	p := newProducer()
	send(p, topic, "make", 1)
	p.Shutdown()
	chosen := newProducer(producer.WithQueueSelector(producer.NewManualQueueSelector()))
	defer chosen.Shutdown()
	for number := 0; number < queues; number++ {
		queue := &primitive.MessageQueue{Topic: topic, BrokerName: "broker-a", QueueId: number}
		answer := sendTo(chosen, queue, fmt.Sprintf("for %d", number))
		check(answer.MessageQueue.QueueId == number, "queue %d", answer.MessageQueue.QueueId)
	}
	for _, one := range drain(topic, 1+queues) {
		wanted := fmt.Sprintf("for %d", one.Queue.QueueId)
		check(string(one.Body) == wanted || one.GetTags() == "make", "%s in %d", one.Body, one.Queue.QueueId)
	}
}

func sendBySelector() {
	topic := fresh("T")
	p := newProducer(producer.WithQueueSelector(producer.NewHashQueueSelector()))
	defer p.Shutdown()
	seen := map[string]int{}
	for number := 0; number < 24; number++ {
		key := fmt.Sprintf("user-%d", number%6)
		answer := must(p.SendSync(background(), message(topic, key).WithShardingKey(key)))
		before, known := seen[key]
		check(!known || before == answer.MessageQueue.QueueId, "a key changed its queue")
		seen[key] = answer.MessageQueue.QueueId
	}
	for _, one := range drain(topic, 24) {
		check(seen[string(one.Body)] == one.Queue.QueueId, "%s in %d", one.Body, one.Queue.QueueId)
	}
}

func noise(size int) []byte {
	body := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(body)
	return body
}

func sendBig() {
	topic := fresh("T")
	p := newProducer(producer.WithCompressMsgBodyOverHowmuch(1 << 30))
	defer p.Shutdown()
	body := noise(bodyMax)
	must(p.SendSync(background(), primitive.NewMessage(topic, body)))
	check(bytes.Equal(body, drain(topic, 1)[0].Body), "body")
}

func sendTooBig() {
	p := newProducer(producer.WithCompressMsgBodyOverHowmuch(1<<30), producer.WithRetry(0))
	defer p.Shutdown()
	_, err := p.SendSync(background(), primitive.NewMessage(fresh("T"), noise(bodyMax+1)))
	check(err != nil, "stored")
	check(strings.Contains(err.Error(), "13") || strings.Contains(err.Error(), "illegal"), "refused otherwise: %v", err)
}

func sendCompressed() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	body := strings.Repeat("all the same ", 5000)
	must(p.SendSync(background(), message(topic, body)))
	got := drain(topic, 1)[0]
	check(string(got.Body) == body, "body")
	check(int(got.StoreSize) < len(body)/10, "stored compressed, not %d B", got.StoreSize)
}

func sendUnicode() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	one := message(topic, "Grüße 你好 😀").WithTag("Größe-标签").WithKeys([]string{"schlüssel-键"})
	one.WithProperty("eigenschaft-属性", "wert-值-😀")
	must(p.SendSync(background(), one))
	got := drain(topic, 1)[0]
	check(string(got.Body) == "Grüße 你好 😀", "body %s", got.Body)
	check(got.GetTags() == "Größe-标签" && got.GetKeys() == "schlüssel-键", "tag %s, key %s", got.GetTags(), got.GetKeys())
	check(got.GetProperty("eigenschaft-属性") == "wert-值-😀", "property")
}

// Consuming.

func consumeConcurrently() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	before := send(p, topic, "A", 20)
	k := &kept{}
	c := listen(fresh("G"), topic, "*", k)
	defer c.Shutdown()
	until("the backlog", 40, func() bool { return k.has(before) })
	sent := time.Now()
	after := send(p, topic, "B", 1)
	until("what comes later", 20, func() bool { return k.has(after) })
	check(time.Since(sent) < 5*time.Second, "a held pull wakes at once")
	check(len(k.all()) == 21, "each once, not %d", len(k.all()))
}

func consumeTags() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	wanted := send(p, topic, "Aa", 5)
	send(p, topic, "BB", 5)
	for body := range send(p, topic, "D", 5) {
		wanted[body] = true
	}
	k := &kept{}
	c := listen(fresh("G"), topic, "Aa || D", k)
	defer c.Shutdown()
	until("tagged messages", 40, func() bool { return len(k.all()) >= 10 })
	time.Sleep(300 * time.Millisecond)
	sameBodies(wanted, k.bodies(), "only the wanted (BB has the hash code of Aa)")
}

func consumeSQL92() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "A", 10)
	k := &kept{}
	c := newConsumer(fresh("G"))
	ok(c.Subscribe(topic, consumer.MessageSelector{Type: consumer.SQL92, Expression: "a > 2 AND a <= 5"}, k.listen))
	begin(c, topic)
	defer c.Shutdown()
	until("selected messages", 40, func() bool { return len(k.all()) >= 3 })
	time.Sleep(500 * time.Millisecond)
	check(len(k.bodies()) == 3, "only the selected, not %v", k.bodies())
}

func refuseSQL92() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "A", 1)
	c := newConsumer(fresh("G"))
	ok(c.Subscribe(topic, consumer.MessageSelector{Type: consumer.SQL92, Expression: "a >> 1 AND"}, (&kept{}).listen))
	defer c.Shutdown()
	// A start that fails for another reason, on a busy machine say, refuses no expression.
	err := c.Start()
	check(err != nil && strings.Contains(strings.ToLower(err.Error()), "expression"), "a broken expression was taken: %v", err)
}

func consumeOrderly() {
	topic := fresh("T")
	p := newProducer(producer.WithQueueSelector(producer.NewHashQueueSelector()))
	defer p.Shutdown()
	for number := 0; number < 60; number++ {
		key := fmt.Sprintf("user-%d", number%6)
		must(p.SendSync(background(), message(topic, fmt.Sprint(number)).WithShardingKey(key)))
	}
	var mutex sync.Mutex
	last, count := map[int]int{}, 0
	var trouble string
	c := newConsumer(fresh("G"), consumer.WithConsumerOrder(true))
	ok(c.Subscribe(topic, everything("*"), func(_ context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		mutex.Lock()
		defer mutex.Unlock()
		for _, one := range batch {
			var number int
			fmt.Sscan(string(one.Body), &number)
			if before, known := last[one.Queue.QueueId]; known && before >= number {
				trouble = fmt.Sprintf("%d after %d in queue %d", number, before, one.Queue.QueueId)
			}
			last[one.Queue.QueueId] = number
			count++
		}
		return consumer.ConsumeSuccess, nil
	}))
	begin(c, topic)
	defer c.Shutdown()
	until("all in order", 60, func() bool { mutex.Lock(); defer mutex.Unlock(); return count >= 60 })
	check(trouble == "", "%s", trouble)
}

func suspendOrderly() {
	topic := fresh("T")
	p := newProducer(producer.WithQueueSelector(producer.NewHashQueueSelector()))
	defer p.Shutdown()
	for number := 0; number < 4; number++ {
		must(p.SendSync(background(), message(topic, fmt.Sprint(number)).WithShardingKey("one")))
	}
	var mutex sync.Mutex
	var seen []string
	failures := 0
	c := newConsumer(fresh("G"), consumer.WithConsumerOrder(true),
		consumer.WithSuspendCurrentQueueTimeMillis(100*time.Millisecond))
	ok(c.Subscribe(topic, everything("*"), func(_ context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		mutex.Lock()
		defer mutex.Unlock()
		body := string(batch[0].Body)
		if body == "2" && failures < 3 {
			failures++
			return consumer.SuspendCurrentQueueAMoment, nil
		}
		seen = append(seen, body)
		return consumer.ConsumeSuccess, nil
	}))
	begin(c, topic)
	defer c.Shutdown()
	until("all after the suspensions", 60, func() bool { mutex.Lock(); defer mutex.Unlock(); return len(seen) >= 4 })
	check(strings.Join(seen, "") == "0123" && failures == 3, "nothing overtakes: %v", seen)
}

// metBefore is a group whose retry topic has a route already: a client that finds none looks again after 20 s or more.
func metBefore() string {
	group := fresh("G")
	a := must(admin.NewAdmin(admin.WithResolver(resolver())))
	defer a.Close()
	ok(a.CreateTopic(background(), admin.WithTopicCreate("%RETRY%"+group), admin.WithBrokerAddrCreate(broker),
		admin.WithReadQueueNums(1), admin.WithWriteQueueNums(1)))
	queuesOf("%RETRY%" + group)
	return group
}

func retry() {
	topic, group := fresh("T"), metBefore()
	p := newProducer()
	defer p.Shutdown()
	sent := must(p.SendSync(background(), message(topic, "again").WithTag("A")))
	var mutex sync.Mutex
	var tries []*primitive.MessageExt
	c := newConsumer(group)
	ok(c.Subscribe(topic, everything("*"), func(_ context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		mutex.Lock()
		defer mutex.Unlock()
		tries = append(tries, batch...)
		if len(tries) < 3 {
			return consumer.ConsumeRetryLater, nil
		}
		return consumer.ConsumeSuccess, nil
	}))
	begin(c, topic)
	defer c.Shutdown()
	until("two retries", 60, func() bool { mutex.Lock(); defer mutex.Unlock(); return len(tries) >= 3 })
	for number, one := range tries {
		check(int(one.ReconsumeTimes) == number, "reconsumeTimes %d", one.ReconsumeTimes)
		check(one.Topic == topic, "topic %s", one.Topic)
		check(one.MsgId == sent.MsgID, "unique key")
	}
}

func failing(group, topic string, more ...consumer.Option) (rocketmq.PushConsumer, *int64) {
	var tries int64
	c := newConsumer(group, append(more, consumer.WithMaxReconsumeTimes(1))...)
	ok(c.Subscribe(topic, everything("*"), func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		atomic.AddInt64(&tries, 1)
		if len(more) > 0 {
			return consumer.SuspendCurrentQueueAMoment, nil
		}
		return consumer.ConsumeRetryLater, nil
	}))
	begin(c, topic)
	return c, &tries
}

func deadLetter() {
	topic, group := fresh("T"), fresh("G")
	p := newProducer()
	defer p.Shutdown()
	must(p.SendSync(background(), message(topic, "poison")))
	c, tries := failing(group, topic)
	defer c.Shutdown()
	until("a retry", 60, func() bool { return atomic.LoadInt64(tries) >= 2 })
	check(string(drain("%DLQ%"+group, 1)[0].Body) == "poison", "dead letter")
	check(atomic.LoadInt64(tries) == 2, "deliveries: %d", *tries)
}

func orderlyDeadLetter() {
	topic, group := fresh("T"), fresh("G")
	p := newProducer()
	defer p.Shutdown()
	must(p.SendSync(background(), message(topic, "poison")))
	c, tries := failing(group, topic, consumer.WithConsumerOrder(true),
		consumer.WithSuspendCurrentQueueTimeMillis(100*time.Millisecond))
	defer c.Shutdown()
	until("two tries", 60, func() bool { return atomic.LoadInt64(tries) >= 2 })
	check(string(drain("%DLQ%"+group, 1)[0].Body) == "poison", "dead letter")
}

func broadcast() {
	topic, group := fresh("T"), fresh("G")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	members := []*kept{{}, {}}
	for _, k := range members {
		c := listen(group, topic, "*", k, consumer.WithConsumerModel(consumer.BroadCasting))
		defer c.Shutdown()
	}
	until("both online", 45, func() bool {
		probe := send(p, topic, fresh("probe"), 8)
		time.Sleep(time.Second)
		return members[0].has(probe) && members[1].has(probe)
	})
	all := send(p, topic, "all", 20)
	until("each member got all", 30, func() bool { return members[0].has(all) && members[1].has(all) })
}

func rebalance() {
	topic, group := fresh("T"), fresh("G")
	p := newProducer()
	defer p.Shutdown()
	all := send(p, topic, "A", 8)
	first, second := &kept{}, &kept{}
	one := listen(group, topic, "*", first)
	until("the first has all", 45, func() bool { return first.has(all) })
	other := listen(group, topic, "*", second)
	defer other.Shutdown()
	until("both get some", 60, func() bool {
		for body := range send(p, topic, fresh("B"), 8) {
			all[body] = true
		}
		time.Sleep(500 * time.Millisecond)
		return len(second.all()) > 0
	})
	ok(one.Shutdown())
	late := send(p, topic, "C", 12)
	until("the second has all queues", 60, func() bool { return second.has(late) })
	got := second.bodies()
	for body := range first.bodies() {
		got[body] = true
	}
	for body := range all {
		check(got[body], "lost: %s", body)
	}
}

func resume() {
	topic, group := fresh("T"), fresh("G")
	p := newProducer()
	defer p.Shutdown()
	early := send(p, topic, "A", 10)
	first, second := &kept{}, &kept{}
	c := listen(group, topic, "*", first)
	until("the first ten", 45, func() bool { return first.has(early) })
	ok(c.Shutdown())
	late := send(p, topic, "B", 10)
	c = listen(group, topic, "*", second)
	defer c.Shutdown()
	until("the other ten", 45, func() bool { return second.has(late) })
	sameBodies(late, second.bodies(), "nothing again after a clean stop")
}

func delay() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	sent := time.Now().UnixMilli()
	must(p.SendSync(background(), message(topic, "later").WithDelayTimeLevel(1)))
	for _, one := range drain(topic, 2) {
		if string(one.Body) == "later" {
			check(one.StoreTimestamp-sent >= 999, "too early: %d ms", one.StoreTimestamp-sent)
			return
		}
	}
	check(false, "not delivered")
}

// Transactions.

type decider struct {
	first, checked primitive.LocalTransactionState
	asked          atomic.Value
	times          atomic.Int64
}

func (d *decider) ExecuteLocalTransaction(*primitive.Message) primitive.LocalTransactionState {
	return d.first
}

func (d *decider) CheckLocalTransaction(one *primitive.MessageExt) primitive.LocalTransactionState {
	d.asked.Store(string(one.Body))
	d.times.Add(1)
	return d.checked
}

func transact(d *decider, delivered bool, checks int64) {
	topic := fresh("T")
	plain := newProducer()
	defer plain.Shutdown()
	must(plain.SendSync(background(), message(topic, "make")))
	p := must(rocketmq.NewTransactionProducer(d, producer.WithNsResolver(resolver()),
		producer.WithGroupName(fresh("P")), producer.WithInstanceName(fresh("i"))))
	ok(p.Start())
	defer p.Shutdown()
	k := &kept{}
	c := listen(fresh("G"), topic, "*", k)
	defer c.Shutdown()
	half := message(topic, "half").WithTag("tag")
	half.WithProperty("p", "v")
	answer := must(p.SendMessageInTransaction(background(), half))
	check(answer.Status == primitive.SendOK, "status %v", answer.Status)
	if d.first == primitive.UnkonwnState {
		until(fmt.Sprintf("%d checks", checks), 60, func() bool { return d.times.Load() >= checks })
		check(d.asked.Load() == "half", "asked about %v", d.asked.Load())
	}
	if delivered {
		until("the committed message", 45, func() bool { return k.bodies()["half"] })
		return
	}
	until("the other message", 45, func() bool { return k.bodies()["make"] })
	time.Sleep(3 * time.Second)
	check(!k.bodies()["half"], "a rolled back message was delivered")
}

func transactionCommit() {
	transact(&decider{first: primitive.CommitMessageState, checked: primitive.UnkonwnState}, true, 0)
}

func transactionRollback() {
	transact(&decider{first: primitive.RollbackMessageState, checked: primitive.UnkonwnState}, false, 0)
}

func transactionCheck() {
	transact(&decider{first: primitive.UnkonwnState, checked: primitive.CommitMessageState}, true, 1)
}

func checkedRollback() {
	transact(&decider{first: primitive.UnkonwnState, checked: primitive.RollbackMessageState}, false, 1)
}

func undecided() {
	transact(&decider{first: primitive.UnkonwnState, checked: primitive.UnkonwnState}, false, 2)
}

// Pulling.

func newPuller() rocketmq.PullConsumer {
	return must(rocketmq.NewPullConsumer(consumer.WithNsResolver(resolver()), consumer.WithGroupName(fresh("G")),
		consumer.WithInstance(fresh("i")), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset)))
}

func queuesOf(topic string) []*primitive.MessageQueue {
	a := must(admin.NewAdmin(admin.WithResolver(resolver())))
	defer a.Close()
	var found []*primitive.MessageQueue
	until("a route of "+topic, 20, func() bool {
		all, err := a.FetchPublishMessageQueues(background(), topic)
		found = all
		return err == nil && len(all) > 0
	})
	return found
}

func pull() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	sent := send(p, topic, "A", 40)
	c := newPuller()
	ok(c.Subscribe(topic, everything("*")))
	ok(c.Start())
	defer c.Shutdown()
	got := map[string]bool{}
	for _, queue := range queuesOf(topic) {
		offset := int64(0)
		for end := int64(1); offset < end; { // at the end of a queue the client has a pull held for 20 s
			answer := must(c.PullFrom(background(), queue, offset, 7))
			check(answer.Status == primitive.PullFound, "status %v", answer.Status)
			end = answer.MaxOffset
			for _, one := range answer.GetMessageExts() {
				got[string(one.Body)] = true
			}
			offset = answer.NextBeginOffset
		}
	}
	sameBodies(sent, got, "all messages")
}

func poll() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	wanted := send(p, topic, "A", 20)
	send(p, topic, "B", 20)
	c := newPuller()
	ok(c.Subscribe(topic, everything("A")))
	ok(c.Start())
	defer c.Shutdown()
	got := map[string]bool{}
	until("all tagged messages", 60, func() bool {
		request, err := c.Poll(background(), time.Second)
		if err != nil {
			return len(got) >= 20
		}
		for body := range bodiesOf(request.GetMsgList()) {
			got[body] = true
		}
		c.ACK(background(), request, consumer.ConsumeSuccess)
		return len(got) >= 20
	})
	sameBodies(wanted, got, "only the tagged")
}

func offsets() {
	topic := fresh("T")
	p := newProducer(producer.WithQueueSelector(producer.NewHashQueueSelector()))
	defer p.Shutdown()
	first := must(p.SendSync(background(), message(topic, "old").WithShardingKey("x")))
	time.Sleep(1100 * time.Millisecond)
	middle := time.Now().UnixMilli() - 300
	must(p.SendSync(background(), message(topic, "new").WithShardingKey("x")))
	c := newPuller()
	ok(c.Subscribe(topic, everything("*")))
	ok(c.Start())
	defer c.Shutdown()
	for _, queue := range queuesOf(topic) {
		if queue.QueueId == first.MessageQueue.QueueId {
			check(must(c.OffsetForTimestamp(queue, middle)) == 1, "by time")
			check(must(c.OffsetForTimestamp(queue, 0)) == 0, "by time, before all")
			ok(c.UpdateOffset(queue, 2))
			check(must(c.CurrentOffset(queue)) == 2, "what was set")
			return
		}
	}
	check(false, "no queue")
}

// Asking.

func replier(topic string) func() {
	answering := newProducer()
	time.Sleep(1500 * time.Millisecond) // the Go client registers its producer one second after its start
	c := newConsumer(fresh("G"), consumer.WithPullInterval(0))
	ok(c.Subscribe(topic, everything("*"), func(_ context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, one := range batch {
			if one.GetProperty(primitive.PropertyMessageReplyToClient) == "" {
				continue
			}
			reply, err := consumer.CreateReplyMessage(one, []byte("re: "+string(one.Body)))
			if err != nil {
				return consumer.ConsumeRetryLater, err
			}
			reply.Body = []byte("re: " + string(one.Body)) // the client takes the body for properties and forgets it
			if _, err = answering.SendSync(background(), reply); err != nil {
				return consumer.ConsumeRetryLater, err
			}
		}
		return consumer.ConsumeSuccess, nil
	}))
	ok(c.Start())
	return func() {
		c.Shutdown()
		answering.Shutdown()
	}
}

func requestReply() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	defer replier(topic)()
	reply := must(p.Request(background(), 40*time.Second, message(topic, "hello?")))
	check(string(reply.Body) == "re: hello?", "reply %s", reply.Body)
}

func requestReplyAsync() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	defer replier(topic)()
	var got atomic.Value
	ok(p.RequestAsync(background(), 40*time.Second, func(_ context.Context, reply *primitive.Message, err error) {
		if err != nil {
			got.Store("failed: " + err.Error())
		} else {
			got.Store(string(reply.Body))
		}
	}, message(topic, "later?")))
	until("the reply", 45, func() bool { return got.Load() != nil })
	check(got.Load() == "re: later?", "reply %v", got.Load())
}

func trace() {
	topic := fresh("T")
	k := &kept{}
	reader := listen(fresh("G"), "RMQ_SYS_TRACE_TOPIC", "*", k)
	defer reader.Shutdown()
	p := newProducer(producer.WithTrace(&primitive.TraceConfig{Access: primitive.Local, Resolver: resolver()}))
	defer p.Shutdown()
	answer := must(p.SendSync(background(), message(topic, "traced")))
	until("its trace", 60, func() bool {
		for _, one := range k.all() {
			if strings.Contains(string(one.Body), answer.MsgID) {
				return true
			}
		}
		return false
	})
}

func vipChannel() {
	topic := fresh("T")
	p := newProducer(producer.WithVIPChannel(true))
	defer p.Shutdown()
	sent := send(p, topic, "A", 5)
	sameBodies(sent, bodiesOf(drain(topic, 5)), "messages")
}

func namespace() {
	space, topic := fresh("NS"), fresh("T")
	p := newProducer(producer.WithNamespace(space))
	defer p.Shutdown()
	must(p.SendSync(background(), message(topic, "inside")))
	k := &kept{}
	c := newConsumer(fresh("G"), consumer.WithNamespace(space))
	ok(c.Subscribe(topic, everything("*"), k.listen))
	begin(c, space+"%"+topic)
	defer c.Shutdown()
	until("it comes", 45, func() bool { return k.bodies()["inside"] })
}

// Administration.

func adminTopic() {
	topic := fresh("T")
	a := must(admin.NewAdmin(admin.WithResolver(resolver())))
	defer a.Close()
	ok(a.CreateTopic(background(), admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
		admin.WithReadQueueNums(3), admin.WithWriteQueueNums(3)))
	check(len(must(a.FetchPublishMessageQueues(background(), topic))) == 3, "at once in the route")
	found := must(a.FetchAllTopicList(background()))
	check(slices.Contains(found.TopicList, topic), "in the list")
	until("deleted", 20, func() bool { // a registration that is under way may bring it back
		ok(a.DeleteTopic(background(), admin.WithTopicDelete(topic), admin.WithBrokerAddrDelete(broker),
			admin.WithNameSrvAddr([]string{namesrv})))
		return !slices.Contains(must(a.FetchAllTopicList(background())).TopicList, topic)
	})
}

func adminGroup() {
	a := must(admin.NewAdmin(admin.WithResolver(resolver())))
	defer a.Close()
	topic, group := fresh("T"), fresh("G")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "A", 1)
	c := listen(group, topic, "*", &kept{})
	defer c.Shutdown()
	until("the group", 20, func() bool {
		all := must(a.GetAllSubscriptionGroup(background(), broker, 5*time.Second))
		_, known := all.SubscriptionGroupTable[group]
		return known
	})
}
