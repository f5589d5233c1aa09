package clock

import (
	"fmt"
	"sync"
	"time"

	"github.com/relais-fr/relais/services/clock/internal/timetable"
	"github.com/relais-fr/relais/services/internal/directory"
	"github.com/relais-fr/relais/services/internal/directory/deadline"
	"github.com/relais-fr/relais/services/internal/directory/territory"
)

// defaultZone is where the deadlines of those count who have no zone.
const defaultZone = "Europe/Paris"

// worlds makes the directory into what a timetable asks, once per version of it.
// Safe for concurrent use.
type worlds struct {
	directory *directory.View
	holidays  *territory.Holidays
	paris     *time.Location

	mu  sync.Mutex
	now *world
}

func newWorlds(view *directory.View) (*worlds, error) {
	holidays, err := territory.LoadHolidays()
	if err != nil {
		return nil, fmt.Errorf("public holidays: %w", err)
	}
	paris, err := time.LoadLocation(defaultZone)
	return &worlds{directory: view, holidays: holidays, paris: paris}, err
}

// current is the world as the directory tells it now. The error says that a
// deadline's setting cannot be read: nothing may be computed then.
func (w *worlds) current() (*world, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	snapshot := w.directory.Snapshot()
	if w.now != nil && w.now.directory.Version() == snapshot.Version() {
		return w.now, nil
	}
	book, err := deadline.Read(snapshot.Setting)
	if err != nil {
		return nil, err
	}
	w.now = &world{worlds: w, directory: snapshot, Book: book, calendars: map[string]*territory.Calendar{}}
	return w.now, nil
}

// world is the directory at one version, as a timetable asks it.
type world struct {
	*worlds
	*deadline.Book
	directory *directory.Snapshot

	mu        sync.Mutex
	calendars map[string]*territory.Calendar
}

var _ timetable.World = (*world)(nil)

// Calendar is that of a participant. Where the directory does not know it, or what
// it says cannot be read, it is that of Paris.
func (w *world) Calendar(participant string) *territory.Calendar {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.calendars[participant]
	if c == nil {
		c = w.calendar(participant)
		w.calendars[participant] = c
	}
	return c
}

func (w *world) calendar(participant string) *territory.Calendar {
	p, _ := w.directory.Participant(participant)
	office, _ := w.directory.Office(participant)
	zone, err := time.LoadLocation(p.TimeZone)
	if p.TimeZone == "" || err != nil {
		zone = w.paris
	}
	days := p.HolidayZone
	if days == "" {
		days = territory.Metropole
	}
	hours, err := territory.ParseWeek(office.Hours)
	if err != nil {
		hours = territory.Week{} // they count as not known
	}
	return territory.NewCalendar(zone, w.holidays, days, hours)
}
