package model

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The answers of a broker that the model gives.
const (
	codeOutOfRange  = 1
	codeUnknown     = 3
	codeTooLarge    = 10
	codeIllegal     = 22
	codeRebalance   = 27
	codeForbidden   = 29
	codePolicy      = 44
	brokerHost      = "127.0.0.1"
	brokerPort      = 9092
	noOffset        = -1
	timestampLatest = -1
)

// kafka is a log and a coordinator behind Kafka's protocol: as much of a broker
// as the services ask of one, and nothing that costs time.
type kafka struct {
	world *world

	mu     sync.Mutex
	topics map[string][]*partition
	groups map[string]*group
	// unwanted are records that are refused, and until when; refused are places
	// whose outcome was, alone.
	unwanted map[string]time.Time
	refused  map[string]bool
}

// partition is a log of batches as they were produced.
type partition struct {
	batches []batch
	next    int64
	grown   chan struct{}
	late    []*late
}

type batch struct {
	last int64
	data []byte
}

func newKafka(w *world, topics map[string]int) *kafka {
	k := &kafka{world: w, topics: map[string][]*partition{}, groups: map[string]*group{}, unwanted: map[string]time.Time{}, refused: map[string]bool{}}
	for name, n := range topics {
		for range n {
			k.topics[name] = append(k.topics[name], &partition{grown: make(chan struct{})})
		}
	}
	return k
}

// serve answers what comes on a connection of the actor's.
func (k *kafka) serve(a *actor, c net.Conn) {
	defer c.Close() //nolint:errcheck // a pipe
	var head [4]byte
	for {
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(body)))
		req.SetVersion(int16(binary.BigEndian.Uint16(body[2:])))
		skip := 10 + max(int(int16(binary.BigEndian.Uint16(body[8:]))), 0)
		if err := req.ReadFrom(body[skip:]); err != nil {
			panic(err) // a client library that cannot write its own protocol
		}
		resp := k.answer(a, req)
		if resp == nil {
			return
		}
		resp.SetVersion(req.GetVersion())
		out := append(make([]byte, 4, 256), body[4:8]...)
		out = resp.AppendTo(out)
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// answer does what is asked; nil ends the connection without an answer.
func (k *kafka) answer(a *actor, req kmsg.Request) kmsg.Response {
	if produce, ok := req.(*kmsg.ProduceRequest); ok {
		k.world.shutOut(a, produce.Topics[0].Topic)
	}
	if !atOnce[kmsg.Key(req.Key())] && !a.reach("kafka", kmsg.NameForKey(req.Key())) {
		return nil
	}
	switch req := req.(type) {
	case *kmsg.ProduceRequest:
		return k.produce(a, req)
	case *kmsg.FetchRequest:
		return k.fetch(a, req)
	case *kmsg.ApiVersionsRequest:
		return versions(req)
	case *kmsg.MetadataRequest:
		return k.metadata(req)
	case *kmsg.ListOffsetsRequest:
		return k.listOffsets(req)
	case *kmsg.ListGroupsRequest:
		return req.ResponseKind() // recipients here read without a group
	case *kmsg.DescribeConfigsRequest:
		return describe(req)
	}
	return k.coordinate(a, req)
}

// atOnce are answered in no time: members of a group send them on one connection
// that they share under a mutex, and time stands still while anybody waits for one.
var atOnce = map[kmsg.Key]bool{
	kmsg.ApiVersions: true, kmsg.Metadata: true, kmsg.FindCoordinator: true, kmsg.JoinGroup: true, kmsg.SyncGroup: true,
	kmsg.Heartbeat: true, kmsg.LeaveGroup: true,
}

// supported are the newest versions that the model speaks: the last before the
// flexible ones.
var supported = map[kmsg.Key]int16{
	kmsg.Produce: 7, kmsg.Fetch: 11, kmsg.ListOffsets: 5, kmsg.Metadata: 8, kmsg.OffsetCommit: 7, kmsg.OffsetFetch: 5,
	kmsg.ListGroups: 2, kmsg.DescribeConfigs: 2, kmsg.FindCoordinator: 2, kmsg.JoinGroup: 5, kmsg.Heartbeat: 3, kmsg.LeaveGroup: 3, kmsg.SyncGroup: 3, kmsg.ApiVersions: 2,
}

