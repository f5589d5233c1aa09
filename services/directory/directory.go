// Package directory is the service that owns participants, offices, services and
// settings, and publishes them on the compacted topic `relais.directory`, whose
// only writer it is.
//
// It knows the national basket (operators and services, compiled in), the
// project's own sample offices (`demo-1` …) for a first run without a download,
// and how a new official list of offices changes what is published: an import is
// first a Plan that shows what would change, and is applied only when that very
// plan is confirmed and the directory is still the one that it was made for. An
// office that is no longer in the list is closed with a date, not deleted,
// because past events point to it. Sample offices are never touched by an
// import. It leaves reading the list to officelist, and looking things up to
// services/internal/directory, which every other service follows.
package directory

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/relais-fr/relais/services"
	"github.com/relais-fr/relais/services/internal/broker"
	"github.com/relais-fr/relais/services/internal/config"
	dir "github.com/relais-fr/relais/services/internal/directory"
)

// Directory is the service. It is safe for concurrent use.
type Directory struct {
	host    services.Host
	log     publisher
	imports *imports
	metrics *metrics
	kafka   keeper
	// people is held by whoever changes who may come in, here and at Kafka.
	people sync.Mutex
}

var _ services.Service = (*Directory)(nil)

// New makes a directory and registers its doors.
func New(host services.Host) (*Directory, error) {
	return newDirectory(host, &topic{broker: host.Broker, view: host.Directory}), nil
}

func newDirectory(host services.Host, log publisher) *Directory {
	m := newMetrics(host.Metrics, host.Directory)
	d := &Directory{host: host, log: log, kafka: host.Broker, metrics: m, imports: newImports(host.Directory, log, m)}
	d.routes()
	return d
}

// Name is the service's name.
func (d *Directory) Name() string { return "directory" }

// Run publishes what the build ships and the topic lacks, then sees to it that
// every participant has its topics, until ctx ends.
func (d *Directory) Run(ctx context.Context) error {
	d.host.Ready.Set(false, "reading the directory")
	select {
	case <-ctx.Done():
		return nil
	case <-d.host.Directory.Ready():
	}
	err := d.begin(ctx)
	if err == nil {
		d.host.Ready.Set(true, "serving")
		err = d.keep(ctx)
	}
	d.host.Ready.Set(false, "stopped")
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// begin publishes the basket where it differs from this build's, and on the
// first run the settings of the installation, and on loopback the sample. The
// number of partitions is published last: where it stands, the first run has
// been completed.
func (d *Directory) begin(ctx context.Context) error {
	now := d.host.Directory.Snapshot()
	records, err := basketRecords(now)
	if err != nil {
		return err
	}
	key, err := statementKeyRecords(d.host.Settings, now)
	if err != nil {
		return err
	}
	records = append(records, key...)
	n := strconv.Itoa(d.host.Settings.Partitions)
	had, known := now.Setting(dir.SettingPartitions)
	switch {
	case !known:
		first, err := d.firstRecords(n)
		if err != nil {
			return err
		}
		records = append(records, first...)
	case had != n:
		return fmt.Errorf("this installation was made with --partitions %s and is now started with %s: keys would land elsewhere than before; start it with %s", had, n, had)
	}
	if err := d.log.publish(ctx, records); err != nil {
		return fmt.Errorf("publish the directory's own records: %w", err)
	}
	d.host.Log.InfoContext(ctx, "directory published", "first_run", !known, "records", len(records), "offices", d.host.Directory.Snapshot().OfficeCount())
	return nil
}

// firstRules is the rules version that a new installation begins with, the newest;
// an older one is moved once every ledger knows it (settings.go).
const firstRules = "2"

// firstRecords are what a new installation begins with.
func (d *Directory) firstRecords(partitions string) ([]dir.Record, error) {
	var all []recorder
	if d.host.Settings.Loopback() {
		sample, err := sampleRecords()
		if err != nil {
			return nil, err
		}
		all = append(all, sample...)
	}
	if _, known := d.host.Directory.Setting(dir.SettingRules); !known {
		all = append(all, dir.Setting{Name: dir.SettingRules, Value: firstRules})
	}
	return recordsOf(append(all, dir.Setting{Name: dir.SettingPartitions, Value: partitions})...)
}

// statementKeyRecords publish the public key of the settings' key where it is not
// there yet. Those of earlier keys stay: what was signed with them is checked with
// them.
func statementKeyRecords(s config.Settings, now *dir.Snapshot) ([]dir.Record, error) {
	key, err := services.StatementKey(s)
	if err != nil || key == nil {
		return nil, err
	}
	name := dir.SettingStatementKey + key.Public.ID
	if _, known := now.Setting(name); known {
		return nil, nil
	}
	return recordsOf(dir.Setting{Name: name, Value: base64.StdEncoding.EncodeToString(key.Public.Public)})
}

// SetSetting publishes a setting, and returns when this process's own view has
// it. It waits for the directory to be read first.
func (d *Directory) SetSetting(ctx context.Context, s dir.Setting) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-d.host.Directory.Ready():
	}
	if had, known := d.host.Directory.Setting(s.Name); known && had == s.Value {
		return nil
	}
	records, err := recordsOf(s)
	if err != nil {
		return err
	}
	return d.log.publish(ctx, records)
}

// keep sees to everybody's topics, and to their rights where Kafka asks who
// somebody is.
func (d *Directory) keep(ctx context.Context) error {
	if !d.asksAtKafka() {
		return d.keepTopics(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	var rights sync.WaitGroup
	rights.Go(func() { d.keepRights(ctx) })
	defer rights.Wait()
	defer cancel()
	return d.keepTopics(ctx)
}

// keepTopics makes the topics of every participant that has some of its own, now
// and whenever the directory changes.
func (d *Directory) keepTopics(ctx context.Context) error {
	made := map[string]bool{}
	for {
		_, changed := d.host.Directory.Watch()
		var missing []broker.TopicSpec
		for _, p := range d.host.Directory.Snapshot().Participants() {
			if p.HasTopics() && !p.Closed() && !made[p.ID] {
				missing = append(missing, services.ParticipantTopics(d.host.Settings, p.ID)...)
				made[p.ID] = true
			}
		}
		if missing != nil {
			if err := d.host.Broker.EnsureTopics(ctx, missing...); err != nil {
				return fmt.Errorf("make the participants' topics: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// recorder is what stands on the topic as one record.
type recorder interface {
	Record() (dir.Record, error)
}

func recordsOf(all ...recorder) ([]dir.Record, error) {
	records := make([]dir.Record, 0, len(all))
	var problems []error
	for _, r := range all {
		record, err := r.Record()
		records, problems = append(records, record), append(problems, err)
	}
	return records, errors.Join(problems...)
}
