package directory

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/internal/auth"
	dir "github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/problem"
)

// How a participant proves who it is, as people ask for it.
const (
	wantNone  = "none"
	wantSCRAM = "scram"
	wantMTLS  = "mtls"
	wantKey   = "api_key"
	wantOAuth = "oauth"
)

// Bounds of credentials, in days.
const (
	usualDays = 365
	mostDays  = 3650
)

// Bounds of how long an old API key lives on after a rotation.
const (
	usualOverlap = 24 * time.Hour
	mostOverlap  = 30 * 24 * time.Hour
)

// Bounds of what a participant is told by.
const (
	maxName  = 200
	maxFeeds = 5000
)

// newcomer is who is to be let in, and how.
type newcomer struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Role  dir.Role `json:"role"`
	Feeds []string `json:"feeds"`
	ways
}

// ways are how a participant proves who it is. Empty is what the door takes for
// usual.
type ways struct {
	Kafka  string `json:"kafka"`
	HTTP   string `json:"http"`
	Issuer string `json:"issuer"`
	Client string `json:"client"`
	// ExpiresIn is for how many days; nil for the usual.
	ExpiresIn *int `json:"expires_in"`
}

// secrets are what is told once and is kept nowhere.
type secrets struct {
	Password string
	APIKey   string
}

var participantID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// reserved are ids that mean somebody else: at a door, or among the users that a
// cluster usually has of its own, whose password would be overwritten.
var reserved = []string{
	schemas.HubParticipant, schemas.OfficesParticipant, "admin", "anonymous", "nobody", "operators", "partners", "feeders", "everybody",
	"kafka", "broker", "controller", "root", "registry", "schema-registry",
}

// checkID says what is wrong with an id for a new participant.
func (d *Directory) checkID(id string) *problem.Document {
	prefix := d.host.Settings.Prefix
	switch {
	case !participantID.MatchString(id):
		return trouble(problem.CodeBadID, "%.80q is no id for a participant", id)
	case slices.Contains(reserved, id):
		return trouble(problem.CodeReservedID, "%q is reserved", id)
	case id == d.host.Settings.KafkaUser, prefix == id, strings.HasPrefix(prefix, id+"."):
		return trouble(problem.CodeReservedID, "%q is what the hub itself is called at Kafka", id)
	case strings.HasPrefix(id, dir.OfficialPrefix), strings.HasPrefix(id, dir.DemoPrefix):
		return trouble(problem.CodeReservedID, "ids that begin with %s or %s are those of offices, which come with the official list", dir.OfficialPrefix, dir.DemoPrefix)
	}
	if _, ok := d.host.Directory.Office(id); ok {
		return trouble(problem.CodeReservedID, "%q is an office", id)
	}
	return nil
}

// check fills in what is usual and says what is wrong with a newcomer.
func (d *Directory) check(n *newcomer) *problem.Document {
	if p := d.checkID(n.ID); p != nil {
		return p
	}
	now := d.host.Directory.Snapshot()
	had, known := now.Participant(n.ID)
	if known {
		// The basket's operators are there before anybody lets them in.
		if n.Name == "" {
			n.Name = had.Name
		}
		if n.Role == "" {
			n.Role = had.Role
		}
		if n.Feeds == nil {
			n.Feeds = had.Feeds
		}
	}
	n.Name = strings.TrimSpace(n.Name)
	switch {
	case known && had.Closed():
		return trouble(problem.CodeParticipantClosed, "%s was closed on %s", n.ID, had.ClosedOn)
	case known && had.DoorsSince != "":
		return trouble(problem.CodeParticipantExists, "%s has been let in since %s", n.ID, had.DoorsSince)
	case n.Role != dir.RoleOperator && n.Role != dir.RolePartner && n.Role != dir.RoleFeeder:
		return trouble(problem.CodeUnknownRole, "role: %.40q is not one that can be let in; an office hands in through a feeder", n.Role)
	case known && had.Role != n.Role:
		return trouble(problem.CodeParticipantExists, "%s is known as %s, and what a participant is never changes", n.ID, had.Role)
	case n.Name == "" || len(n.Name) > maxName || !printable(n.Name):
		return trouble(schemas.ReasonMalformed, "name: 1 to %d bytes of visible text that people know the participant by", maxName)
	}
	if p := checkFeeds(now, n); p != nil {
		return p
	}
	return d.checkWays(n.ID, &n.ways)
}

