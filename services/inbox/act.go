package inbox

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/relais-fr/relais/schemas"
	"github.com/relais-fr/relais/services/inbox/internal/desk"
	"github.com/relais-fr/relais/services/internal/telemetry"
)

// attempt is one form that was sent.
type attempt struct {
	f      *frame
	action *action
	values url.Values
	of     *desk.Case
	sub    submission
}

// submit is POST /offices/{office}/submit: it hands a form in, waits a moment for
// the outcome, and sends the browser to where it shows.
func (p *pages) submit(f *frame, w http.ResponseWriter, r *http.Request) (string, error) {
	started := time.Now()
	a, result, err := p.try(f, w, r)
	if result != "" {
		p.in.metrics.submissions.WithLabelValues(result).Inc()
	}
	if a != nil {
		p.in.host.Log.InfoContext(r.Context(), "form handled", telemetry.KeyParticipant, f.Office.ID,
			telemetry.KeyEventType, a.action.event, "result", result, telemetry.KeyDuration, time.Since(started))
	}
	return "", err
}

// try answers the browser, or returns the failure to show.
func (p *pages) try(f *frame, w http.ResponseWriter, r *http.Request) (a *attempt, result string, err error) {
	wait, allowed := p.in.limits.take(f.Office.ID, time.Now())
	a, err = p.readAttempt(f, r)
	if !allowed {
		w.Header().Set("Retry-After", strconv.Itoa(1+int(wait.Seconds())))
		return a, resultRateLimited, p.later(a, w, r, &failure{status: http.StatusTooManyRequests, title: "error_title", key: "rate_limited"})
	}
	if why := p.in.host.DoorsClosed(); why != "" {
		return a, resultNotTaken, p.later(a, w, r, &failure{status: http.StatusServiceUnavailable, title: "error_title", key: "doors_closed", detail: why})
	}
	if building, ok := errors.AsType[*notYetError](err); ok {
		return a, resultNotTaken, p.later(a, w, r, building.failure())
	}
	if err != nil {
		return nil, resultInvalid, err
	}
	in := &input{Values: a.values, office: f.Office, zone: f.Now.Location(), subject: a.sub.subject, of: a.of}
	a.sub.payload = a.action.payload(in)
	if len(in.problems) > 0 {
		p.again(a, w, r, http.StatusUnprocessableEntity, in.problems, &form{Error: f.T("form_wrong")})
		return a, resultInvalid, nil
	}
	if err := p.in.handIn(r.Context(), a.sub); err != nil {
		// The acknowledgement may be lost while the event is long recorded.
		if found, _ := p.in.outcome(r.Context(), f.Office.ID, a.sub.id); found == nil {
			return a, p.notSent(a, w, r, err), nil
		}
	}
	outcome, err := p.in.await(r.Context(), f.Office.ID, a.sub.id)
	if err != nil {
		return a, resultPending, err
	}
	if outcome != nil && outcome.Refusal != nil {
		p.refused(a, w, r, outcome.Refusal)
		return a, resultRefused, nil
	}
	http.Redirect(w, r, a.target(), http.StatusSeeOther) //nolint:gosec // the path is ours, what was typed is escaped in it
	if outcome == nil {
		return a, resultPending, nil
	}
	return a, resultRecorded, nil
}

// later shows the form again as it was when nothing can be taken now: what was
// typed is not lost. Without a form, it returns the failure to show.
func (p *pages) later(a *attempt, w http.ResponseWriter, r *http.Request, why *failure) error {
	if a == nil {
		return why
	}
	p.again(a, w, r, why.status, nil, &form{Error: a.f.T(why.key), Remedy: why.detail})
	return nil
}

// readAttempt reads what the form hides. What is not as a page of ours would have
// sent it is a bad form. With a *notYetError there is an attempt, but for its
// case.
func (p *pages) readAttempt(f *frame, r *http.Request) (*attempt, error) {
	bad := &failure{status: http.StatusBadRequest, title: "error_title", key: "bad_form"}
	if err := r.ParseForm(); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			bad.status, bad.key = http.StatusRequestEntityTooLarge, "form_too_large"
		}
		return nil, bad
	}
	a := &attempt{f: f, action: p.byName[r.PostForm.Get(hiddenAction)], values: r.PostForm}
	if a.action == nil {
		return nil, bad
	}
	a.sub = submission{office: f.Office.ID, id: a.values.Get(hiddenEvent), typ: a.action.event, subject: a.values.Get(hiddenCase)}
	id, err := schemas.ParseCaseID(a.sub.subject)
	if err != nil || !schemas.ValidID(a.sub.id) || a.action.opens && a.action.on != (id.Own != "") {
		return nil, bad
	}
	of := a.values.Get(hiddenOf)
	switch {
	case !a.action.needsCase():
		return a, nil
	case schemas.Dossier(of) != id.Dossier, !a.action.opens && of != a.sub.subject:
		return nil, bad
	}
	if a.of, err = p.caseOf(r.Context(), f.Office.ID, of); err != nil {
		if _, building := errors.AsType[*notYetError](err); !building {
			return nil, err
		}
	}
	return a, err
}