func versions(req *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	for key, newest := range supported {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MaxVersion = key.Int16(), newest
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	return resp
}

// describe tells that every topic keeps what it has.
func describe(req *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for _, asked := range req.Resources {
		r := kmsg.NewDescribeConfigsResponseResource()
		r.ResourceType, r.ResourceName = asked.ResourceType, asked.ResourceName
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value = "retention.ms", new("-1")
		r.Configs = append(r.Configs, c)
		resp.Resources = append(resp.Resources, r)
	}
	return resp
}

func (k *kafka) metadata(req *kmsg.MetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = 1, brokerHost, brokerPort
	resp.Brokers, resp.ControllerID = append(resp.Brokers, b), 1
	var names []string
	for _, t := range req.Topics {
		names = append(names, *t.Topic)
	}
	if req.Topics == nil {
		for name := range k.topics {
			names = append(names, name)
		}
	}
	for _, name := range names {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic = &name
		if k.topics[name] == nil {
			t.ErrorCode = codeUnknown
		}
		for i := range k.topics[name] {
			p := kmsg.NewMetadataResponseTopicPartition()
			p.Partition, p.Leader, p.Replicas, p.ISR = int32(i), 1, []int32{1}, []int32{1}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (k *kafka) listOffsets(req *kmsg.ListOffsetsRequest) kmsg.Response {
	k.mu.Lock()
	defer k.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, asked := range req.Topics {
		t := kmsg.NewListOffsetsResponseTopic()
		t.Topic = asked.Topic
		for _, part := range asked.Partitions {
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition, p.Timestamp, p.Offset = part.Partition, noOffset, 0
			if part.Timestamp == timestampLatest {
				p.Offset = k.topics[asked.Topic][part.Partition].next
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// produce appends a batch, or lets it go wrong as the schedule has it.
func (k *kafka) produce(a *actor, req *kmsg.ProduceRequest) kmsg.Response {
	topic, part := req.Topics[0].Topic, req.Topics[0].Partitions[0]
	data := bytes.Clone(part.Records)
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	t := kmsg.NewProduceResponseTopic()
	t.Topic = topic
	p := kmsg.NewProduceResponseTopicPartition()
	p.Partition, p.LogAppendTime, p.LogStartOffset = part.Partition, noOffset, 0
	fate := a.produceFate(topic, data)
	if fate == fateWritten || fate == fateLost {
		if base, ok := k.append(topic, part.Partition, data); ok {
			p.BaseOffset = base
		} else {
			fate = fateRefused
		}
	}
	a.tell("produce", "%s %s/%d: %s", summary(data), topic, part.Partition, fate)
	if fate != fateWritten {
		a.crash()
	}
	switch fate {
	case fateForbidden:
		p.ErrorCode = codeForbidden
	case fateRefused:
		p.ErrorCode = codeTooLarge
		if topic == topicSubmitted {
			p.ErrorCode = codePolicy // the gateway hands it in again as it is
		}
	case fateLost, fateDropped:
		return nil
	case fateLate:
		k.delay(a, topic, part.Partition, data)
		if a.chance(2) {
			return nil
		}
		a.wait(11 * time.Second) // longer than the client's patience
		return nil
	default:
		a.tell("append", "%s/%d at %d", topic, part.Partition, p.BaseOffset)
	}
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	return resp
}

// append is what a broker does with a batch that has arrived; not ok when it does
// not want it.
func (k *kafka) append(topic string, part int32, data []byte) (base int64, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.topics[topic][part]
	p.late = slices.DeleteFunc(p.late, func(l *late) bool {
		l.passes--
		if l.passes == 0 {
			l.arrive(k, p)
		}
		return l.passes == 0
	})
	if k.refuses(topic, data) {
		return 0, false
	}
	return p.add(data), true
}

func (p *partition) add(data []byte) (base int64) {
	base = p.next
	binary.BigEndian.PutUint64(data, uint64(base))
	p.next += int64(binary.BigEndian.Uint32(data[23:])) + 1
	p.batches = append(p.batches, batch{p.next - 1, data})
	close(p.grown)
	p.grown = make(chan struct{})
	return base
}

// late is a batch under way. It arrives right before a later one, where it does the
// most harm, or else when its time has come.
type late struct {
	actor  *actor
	topic  string
	data   []byte
	passes int // it arrives before the batch that makes it 0
}

func (k *kafka) delay(a *actor, topic string, part int32, data []byte) {
	l := &late{a, topic, data, a.draw(4)}
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.topics[topic][part]
	p.late = append(p.late, l)
	k.world.later(a.between(50*time.Millisecond, 15*time.Second), func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if i := slices.Index(p.late, l); i >= 0 {
			p.late = slices.Delete(p.late, i, i+1)
			l.arrive(k, p)
		}
	})
}

func (l *late) arrive(k *kafka, p *partition) {
	if k.refuses(l.topic, l.data) {
		l.actor.tell("arrive", "%s: late, and is refused", summary(l.data))
		return
	}
	base := p.add(l.data)
	l.actor.tell("arrive", "%s: late, at %d", summary(l.data), base)
}

func (k *kafka) fetch(a *actor, req *kmsg.FetchRequest) kmsg.Response {
	topic, asked := req.Topics[0].Topic, req.Topics[0].Partitions[0]
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	t := kmsg.NewFetchResponseTopic()
	t.Topic = topic
	patience := time.After(time.Duration(req.MaxWaitMillis) * time.Millisecond)
	for {
		k.mu.Lock()
		from := k.topics[topic][asked.Partition]
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = asked.Partition, from.next, from.next, 0
		if asked.FetchOffset > from.next {
			p.ErrorCode = codeOutOfRange
		}
		for _, b := range from.batches {
			if b.last >= asked.FetchOffset {
				p.RecordBatches = append(p.RecordBatches, b.data...)
			}
		}
		grown := from.grown
		k.mu.Unlock()
		if p.ErrorCode == 0 && len(p.RecordBatches) == 0 {
			select {
			case <-grown:
				continue
			case <-a.died:
				return nil
			case <-patience:
			}
		}
		t.Partitions = append(t.Partitions, p)
		resp.Topics = append(resp.Topics, t)
		return resp
	}
}
