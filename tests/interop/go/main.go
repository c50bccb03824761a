// Runs named features of the official Go client against a NameServer; one JSON line for each: did it work, why not.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

const featureSecondsMax = 150

var (
	namesrv  string
	broker   string
	counter  int64
	features = map[string]func(){}
)

type result struct {
	Feature string `json:"feature"`
	Works   bool   `json:"works"`
	Reason  string `json:"reason"`
	Ms      int64  `json:"ms"`
}

// fresh gives a name that nothing else in this run has.
func fresh(prefix string) string {
	return fmt.Sprintf("%s_%d_%d", prefix, os.Getpid(), atomic.AddInt64(&counter, 1))
}

func check(held bool, format string, values ...any) {
	if !held {
		panic(fmt.Sprintf(format, values...))
	}
}

func ok(err error) {
	if err != nil {
		panic(err.Error())
	}
}

func must[T any](value T, err error) T {
	ok(err)
	return value
}

// until waits for something to hold.
func until(what string, seconds int, holds func() bool) {
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for !holds() {
		check(time.Now().Before(end), "not within %d s: %s", seconds, what)
		time.Sleep(20 * time.Millisecond)
	}
}

func background() context.Context {
	return context.Background()
}

func run(name string) (found result) {
	began := time.Now()
	done := make(chan string, 1)
	go func() {
		defer func() {
			if trouble := recover(); trouble != nil {
				done <- fmt.Sprint(trouble)
			} else {
				done <- ""
			}
		}()
		feature, known := features[name]
		check(known, "no such feature")
		check(feature != nil, "the client has no such call")
		feature()
	}()
	reason := fmt.Sprintf("did not end within %d s", featureSecondsMax)
	select {
	case reason = <-done:
	case <-time.After(featureSecondsMax * time.Second):
	}
	if len(reason) > 300 {
		reason = reason[:300]
	}
	return result{name, reason == "", reason, time.Since(began).Milliseconds()}
}

// Arguments: NameServer, broker's address, features at once, then names of features (none: all; "list" prints them).
func main() {
	rlog.SetLogLevel("fatal")
	namesrv, broker = os.Args[1], os.Args[2]
	atOnce := must(strconv.Atoi(os.Args[3]))
	register()
	names := os.Args[4:]
	if len(names) == 0 || names[0] == "list" {
		all := make([]string, 0, len(features))
		for name := range features {
			all = append(all, name)
		}
		sort.Strings(all)
		if len(names) > 0 {
			for _, name := range all {
				fmt.Println(name)
			}
			return
		}
		names = all
	}
	places := make(chan struct{}, atOnce)
	var printing sync.Mutex
	var waiting sync.WaitGroup
	for _, name := range names {
		waiting.Add(1)
		places <- struct{}{}
		go func(name string) {
			defer waiting.Done()
			line := must(json.Marshal(run(name)))
			printing.Lock()
			fmt.Println(string(line))
			printing.Unlock()
			<-places
		}(name)
	}
	waiting.Wait()
}
