// Package observatory gives proof: to each participant an hourly signed statement
// of what it handed in and was given, and to whoever asks an audit that compares
// what was handed in with the outcomes and their effects.
//
// It knows the topics from end to end and reads keys, headers and hashes of
// values, never what is in them: it never sees a person. Package statement says
// what a statement is made of. Statements are for participants with topics of
// their own (operators, partners, feeders); an office's events are accounted for
// in the statement of the feeder that hands them in, and stand on its page.
//
// It keeps nothing: the last statement is found on the participant's own topic,
// and says where the next one goes on. Statements are handed in on relais.from.hub
// under ids that follow from participant and number, so that of two observatories
// that issue the same number the ledger takes the first.
package observatory

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/schemas/statement"
	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/pause"
)

// Observatory is the service. It is safe for concurrent use.
type Observatory struct {
	host     services.Host
	codec    *schemas.Codec
	key      *statement.Key
	interval time.Duration
	metrics  *metrics
	audits   chan struct{} // a place for each audit that may run
}

var _ services.Service = (*Observatory)(nil)

// maxAudits is how many audits may run at a time: each reads the whole span.
const maxAudits = 2

// New makes an observatory and registers its doors.
func New(host services.Host) (*Observatory, error) {
	key, err := services.StatementKey(host.Settings)
	if err != nil {
		return nil, err
	}
	o := &Observatory{
		host: host, codec: schemas.NewCodec(host.Schemas), key: key, interval: host.Settings.StatementInterval,
		metrics: newMetrics(host.Metrics), audits: make(chan struct{}, maxAudits),
	}
	host.HTTP.HandleFunc("GET "+keysPath, o.serveKeys)
	host.HTTP.HandleFunc("GET "+statementsPath, o.serveStatements)
	host.HTTP.HandleFunc("GET "+statementsPath+"/", o.serveNone)
	host.HTTP.HandleFunc("GET "+auditPath, o.serveAudit)
	return o, nil
}

// Name is the service's name.
func (o *Observatory) Name() string { return "observatory" }

// Run serves the doors and, where there is a key, issues statements until ctx
// ends.
func (o *Observatory) Run(ctx context.Context) error {
	o.host.Ready.Set(false, "reading the directory")
	select {
	case <-ctx.Done():
		return nil
	case <-o.host.Directory.Ready():
	}
	if o.key == nil {
		o.host.Log.WarnContext(ctx, "no statements are issued: there is no --statement-key")
		o.host.Ready.Set(true, "serving, no statements")
		<-ctx.Done()
		return nil
	}
	o.host.Ready.Set(false, "waiting for its public key on the directory")
	if err := o.awaitPublished(ctx); err != nil {
		return nil //nolint:nilerr // only ctx ends the wait
	}
	o.host.Ready.Set(true, "serving")
	// The directory's topic has one partition, so that one observatory issues at a
	// time and another takes over when it is gone.
	return o.host.Broker.Consume(ctx, o.host.Broker.Topic("observatory"), []string{o.host.Broker.Topic(directory.Topic)}, o.issue)
}

// awaitPublished waits until the directory has the public key: nobody could check
// what was signed before.
func (o *Observatory) awaitPublished(ctx context.Context) error {
	for {
		_, changed := o.host.Directory.Watch()
		if _, ok := o.host.Directory.Setting(directory.SettingStatementKey + o.key.Public.ID); ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// publicKeys are all keys that the directory has, this process's first.
func (o *Observatory) publicKeys() []statement.PublicKey {
	var keys []statement.PublicKey
	for name, value := range o.host.Directory.Snapshot().Settings() {
		id, ok := strings.CutPrefix(name, directory.SettingStatementKey)
		public, err := base64.StdEncoding.DecodeString(value)
		key := statement.PublicKey{ID: id, Algorithm: statement.Algorithm, Public: public}
		if ok && err == nil && key.Valid() {
			keys = append(keys, key)
		}
	}
	sortKeys(keys)
	return keys
}

// partitions is N, by which the hub's keys are placed.
func (o *Observatory) partitions() int { return o.host.Settings.Partitions }

// issue issues statements for as long as the claim is ours.
func (o *Observatory) issue(ctx context.Context, _ *broker.Claim) error {
	for {
		at := time.Now().UTC().Truncate(o.interval)
		o.issueAll(ctx, at)
		if err := pause.For(ctx, time.Until(at.Add(o.interval+o.settle()))); err != nil {
			return nil //nolint:nilerr // only ctx ends the pause
		}
	}
}

// settle is how long after the hour the account is drawn up, so that what was on
// its way when it struck is in it.
func (o *Observatory) settle() time.Duration { return min(5*time.Second, o.interval/10) }
