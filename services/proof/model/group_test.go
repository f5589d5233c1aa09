package model

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// group is a consumer group whose partitions all belong to one member. Whom, the
// schedule says; and how long a member that has lost them goes on in ignorance, as
// one does that was paused for longer than its session, or was cut off.
type group struct {
	generation int32
	owner      *actor
	// heir is the member that is to have the partitions next.
	heir *actor
	// toldAt is when one that has lost them hears of it.
	toldAt  map[*actor]time.Time
	joined  map[*actor]int32
	commits map[string]map[int32]kmsg.OffsetCommitRequestTopicPartition
}

func (k *kafka) group(name string) *group {
	g := k.groups[name]
	if g == nil {
		g = &group{toldAt: map[*actor]time.Time{}, joined: map[*actor]int32{}, commits: map[string]map[int32]kmsg.OffsetCommitRequestTopicPartition{}}
		k.groups[name] = g
	}
	return g
}

// usurp gives the partitions to another member, and leaves the old one in
// ignorance for a while.
func (k *kafka) usurp(name string, heir *actor, ignorance time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.group(name)
	if g.owner == heir {
		return
	}
	if g.owner != nil {
		g.toldAt[g.owner] = time.Now().Add(ignorance)
	}
	g.owner, g.heir = nil, heir
}

// vacate takes a member out that has died.
func (k *kafka) vacate(a *actor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range k.groups {
		if g.owner == a {
			g.owner = nil
		}
		if g.heir == a {
			g.heir = nil
		}
	}
}

// mayOwn says whether the member gets the partitions when it joins.
func (g *group) mayOwn(a *actor) bool {
	return g.owner == a || g.owner == nil && (g.heir == nil || g.heir == a)
}

func (k *kafka) coordinate(a *actor, req kmsg.Request) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.FindCoordinatorRequest:
		resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
		resp.NodeID, resp.Host, resp.Port = 1, brokerHost, brokerPort
		return resp
	case *kmsg.JoinGroupRequest:
		return k.join(a, req)
	case *kmsg.SyncGroupRequest:
		return k.sync(a, req)
	case *kmsg.HeartbeatRequest:
		return k.heartbeat(a, req)
	case *kmsg.LeaveGroupRequest:
		k.vacate(a)
		return req.ResponseKind()
	case *kmsg.OffsetCommitRequest:
		return k.commit(a, req)
	case *kmsg.OffsetFetchRequest:
		return k.offsets(req)
	}
	panic("the model speaks no " + kmsg.NameForKey(req.Key()))
}

func (k *kafka) join(a *actor, req *kmsg.JoinGroupRequest) kmsg.Response {
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.group(req.Group)
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	if g.mayOwn(a) {
		g.generation++
		g.owner, g.heir = a, nil
		a.tell("own", "all of %s, generation %d", req.Group, g.generation)
	}
	g.joined[a] = g.generation
	delete(g.toldAt, a)
	resp.Generation, resp.Protocol, resp.LeaderID, resp.MemberID = g.generation, &req.Protocols[0].Name, a.name, a.name
	m := kmsg.NewJoinGroupResponseMember()
	m.MemberID, m.ProtocolMetadata = a.name, req.Protocols[0].Metadata
	resp.Members = append(resp.Members, m)
	return resp
}

func (k *kafka) sync(a *actor, req *kmsg.SyncGroupRequest) kmsg.Response {
	k.mu.Lock()
	defer k.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	nothing := kmsg.NewConsumerMemberAssignment()
	resp.MemberAssignment = nothing.AppendTo(nil)
	g := k.group(req.Group)
	switch {
	case g.joined[a] != req.Generation:
		resp.ErrorCode = codeIllegal
	case g.owner == a:
		resp.MemberAssignment = req.GroupAssignment[0].MemberAssignment
	}
	return resp
}

// heartbeat tells a member where it stands, unless it is to go on in ignorance.
func (k *kafka) heartbeat(a *actor, req *kmsg.HeartbeatRequest) kmsg.Response {
	k.mu.Lock()
	defer k.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	g := k.group(req.Group)
	toldAt, lost := g.toldAt[a]
	switch {
	case g.owner == a && g.joined[a] == g.generation:
	case lost && time.Now().Before(toldAt):
	case lost:
		resp.ErrorCode = codeIllegal
	case g.mayOwn(a):
		resp.ErrorCode = codeRebalance
	}
	return resp
}

// commit is fenced, as a broker's: only the owner of the newest generation may.
func (k *kafka) commit(a *actor, req *kmsg.OffsetCommitRequest) kmsg.Response {
	if a.commitLost() {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.group(req.Group)
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, topic := range req.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic = topic.Topic
		for _, part := range topic.Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition = part.Partition
			if g.owner != a || req.Generation != g.generation {
				p.ErrorCode = codeIllegal
			} else {
				if g.commits[topic.Topic] == nil {
					g.commits[topic.Topic] = map[int32]kmsg.OffsetCommitRequestTopicPartition{}
				}
				g.commits[topic.Topic][part.Partition] = part
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

func (k *kafka) offsets(req *kmsg.OffsetFetchRequest) kmsg.Response {
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.group(req.Group)
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	for _, topic := range req.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = topic.Topic
		for _, part := range topic.Partitions {
			p := kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset = part, noOffset
			if c, ok := g.commits[topic.Topic][part]; ok {
				p.Offset, p.Metadata = c.Offset, c.Metadata
			}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// committed is what a group has committed for a partition; 0 for nothing, or while
// the commit names somebody who is further behind, as the router's does.
func (k *kafka) committed(groupName, topic string, part int) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.group(groupName).commits[topic][int32(part)]
	if c.Metadata != nil && strings.Contains(*c.Metadata, " ") {
		return 0
	}
	return c.Offset
}