// printable says whether the text can be shown on one line.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' || r == '\u2028' || r == '\u2029' })
}

func checkFeeds(now *dir.Snapshot, n *newcomer) *problem.Document {
	switch {
	case n.Role != dir.RoleFeeder && len(n.Feeds) > 0:
		return trouble(schemas.ReasonMalformed, "feeds: only a feeder hands in for others")
	case n.Role == dir.RoleFeeder && len(n.Feeds) == 0:
		return trouble(schemas.ReasonMalformed, `feeds: name the offices that the feeder hands in for, or ["*"] for all`)
	case len(n.Feeds) > maxFeeds:
		return trouble(schemas.ReasonMalformed, `feeds: at most %d offices, or ["*"] for all`, maxFeeds)
	}
	for _, office := range n.Feeds {
		if _, ok := now.Office(office); !ok && office != "*" {
			return trouble(schemas.ReasonUnknownParticipant, "feeds: the directory has no office %.80q", office)
		}
	}
	return nil
}

// checkWays fills in what is usual and says what is wrong with the ways in.
func (d *Directory) checkWays(id string, w *ways) *problem.Document {
	if w.Kafka == "" {
		w.Kafka = wantNone
		if d.asksAtKafka() {
			w.Kafka = wantSCRAM
		}
	}
	if w.HTTP == "" {
		w.HTTP = wantKey
	}
	switch {
	case !slices.Contains([]string{wantNone, wantSCRAM, wantMTLS}, w.Kafka):
		return trouble(problem.CodeUnknownCredential, "kafka: %.40q is neither scram, mtls nor none", w.Kafka)
	case !slices.Contains([]string{wantNone, wantKey, wantOAuth}, w.HTTP):
		return trouble(problem.CodeUnknownCredential, "http: %.40q is neither api_key, oauth nor none", w.HTTP)
	case w.Kafka != wantNone && !d.asksAtKafka():
		return trouble(problem.CodeNotSecured, "kafka: nobody signs in to Kafka here, everybody on this machine may read and write; %s has no use for %s", id, w.Kafka)
	case w.Kafka == wantMTLS && len(d.host.Settings.Brokers) == 0:
		return trouble(problem.CodeUnknownCredential, "kafka: the embedded broker cannot tell whose a certificate is: use scram, or a Kafka of yours with --brokers")
	case w.ExpiresIn != nil && (*w.ExpiresIn < 1 || *w.ExpiresIn > mostDays):
		return trouble(schemas.ReasonMalformed, "expires_in: a number of days from 1 to %d", mostDays)
	}
	return d.checkClient(id, w)
}

func (d *Directory) checkClient(id string, w *ways) *problem.Document {
	if w.HTTP != wantOAuth {
		if w.Issuer != "" || w.Client != "" {
			return trouble(schemas.ReasonMalformed, "issuer and client are for http oauth")
		}
		return nil
	}
	if w.Issuer == "" || w.Client == "" || len(w.Client) > maxName || !printable(w.Client) {
		return trouble(schemas.ReasonMalformed, "http oauth needs the issuer as its tokens name it, and the client's id there")
	}
	if !slices.Contains(d.host.Settings.OIDCIssuers, w.Issuer) {
		return trouble(schemas.ReasonMalformed, "issuer: %.200q is none that this hub believes (--oidc-issuer): %s", w.Issuer, strings.Join(d.host.Settings.OIDCIssuers, ", "))
	}
	if c, ok := d.host.Directory.CredentialByClient(w.Issuer, w.Client); ok && c.Participant != id {
		return trouble(problem.CodeCredentialTaken, "client %.80q of %s", w.Client, w.Issuer)
	}
	return nil
}

