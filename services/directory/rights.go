package directory

import (
	"context"
	"fmt"
	"time"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// keeper is Kafka's admin side: topics, and who may do what. Every method may be
// called again.
type keeper interface {
	EnsureTopics(ctx context.Context, specs ...broker.TopicSpec) error
	AllowParticipant(ctx context.Context, id string) error
	DenyParticipant(ctx context.Context, id string) error
	SetPassword(ctx context.Context, id, password string) error
	DeletePassword(ctx context.Context, id string) error
}

var _ keeper = (*broker.Broker)(nil)

// standing is what Kafka is to let a participant do.
type standing struct {
	// known says whether Kafka knows of it at all: one that has never been given a
	// way to sign in there has no rights that could be denied.
	known bool
	// allowed says whether it may do what a participant may; else all is denied.
	allowed bool
	// password says whether it may sign in with one.
	password bool
}

// standingOf is what the directory says of a participant.
func standingOf(p dir.Participant, credentials []dir.Credential, now time.Time) (s standing) {
	s.known = p.Closed() || p.SuspendedSince != ""
	for _, c := range credentials {
		atKafka := c.Kind == dir.CredentialSCRAM || c.Kind == dir.CredentialCertificate
		s.known = s.known || atKafka
		if atKafka && !c.Expired(now) {
			s.allowed = p.Active()
			s.password = s.password || c.Kind == dir.CredentialSCRAM && !p.Closed()
		}
	}
	return s
}

// settle brings Kafka to what the directory says of a participant, rights first:
// a connection that is open outlives the password that opened it.
func (d *Directory) settle(ctx context.Context, id string) error {
	now := d.host.Directory.Snapshot()
	p, ok := now.Participant(id)
	if !ok || !d.asksAtKafka() {
		return nil
	}
	s := standingOf(p, now.Credentials(id), time.Now())
	if !s.known {
		return nil
	}
	rights := d.kafka.DenyParticipant
	if s.allowed {
		rights = d.kafka.AllowParticipant
	}
	if err := rights(ctx, id); err != nil {
		return err
	}
	if !s.password {
		return d.kafka.DeletePassword(ctx, id)
	}
	return nil
}

// asksAtKafka says whether Kafka asks who somebody is.
func (d *Directory) asksAtKafka() bool { return d.host.Settings.Secure }

// settleEvery is how often what has expired meanwhile is looked for, and what
// could not be done before is tried again.
const settleEvery = 30 * time.Second

// keepRights brings Kafka to what the directory says of everybody: at the start,
// because whoever stopped in the middle may not come back; and later what expires.
// What the doors do they do at once, and do not wait for this.
func (d *Directory) keepRights(ctx context.Context) {
	settled := map[string]standing{}
	for {
		_, changed := d.host.Directory.Watch()
		for _, p := range d.host.Directory.Snapshot().Participants() {
			if !p.HasTopics() || ctx.Err() != nil {
				continue
			}
			d.keepRightsOf(ctx, p.ID, settled)
		}
		timer := time.NewTimer(settleEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (d *Directory) keepRightsOf(ctx context.Context, id string, settled map[string]standing) {
	d.people.Lock()
	defer d.people.Unlock()
	now := d.host.Directory.Snapshot()
	p, _ := now.Participant(id)
	wanted := standingOf(p, now.Credentials(id), time.Now())
	if had, ok := settled[id]; ok && had == wanted {
		return
	}
	if err := d.settle(ctx, id); err != nil {
		if ctx.Err() == nil {
			d.host.Log.ErrorContext(ctx, "a participant's rights at Kafka are not what they should be", "participant", id, telemetry.KeyError, err)
		}
		return
	}
	settled[id] = wanted
}

// makeTopics makes the topics of a participant that has some of its own.
func (d *Directory) makeTopics(ctx context.Context, id string) error {
	if err := d.kafka.EnsureTopics(ctx, services.ParticipantTopics(d.host.Settings, id)...); err != nil {
		return fmt.Errorf("make the topics of participant %s: %w", id, err)
	}
	return nil
}
