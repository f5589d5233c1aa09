package broker

import "fmt"

// CutError says that a log ends before what is known to have been written to it: a
// power cut took its tail, or it was restored from an older copy. The records that
// showed it were written, at offsets that were used before; nothing more is written
// to the partition until Reopen.
type CutError struct {
	Topic     string
	Partition int
	// Known is the lowest offset that had not been used, Base that of the records.
	Known, Base int64
}

func (e *CutError) Error() string {
	return fmt.Sprintf("%s/%d took records at %d, but all below %d was written already", e.Topic, e.Partition, e.Base, e.Known)
}

// Guard has Enqueue and Produce watch over a topic whose offsets must not be used
// twice: an acknowledgement below what was known to be written when its records were
// sent ends with a *CutError. What is known is this client's own acknowledgements and
// what written says, the lowest offset that may be unused. What was known before is
// forgotten.
func (b *Broker) Guard(topic string, written func(partition int) int64) {
	b.queuesMu.Lock()
	defer b.queuesMu.Unlock()
	b.guards[topic] = written
	for tp, q := range b.queues {
		if tp.topic == topic {
			q.mu.Lock()
			q.guard, q.next, q.cut = written, 0, nil
			q.mu.Unlock()
		}
	}
}

// Written is the lowest offset of a guarded partition that is not known to have been
// used.
func (b *Broker) Written(topic string, partition int) int64 {
	return b.queueOf(topicPartition{topic, partition}).written()
}

// Cut is the *CutError of a partition that Guard has found cut, else nil.
func (b *Broker) Cut(topic string, partition int) error {
	q := b.queueOf(topicPartition{topic, partition})
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.cut == nil {
		return nil
	}
	return q.cut
}

// Reopen lets records be written to a partition that was found cut, and forgets what
// was known of it.
func (b *Broker) Reopen(topic string, partition int) {
	q := b.queueOf(topicPartition{topic, partition})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cut, q.next = nil, 0
}

func (q *queue) written() int64 {
	q.mu.Lock()
	next, guard := q.next, q.guard
	q.mu.Unlock()
	if guard != nil {
		return max(next, guard(q.tp.partition))
	}
	return next
}

// accepted judges an acknowledgement of records that were sent when all below known
// was written.
func (q *queue) accepted(n int, base, known int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.guard == nil:
		return nil
	case base < known:
		q.cut = &CutError{Topic: q.tp.topic, Partition: q.tp.partition, Known: known, Base: base}
		q.b.log.Error("a log has lost its tail", "error", q.cut)
		return q.cut
	}
	q.next = base + int64(n)
	return nil
}