// admit lets a newcomer in. Its record says so last of all: what stopped half-way
// is done again from the beginning by the same call, with new secrets, for those
// of before were told to nobody.
func (d *Directory) admit(ctx context.Context, n newcomer, by string, now time.Time) (told secrets, err error) {
	p, _ := d.host.Directory.Participant(n.ID)
	p.ID, p.Name, p.Role, p.Feeds = n.ID, n.Name, n.Role, n.Feeds
	if p.ValidFrom == "" && !d.known(n.ID) {
		p.ValidFrom = now.Format(time.DateOnly)
	}
	if err := d.makeTopics(ctx, n.ID); err != nil {
		return told, err
	}
	made, told, err := d.credentials(ctx, n.ID, n.ways, by, now)
	if err != nil {
		return told, err
	}
	records, err := recordsOf(made...)
	if err != nil {
		return told, err
	}
	own, err := p.Record()
	if err != nil {
		return told, err
	}
	records = append(append(d.gone(n.ID), own), records...)
	if err := d.log.publish(ctx, records); err != nil {
		return told, err
	}
	if err := d.settle(ctx, n.ID); err != nil {
		return told, err
	}
	p.DoorsSince = now.Format(time.RFC3339)
	return told, d.put(ctx, p)
}

func (d *Directory) known(id string) bool {
	_, ok := d.host.Directory.Participant(id)
	return ok
}

// put publishes a participant's record.
func (d *Directory) put(ctx context.Context, p dir.Participant) error {
	record, err := p.Record()
	if err != nil {
		return err
	}
	return d.log.publish(ctx, []dir.Record{record})
}

// gone are the records by which all of a participant's credentials go.
func (d *Directory) gone(id string) (records []dir.Record) {
	for _, c := range d.host.Directory.Credentials(id) {
		records = append(records, dir.Record{Key: dir.CredentialKey(c.Participant, c.ID)})
	}
	return records
}

// credentials makes new ones, of the ways that are asked for.
func (d *Directory) credentials(ctx context.Context, id string, w ways, by string, now time.Time) (made []recorder, told secrets, err error) {
	days := usualDays
	if w.ExpiresIn != nil {
		days = *w.ExpiresIn
	}
	next := func(kind string) dir.Credential {
		return dir.Credential{ID: newCredentialID(), Participant: id, Kind: kind, Created: now, Expires: now.AddDate(0, 0, days), By: by}
	}
	switch w.Kafka {
	case wantSCRAM:
		told.Password = newPassword()
		if err := d.kafka.SetPassword(ctx, id, told.Password); err != nil {
			return nil, secrets{}, err
		}
		made = append(made, next(dir.CredentialSCRAM))
	case wantMTLS:
		made = append(made, next(dir.CredentialCertificate))
	}
	switch w.HTTP {
	case wantKey:
		c := next(dir.CredentialAPIKey)
		told.APIKey = auth.NewKey()
		c.SHA256 = auth.HashKey(told.APIKey)
		made = append(made, c)
	case wantOAuth:
		c := next(dir.CredentialOAuth)
		c.Issuer, c.Client = w.Issuer, w.Client
		made = append(made, c)
	}
	return made, told, nil
}

// rotate gives a participant new credentials of the kinds that are asked for. The
// old API keys live on for the overlap; a password cannot, for Kafka knows one.
func (d *Directory) rotate(ctx context.Context, p dir.Participant, w ways, overlap time.Duration, by string, now time.Time) (told secrets, err error) {
	had := d.host.Directory.Credentials(p.ID)
	made, told, err := d.credentials(ctx, p.ID, w, by, now)
	if err != nil {
		return told, err
	}
	records, err := recordsOf(made...)
	if err != nil {
		return told, err
	}
	for _, c := range had {
		switch {
		case !w.replaces(c):
			continue
		case c.Kind == dir.CredentialAPIKey && overlap > 0 && !c.Expired(now):
			if end := now.Add(overlap); c.Expires.IsZero() || end.Before(c.Expires) {
				c.Expires = end
			}
			record, err := c.Record()
			if err != nil {
				return told, err
			}
			records = append(records, record)
		default:
			records = append(records, dir.Record{Key: dir.CredentialKey(c.Participant, c.ID)})
		}
	}
	if err := d.log.publish(ctx, records); err != nil {
		return told, err
	}
	return told, d.settle(ctx, p.ID)
}

