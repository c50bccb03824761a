package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

type listener = func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

// listenWith is listen with a function of one's own.
func listenWith(group, topic string, f listener, more ...consumer.Option) rocketmq.PushConsumer {
	c := newConsumer(group, more...)
	ok(c.Subscribe(topic, everything("*"), f))
	begin(c, topic)
	return c
}

// toQueues is a producer whose messages name their queue; the topic is there.
func toQueues(topic string) rocketmq.Producer {
	p := newProducer()
	send(p, topic, "make", 1)
	p.Shutdown()
	return newProducer(producer.WithQueueSelector(producer.NewManualQueueSelector()))
}

func sendTo(p rocketmq.Producer, queue *primitive.MessageQueue, body string) *primitive.SendResult {
	one := message(queue.Topic, body)
	one.Queue = queue
	answer := must(p.SendSync(background(), one))
	check(answer.Status == primitive.SendOK, "status %v", answer.Status)
	return answer
}

func batches() {
	topic := fresh("T")
	p := toQueues(topic)
	defer p.Shutdown()
	queue := queuesOf(topic)[0]
	for number := 0; number < 32; number++ {
		sendTo(p, queue, fmt.Sprintf("m%d", number))
	}
	k := &kept{}
	var mutex sync.Mutex
	largest := 0
	c := listenWith(fresh("G"), topic, func(ctx context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		mutex.Lock()
		largest = max(largest, len(batch))
		mutex.Unlock()
		return k.listen(ctx, batch...)
	}, consumer.WithConsumeMessageBatchMaxSize(8))
	defer c.Shutdown()
	until("all", 45, func() bool { return len(k.bodies()) >= 33 })
	check(len(k.all()) == 33, "each once, not %d", len(k.all()))
	mutex.Lock()
	defer mutex.Unlock()
	check(largest == 8, "largest batch %d", largest)
}

func twoTopics() {
	one, other := fresh("T"), fresh("T")
	p := newProducer()
	defer p.Shutdown()
	wanted := send(p, one, "A", 5)
	more := func(count int) map[string]bool {
		sent := send(p, other, fresh("B"), 0)
		for number := 0; number < count; number++ {
			body := fresh("b")
			must(p.SendSync(background(), message(other, body).WithTag("B")))
			sent[body], wanted[body] = true, true
		}
		return sent
	}
	more(5)
	send(p, other, "C", 5)
	first, second := &kept{}, &kept{}
	c := newConsumer(fresh("G"))
	ok(c.Subscribe(one, everything("*"), first.listen))
	ok(c.Subscribe(other, everything("B"), second.listen))
	begin(c, other)
	defer c.Shutdown()
	until("messages of both topics", 45, func() bool { return len(first.all()) >= 5 && len(second.all()) >= 5 })
	late := more(6)
	until("later ones", 20, func() bool { return second.has(late) })
	got := second.bodies()
	for body := range first.bodies() {
		got[body] = true
	}
	sameBodies(wanted, got, "each topic by its own tags")
}

// Where a group begins shows in broadcasting only: of a young queue a broker says that every group has offset 0.
func beginsAt(topic string, k *kept, more ...consumer.Option) rocketmq.PushConsumer {
	return listen(fresh("G"), topic, "*", k, append(more, consumer.WithConsumerModel(consumer.BroadCasting))...)
}

func fromTimestamp() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "old", 8)
	time.Sleep(4200 * time.Millisecond) // 4.9 finds the nearest message, and the option has whole seconds
	when := time.Now().Add(-time.Second).UTC().Format("20060102150405")
	wanted := send(p, topic, "new", 8)
	k := &kept{}
	c := beginsAt(topic, k, consumer.WithConsumeFromWhere(consumer.ConsumeFromTimestamp), consumer.WithConsumeTimestamp(when))
	defer c.Shutdown()
	until("what is newer", 45, func() bool { return k.has(wanted) })
	for body := range send(p, topic, "later", 8) {
		wanted[body] = true
	}
	until("what comes later", 20, func() bool { return k.has(wanted) })
	sameBodies(wanted, k.bodies(), "nothing older")
}

func fromLast() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	old := send(p, topic, "old", 8)
	drain(topic, len(old)) // all are in their queues
	k := &kept{}
	c := beginsAt(topic, k, consumer.WithConsumeFromWhere(consumer.ConsumeFromLastOffset))
	defer c.Shutdown()
	until("all of what comes now", 45, func() bool {
		now := send(p, topic, fresh("now"), 8)
		time.Sleep(300 * time.Millisecond)
		return k.has(now)
	})
	for body := range k.bodies() {
		check(!old[body], "from before: %s", body)
	}
}