// needsCase says whether the action is done on a referral or an appointment.
func (a *action) needsCase() bool { return a.on || !a.opens && !a.ofVisit() }

// ofVisit says whether the action is about a visit, which has no page of a case.
func (a *action) ofVisit() bool {
	entry, _ := schemas.Lookup(a.event)
	return entry.Kind == schemas.KindVisit
}

func (p *pages) caseOf(ctx context.Context, office, id string) (*desk.Case, error) {
	dossier, _, _, err := p.in.dossier(ctx, office, schemas.Dossier(id))
	if err != nil {
		return nil, err
	}
	if c := dossier.Find(id); c != nil {
		return c, nil
	}
	return nil, errNotFound
}

// target is the page on which the outcome shows: the case, or the office for a
// visit, which has no page of its own until it is recorded; there its day, if it
// is another than today.
func (a *attempt) target() string {
	sent := "?sent=" + url.QueryEscape(a.sub.id)
	if !a.action.ofVisit() {
		return a.f.CaseURL(a.sub.subject) + sent
	}
	if day := a.values.Get(hiddenDay); day != "" && day != schemas.DayOf(a.f.Now).String() {
		sent += "&day=" + url.QueryEscape(day)
	}
	return "/offices/" + a.f.Office.ID + sent
}

// again shows the form again with what was typed. The ids are those of before:
// nothing was recorded, and if it was sent, it will count once.
func (p *pages) again(a *attempt, w http.ResponseWriter, r *http.Request, status int, problems map[string]string, why *form) {
	shown := a.f.newForm(a.action, a.of, a.values, problems)
	shown.Error, shown.Remedy, shown.Detail = why.Error, why.Remedy, why.Detail
	a.f.showForm(shown)
	// The address of this page can only be posted to.
	a.f.Path = shown.Back
	p.render(a.f, w, r, status, "form.html")
}

// refused shows the form again after the hub's refusal, with a new event id: the
// old one stands for what was refused. The case has perhaps moved on meanwhile,
// and that is why.
func (p *pages) refused(a *attempt, w http.ResponseWriter, r *http.Request, refusal *desk.Refusal) {
	fresh := hide(a.action, a.of)
	for _, name := range a.action.hiddenFields() {
		if v := fresh.Get(name); v != "" {
			a.values.Set(name, v)
		}
	}
	if a.of != nil {
		if now, err := p.caseOf(r.Context(), a.f.Office.ID, a.of.ID); err == nil {
			a.of = now
		}
	}
	b := a.f.refused(refusal)
	problems := a.action.faults(schemas.Reason(refusal.Reason), refusal.Detail)
	p.again(a, w, r, http.StatusUnprocessableEntity, problems, &form{Error: b.Text, Remedy: b.Remedy, Detail: b.Detail})
}

// notSent shows the form again when the event was not handed in, or nobody knows.
func (p *pages) notSent(a *attempt, w http.ResponseWriter, r *http.Request, err error) (result string) {
	if refusal, ok := errors.AsType[*schemas.Refusal](err); ok {
		problems := a.action.faults(refusal.Reason, refusal.Detail)
		why := &form{Error: a.f.T("form_wrong")}
		if len(problems) == 0 {
			c := refusal.Reason.Code()
			why = &form{Error: a.f.pick(c.French, c.English), Remedy: a.f.T("try_again"), Detail: refusal.Detail}
		}
		p.again(a, w, r, http.StatusUnprocessableEntity, problems, why)
		return resultInvalid
	}
	result, key := resultUnknown, "fate_unknown"
	if errors.Is(err, errNotTaken) {
		result, key = resultNotTaken, "not_taken"
	}
	p.in.host.Log.LogAttrs(r.Context(), slog.LevelWarn, "form was not handed in", slog.String(telemetry.KeyParticipant, a.f.Office.ID),
		slog.String("result", result), slog.Any(telemetry.KeyError, err))
	w.Header().Set("Retry-After", "2")
	p.again(a, w, r, http.StatusServiceUnavailable, nil, &form{Error: a.f.T(key)})
	return result
}
