package main

import (
	"fmt"
	"slices"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// numbered sends messages to the first queue of a new topic; the offset of the first.
func numbered(topic string, count int) (rocketmq.Producer, *primitive.MessageQueue, int64) {
	p := toQueues(topic)
	queue := queuesOf(topic)[0]
	first := int64(-1)
	for number := 0; number < count; number++ {
		answer := sendTo(p, queue, fmt.Sprintf("n%d", number))
		if first < 0 {
			first = answer.QueueOffset
		}
	}
	return p, queue, first
}

// polled collects bodies until a last one has come, acknowledging all.
func polled(c rocketmq.PullConsumer, last string) []string {
	var got []string
	until("polled up to "+last, 30, func() bool {
		request, err := c.Poll(background(), time.Second)
		if err != nil {
			return false
		}
		for _, one := range request.GetMsgList() {
			got = append(got, string(one.Body))
		}
		c.ACK(background(), request, consumer.ConsumeSuccess)
		return slices.Contains(got, last)
	})
	return got
}

func assigned(group, topic string, queue *primitive.MessageQueue, offset int64) rocketmq.PullConsumer {
	c := must(rocketmq.NewPullConsumer(consumer.WithNsResolver(resolver()), consumer.WithGroupName(group),
		consumer.WithInstance(fresh("i")), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset)))
	ok(c.Assign(topic, []*primitive.MessageQueue{queue}))
	if offset >= 0 {
		c.SeekOffset(queue, offset)
	}
	ok(c.Start())
	return c
}

func assign() {
	topic, group := fresh("T"), fresh("G")
	p, queue, first := numbered(topic, 10)
	defer p.Shutdown()
	c := assigned(group, topic, queue, first+4)
	got := polled(c, "n9")
	check(slices.Equal(got, []string{"n4", "n5", "n6", "n7", "n8", "n9"}), "in order from the sought offset: %v", got)
	check(must(c.CurrentOffset(queue)) == first+10, "offset %d", must(c.CurrentOffset(queue)))
	ok(c.PersistOffset(background(), topic))
	ok(c.Shutdown())
	sendTo(p, queue, "later")
	c = assigned(group, topic, queue, -1)
	defer c.Shutdown()
	got = polled(c, "later")
	check(slices.Equal(got, []string{"later"}), "from the commit on: %v", got)
}

func seek() {
	topic := fresh("T")
	p, queue, first := numbered(topic, 1)
	defer p.Shutdown()
	time.Sleep(1100 * time.Millisecond)
	middle := time.Now().UnixMilli() - 300
	sendTo(p, queue, "new")
	c := assigned(fresh("G"), topic, queue, first+2)
	defer c.Shutdown()
	until("the offset by time", 10, func() bool { return must(c.OffsetForTimestamp(queue, middle)) == first+1 })
	sendTo(p, queue, "latest")
	got := polled(c, "latest")
	check(slices.Equal(got, []string{"latest"}), "from the end: %v", got)
	c.SeekOffset(queue, first+1)
	sendTo(p, queue, "wake") // ends the pull that is held at the end; the client seeks between two pulls
	got = polled(c, "new")
	got = append(got, polled(c, "wake")...)
	at := slices.Index(got, "new")
	check(slices.Equal(got[at:min(len(got), at+3)], []string{"new", "latest", "wake"}), "from the sought offset: %v", got)
}

func pullHeld() {
	topic := fresh("T")
	p, queue, first := numbered(topic, 1)
	defer p.Shutdown()
	c := newPuller()
	ok(c.Subscribe(topic, everything("*")))
	ok(c.Start())
	defer c.Shutdown()
	type pulled struct {
		result *primitive.PullResult
		err    error
	}
	done := make(chan pulled, 1)
	go func() {
		result, err := c.PullFrom(background(), queue, first+1, 10)
		done <- pulled{result, err}
	}()
	select {
	case one := <-done:
		check(false, "not held: %v %v", one.result, one.err)
	case <-time.After(1500 * time.Millisecond):
	}
	sendTo(p, queue, "now")
	select {
	case one := <-done:
		ok(one.err)
		got := one.result.GetMessageExts()
		check(len(got) == 1 && string(got[0].Body) == "now", "messages %v", got)
	case <-time.After(5 * time.Second):
		check(false, "the send does not wake it")
	}
}

func pullFiltered() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	tagged := send(p, topic, "A", 8)
	send(p, topic, "B", 8)
	drain(topic, 16)
	selected := map[string]bool{topic + "-B-2": true, topic + "-B-3": true}
	for _, one := range []struct {
		selector consumer.MessageSelector
		wanted   map[string]bool
	}{
		{everything("A"), tagged},
		{consumer.MessageSelector{Type: consumer.SQL92, Expression: "TAGS = 'B' AND a BETWEEN 2 AND 3"}, selected},
	} {
		c := newPuller()
		ok(c.Subscribe(topic, one.selector))
		ok(c.Start())
		got := map[string]bool{}
		for _, queue := range queuesOf(topic) {
			answer := must(c.PullFrom(background(), queue, 0, 32))
			for body := range bodiesOf(answer.GetMessageExts()) {
				got[body] = true
			}
		}
		ok(c.Shutdown())
		sameBodies(one.wanted, got, one.selector.Expression)
	}
}

func pullSendBack() {
	topic, group := fresh("T"), fresh("G")
	p := newProducer()
	defer p.Shutdown()
	sent := must(p.SendSync(background(), message(topic, "not now").WithTag("A")))
	c := must(rocketmq.NewPullConsumer(consumer.WithNsResolver(resolver()), consumer.WithGroupName(group),
		consumer.WithInstance(fresh("i")), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithMaxReconsumeTimes(16))) // unset it is 0 for this consumer: dead letter at once
	ok(c.Subscribe(topic, everything("*")))
	queuesOf(topic) // the client starts only if there is a route
	ok(c.Start())
	defer c.Shutdown()
	var request *consumer.ConsumeRequest
	until("the message", 45, func() bool {
		got, err := c.Poll(background(), time.Second)
		request = got
		return err == nil
	})
	c.ACK(background(), request, consumer.ConsumeRetryLater)
	back := drain("%RETRY%"+group, 1)[0]
	check(string(back.Body) == "not now" && back.MsgId == sent.MsgID, "body %s", back.Body)
	check(back.ReconsumeTimes == 1, "reconsumeTimes %d", back.ReconsumeTimes)
	check(back.GetProperty(primitive.PropertyRetryTopic) == topic, "where it came from")
}