// suspend lets pulls that are held end with a message each; after that nothing comes until the consumer is resumed.
func suspend() {
	topic := fresh("T")
	p := toQueues(topic)
	defer p.Shutdown()
	all := queuesOf(topic)
	round := func(prefix string) map[string]bool {
		sent := map[string]bool{}
		for _, queue := range all {
			body := fmt.Sprintf("%s-%d", prefix, queue.QueueId)
			sendTo(p, queue, body)
			sent[body] = true
		}
		return sent
	}
	k := &kept{}
	before := round("before")
	c := listen(fresh("G"), topic, "*", k)
	defer c.Shutdown()
	until("the first round", 45, func() bool { return k.has(before) })
	time.Sleep(300 * time.Millisecond) // by now a pull of each queue is held
	c.Suspend()
	held := round("held")
	until("the pulls that were held", 20, func() bool { return k.has(held) })
	late := round("late")
	time.Sleep(2 * time.Second) // what would come, would come at once
	for body := range late {
		check(!k.bodies()[body], "%s came to a suspended consumer", body)
	}
	c.Resume()
	until("the last round", 45, func() bool { return k.has(late) })
	check(len(k.bodies()) == 1+3*len(all), "all, not %d", len(k.bodies()))
}

func rebalanceOrderly() {
	topic, group := fresh("T"), fresh("G")
	p := toQueues(topic)
	defer p.Shutdown()
	all := queuesOf(topic)
	var mutex sync.Mutex
	seen, members, next := map[int][]int{}, map[string]bool{}, 0
	member := func(name string) rocketmq.PushConsumer {
		return listenWith(group, topic, func(_ context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			mutex.Lock()
			defer mutex.Unlock()
			members[name] = true
			for _, one := range batch {
				number := -1
				fmt.Sscan(string(one.Body), &number)
				if !slices.Contains(seen[one.Queue.QueueId], number) { // a new holder may begin behind the last commit
					seen[one.Queue.QueueId] = append(seen[one.Queue.QueueId], number)
				}
			}
			return consumer.ConsumeSuccess, nil
		}, consumer.WithConsumerOrder(true), consumer.WithRebalanceLockInterval(time.Second))
	}
	more := func() bool {
		for _, queue := range all {
			sendTo(p, queue, fmt.Sprint(next))
			next++
		}
		mutex.Lock()
		defer mutex.Unlock()
		return len(members) == 2
	}
	more()
	first := member("first")
	until("one has all queues", 45, func() bool { mutex.Lock(); defer mutex.Unlock(); return len(seen) == queues })
	second := member("second")
	defer second.Shutdown()
	// The client gives no lock back in a rebalance: it ends after 60 s, and the next rebalance may be 20 s later.
	until("both take part", 100, func() bool { time.Sleep(500 * time.Millisecond); return more() })
	ok(first.Shutdown())
	more()
	until("the other has all", 70, func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		count := 0
		for _, numbers := range seen {
			count += len(numbers)
		}
		return count == next+1
	})
	mutex.Lock()
	defer mutex.Unlock()
	for queue, numbers := range seen {
		check(slices.IsSorted(numbers), "order of queue %d: %v", queue, numbers)
	}
}

// Retries.

func retryLevel() {
	topic, group := fresh("T"), metBefore()
	p := newProducer()
	defer p.Shutdown()
	must(p.SendSync(background(), message(topic, "later")))
	var first, second atomic.Int64
	c := listenWith(group, topic, func(ctx context.Context, _ ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		now := time.Now().UnixMilli()
		if !first.CompareAndSwap(0, now) {
			second.Store(now)
			return consumer.ConsumeSuccess, nil
		}
		wishes, _ := primitive.GetConcurrentlyCtx(ctx)
		wishes.DelayLevelWhenNextConsume = 6
		return consumer.ConsumeRetryLater, nil
	})
	defer c.Shutdown()
	until("a retry", 60, func() bool { return second.Load() != 0 })
	waited := second.Load() - first.Load()
	check(waited >= 1950, "level 6 is 2 s, not %d ms", waited)
}

func retryTail() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	batch := make([]*primitive.Message, 0, 4)
	for number := 0; number < 4; number++ {
		batch = append(batch, message(topic, fmt.Sprintf("m%d", number)))
	}
	must(p.SendSync(background(), batch...))
	k := &kept{}
	c := listenWith(fresh("G"), topic, func(ctx context.Context, got ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		if len(got) == 4 {
			wishes, _ := primitive.GetConcurrentlyCtx(ctx)
			wishes.AckIndex = 1
		}
		return k.listen(ctx, got...)
	}, consumer.WithConsumeMessageBatchMaxSize(4))
	defer c.Shutdown()
	until("the tail again", 15, func() bool { return len(k.all()) >= 7 })
	for _, one := range k.all() {
		check(one.ReconsumeTimes == 0 || strings.Contains("m2m3", string(one.Body)), "%s again", one.Body)
	}
}

func deadLetterAtOnce() {
	topic, group := fresh("T"), fresh("G")
	p := newProducer()
	defer p.Shutdown()
	sent := must(p.SendSync(background(), message(topic, "poison").WithTag("A")))
	var tries atomic.Int64
	c := listenWith(group, topic, func(ctx context.Context, _ ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		tries.Add(1)
		wishes, _ := primitive.GetConcurrentlyCtx(ctx)
		wishes.DelayLevelWhenNextConsume = -1
		return consumer.ConsumeRetryLater, nil
	})
	defer c.Shutdown()
	dead := drain("%DLQ%"+group, 1)[0]
	check(string(dead.Body) == "poison" && dead.MsgId == sent.MsgID, "dead letter %s", dead.Body)
	check(dead.GetProperty(primitive.PropertyRetryTopic) == topic, "where it came from")
	check(tries.Load() == 1, "deliveries: %d", tries.Load())
}