// replaces says whether a credential is of a kind that is made anew.
func (w ways) replaces(c dir.Credential) bool {
	switch c.Kind {
	case dir.CredentialSCRAM, dir.CredentialCertificate:
		return w.Kafka != wantNone
	case dir.CredentialAPIKey, dir.CredentialOAuth:
		return w.HTTP != wantNone
	}
	return false
}

// waysOf are the ways in that a participant has: what a rotation makes anew where
// nothing else is asked for.
func waysOf(credentials []dir.Credential) ways {
	w := ways{Kafka: wantNone, HTTP: wantNone}
	for _, c := range credentials {
		switch c.Kind {
		case dir.CredentialSCRAM:
			w.Kafka = wantSCRAM
		case dir.CredentialCertificate:
			w.Kafka = wantMTLS
		case dir.CredentialAPIKey:
			w.HTTP = wantKey
		case dir.CredentialOAuth:
			w.HTTP, w.Issuer, w.Client = wantOAuth, c.Issuer, c.Client
		}
	}
	return w
}

// suspend shuts every door to a participant: by the record, which every service
// follows, and then at Kafka. Nothing is deleted.
func (d *Directory) suspend(ctx context.Context, p dir.Participant, now time.Time) error {
	if p.SuspendedSince == "" {
		p.SuspendedSince = now.Format(time.RFC3339Nano)
		if err := d.put(ctx, p); err != nil {
			return err
		}
	}
	return d.settle(ctx, p.ID)
}

// resume opens them again.
func (d *Directory) resume(ctx context.Context, p dir.Participant) error {
	if p.SuspendedSince != "" {
		p.SuspendedSince = ""
		if err := d.put(ctx, p); err != nil {
			return err
		}
	}
	return d.settle(ctx, p.ID)
}

// close ends a participant: rights first, then its credentials. Its record stays,
// for past events point to it, and so do its topics until what is in them has
// lived its time.
func (d *Directory) close(ctx context.Context, p dir.Participant, now time.Time) error {
	if !p.Closed() {
		p.ClosedOn = now.Format(time.DateOnly)
		if p.SuspendedSince == "" {
			// A day is no moment: this tells what it wrote too late.
			p.SuspendedSince = now.Format(time.RFC3339Nano)
		}
		if err := d.put(ctx, p); err != nil {
			return err
		}
	}
	if err := d.settle(ctx, p.ID); err != nil {
		return err
	}
	return d.log.publish(ctx, d.gone(p.ID))
}

// describe is a participant as the doors show it, without a secret.
func (d *Directory) describe(id string) (view participantView, ok bool) {
	now := d.host.Directory.Snapshot()
	p, ok := now.Participant(id)
	if !ok || p.Role == dir.RoleOffice {
		return view, false
	}
	view = participantView{Participant: p, Credentials: []credentialView{}}
	for _, c := range now.Credentials(id) {
		view.Credentials = append(view.Credentials, credentialView{
			ID: c.ID, Kind: c.Kind, Created: c.Created, Expires: c.Expires, Issuer: c.Issuer, Client: c.Client, By: c.By,
		})
	}
	if p.HasTopics() {
		topic := d.host.Settings.Prefix + "."
		view.Topics = &topicsView{Write: topic + "from." + id, Read: topic + "to." + id}
		view.Groups = []string{id, id + ".*"}
	}
	return view, true
}

// participantView is a participant as the doors show it.
type participantView struct {
	Participant dir.Participant  `json:"participant"`
	Topics      *topicsView      `json:"topics,omitempty"`
	Groups      []string         `json:"groups,omitempty"`
	Credentials []credentialView `json:"credentials"`
}

// topicsView are the topics of a participant.
type topicsView struct {
	Write string `json:"write"`
	Read  string `json:"read"`
}

// credentialView is a credential without its hash, which nobody has a use for.
type credentialView struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Issuer  string    `json:"issuer,omitempty"`
	Client  string    `json:"client,omitempty"`
	By      string    `json:"by,omitempty"`
}
