package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/pause"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// While the doors are open the log is watched, one partition after the other. When
// no broker answers, the doors shut. When a partition's log has become shorter than
// is known, because a power cut or a restore took its tail, that partition takes
// nothing more until its two logs belong together again.

const (
	// lookAtLogEvery is how often one partition is looked at.
	lookAtLogEvery = 500 * time.Millisecond
	// logLimit bounds one look.
	logLimit = 2 * time.Second
	// awayAfter is how long no look and no record may be answered before the doors
	// shut.
	awayAfter = 5 * time.Second
)

// logAway is what the doors say when no broker answers.
const logAway = "The log does not answer at present; try again in a moment."

// watchLog looks at the log until ctx ends. The doors are open when it is called.
func (g *Gateway) watchLog(ctx context.Context) {
	answered, away := time.Now(), false
	written := g.allWritten()
	for p := 0; pause.For(ctx, lookAtLogEvery) == nil; p = (p + 1) % g.partitions {
		limit, cancel := context.WithTimeout(ctx, logLimit)
		err := g.lookAt(limit, p)
		cancel()
		// A broker so busy that a look comes too late is not away while it takes
		// records.
		if now := g.allWritten(); now != written {
			written, err = now, nil
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && away:
			g.log.Info("the log answers again", telemetry.KeyDuration, time.Since(answered))
			g.open()
			fallthrough
		case err == nil:
			answered, away = time.Now(), false
		case !away && time.Since(answered) >= awayAfter:
			away = true
			g.log.Error("the doors are shut until the log answers", telemetry.KeyError, err)
			g.close(logAway)
		}
	}
}

// allWritten grows with all that is known to have been written to the log.
func (g *Gateway) allWritten() (sum int64) {
	for p := range g.partitions {
		sum += g.broker.Written(g.submitted, p)
	}
	return sum
}

// lookAt looks whether a partition holds all that was written to it; the error says
// that it could not.
func (g *Gateway) lookAt(ctx context.Context, partition int) error {
	// What is known is asked first: the log may only grow meanwhile.
	written := g.broker.Written(g.submitted, partition)
	submitted, err := g.broker.RangeOf(ctx, g.submitted, partition)
	if err != nil {
		return err
	}
	if submitted.Next < written {
		g.log.Error("submissions are gone from the log", telemetry.KeyTopic, g.submitted, telemetry.KeyPartition, partition,
			telemetry.KeyOffset, submitted.Next, telemetry.KeyCount, written-submitted.Next)
		g.cutOff(partition)
	}
	if g.cutSentence(partition) == "" && g.broker.Cut(g.submitted, partition) == nil {
		return nil
	}
	var finding *finding
	switch err := g.checkPartition(ctx, partition); {
	case errors.As(err, &finding):
		g.cutOffFor(partition, finding.sentence)
		return nil
	case err != nil:
		return err
	}
	g.broker.Reopen(g.submitted, partition)
	g.cuts[partition].Store(nil)
	g.host.Ready.Forget(partName(partition))
	g.log.Info("the partition's doors are open again", telemetry.KeyPartition, partition)
	return nil
}

func partName(partition int) string { return fmt.Sprintf("partition %d", partition) }

// cutOff shuts the doors of a partition whose log is shorter than it was.
func (g *Gateway) cutOff(partition int) {
	g.cutOffFor(partition, fmt.Sprintf("%s/%d has lost its tail. hubctl repair says what it would do about it.", g.submitted, partition))
}

func (g *Gateway) cutOffFor(partition int, sentence string) {
	if before := g.cuts[partition].Swap(&sentence); before == nil || *before != sentence {
		g.log.Error("the partition's doors are shut", telemetry.KeyPartition, partition, "why", sentence)
	}
	g.host.Ready.Halted(partName(partition), sentence)
}

// cutSentence is why a partition takes nothing, or "".
func (g *Gateway) cutSentence(partition int) string {
	if s := g.cuts[partition].Load(); s != nil {
		return *s
	}
	return ""
}

// isCut says whether an event of the partition was not acknowledged because its log
// was found cut, and shuts the partition's doors then.
func (g *Gateway) isCut(partition int, err error) bool {
	if _, ok := errors.AsType[*broker.CutError](err); !ok {
		return false
	}
	if g.cutSentence(partition) == "" && g.broker.Cut(g.submitted, partition) != nil {
		g.cutOff(partition)
	}
	return true
}

// waitWhole waits while the record's partition is cut off.
func (g *Gateway) waitWhole(ctx context.Context, rec *broker.Record) error {
	for rec.Topic == g.submitted && g.cutSentence(rec.Partition) != "" {
		if err := pause.For(ctx, lookAtLogEvery); err != nil {
			return err
		}
	}
	return nil
}

// tooShort is the answer for an event of a partition that is cut off.
func (g *Gateway) tooShort(e *schemas.Event) error {
	p := broker.PartitionOf([]byte(e.Extensions[schemas.AttrPartitionKey]), g.partitions)
	if why := g.cutSentence(p); why != "" {
		return &notReadyError{sentence: why}
	}
	return nil
}
