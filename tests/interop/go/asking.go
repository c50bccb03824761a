package main

import (
	"strings"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// signature has both sides sign what they say, to a broker that asks for no signature.
func signature() {
	topic := fresh("T")
	who := primitive.Credentials{AccessKey: "user", SecretKey: "12345678"}
	p := newProducer(producer.WithCredentials(who))
	defer p.Shutdown()
	sent := send(p, topic, "A", 1)
	k := &kept{}
	c := listen(fresh("G"), topic, "*", k, consumer.WithCredentials(who))
	defer c.Shutdown()
	until("it comes", 45, func() bool { return k.has(sent) })
}

func tls() {
	topic := fresh("T")
	p := newProducer(producer.WithTls(true), producer.WithRetry(0), producer.WithSendMsgTimeout(3*time.Second))
	defer p.Shutdown()
	must(p.SendSync(background(), message(topic, "secret")))
	check(string(drain(topic, 1)[0].Body) == "secret", "message")
}

func traceConsume() {
	topic := fresh("T")
	traces := &kept{}
	reader := listen(fresh("G"), "RMQ_SYS_TRACE_TOPIC", "*", traces)
	defer reader.Shutdown()
	p := newProducer()
	defer p.Shutdown()
	sent := must(p.SendSync(background(), message(topic, "traced")))
	k := &kept{}
	c := listen(fresh("G"), topic, "*", k,
		consumer.WithTrace(&primitive.TraceConfig{Access: primitive.Local, Resolver: resolver()}))
	defer c.Shutdown()
	until("it comes", 45, func() bool { return k.bodies()["traced"] })
	for _, step := range []string{"SubBefore", "SubAfter"} {
		until(step, 30, func() bool {
			for body := range traces.bodies() {
				if strings.Contains(body, step) && strings.Contains(body, sent.MsgID) {
					return true
				}
			}
			return false
		})
	}
}

func requestTimeout() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	began := time.Now()
	reply, err := p.Request(background(), 1500*time.Millisecond, message(topic, "anybody?"))
	check(err != nil, "a reply %v", reply)
	check(strings.Contains(err.Error(), "timeout"), "failed otherwise: %v", err)
	check(time.Since(began) >= 1400*time.Millisecond, "gave up after %v", time.Since(began))
	check(bodiesOf(drain(topic, 2))["anybody?"], "the request was stored")
}

// permission: a producer looks for queues that may be written, a consumer for those that may be read.
func permission() {
	topic := fresh("T")
	a := must(admin.NewAdmin(admin.WithResolver(resolver())))
	defer a.Close()
	allow := func(perm int) {
		ok(a.CreateTopic(background(), admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
			admin.WithReadQueueNums(2), admin.WithWriteQueueNums(2), admin.WithPerm(perm)))
	}
	allow(6)
	p := newProducer()
	sent := send(p, topic, "A", 1)
	ok(p.Shutdown())
	allow(4)
	sameBodies(sent, reread(topic), "still to be read")
	other := newProducer(producer.WithRetry(0))
	_, err := other.SendSync(background(), message(topic, "B"))
	ok(other.Shutdown())
	check(err != nil, "stored")
	allow(2)
	c := newPuller()
	defer c.Shutdown()
	ok(c.Subscribe(topic, everything("*")))
	if err := c.Start(); err != nil {
		check(strings.Contains(err.Error(), "route"), "refused otherwise: %v", err)
		return
	}
	_, err = c.PullFrom(background(), &primitive.MessageQueue{Topic: topic, BrokerName: "broker-a"}, 0, 1)
	check(err != nil && strings.Contains(err.Error(), "16"), "read: %v", err)
}

// reread gives what a topic that has only queues to be read holds.
func reread(topic string) map[string]bool {
	k := &kept{}
	var c rocketmq.PushConsumer
	until("a start, for which the topic needs a route", 20, func() bool {
		c = newConsumer(fresh("G"))
		ok(c.Subscribe(topic, everything("*"), k.listen))
		return c.Start() == nil
	})
	defer c.Shutdown()
	until("a message of "+topic, 45, func() bool { return len(k.all()) > 0 })
	return k.bodies()
}

func clusterOf() {
	topic := fresh("T")
	p := newProducer()
	defer p.Shutdown()
	send(p, topic, "make", 1)
	a := must(admin.NewAdmin(admin.WithResolver(resolver())))
	defer a.Close()
	until("the topic's cluster", 20, func() bool {
		found, err := a.FetchClusterList(topic)
		return err == nil && len(found) == 1 && found[0] == "DefaultCluster"
	})
}
