package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"
)

// page is a browser's window with one page.
type page struct {
	t       *testing.T
	b       *browser
	session string
	// seen brings what the page's own script calls seen() with.
	seen chan sighting
}

// sighting is what a page has told, and when it was heard.
type sighting struct {
	text string
	at   time.Time
}

// pageLimit is how long a page may take to become what it should.
const pageLimit = time.Minute

// open opens a window on an address; settings are further commands before it
// loads.
func (b *browser) open(t *testing.T, url string, settings ...string) *page {
	t.Helper()
	p := &page{t: t, b: b, seen: make(chan sighting, 64)}
	var own struct{ BrowserContextID string }
	p.must(b.call(t.Context(), "", "Target.createBrowserContext", map[string]any{"disposeOnDetach": true}, &own))
	var target struct{ TargetID string }
	p.must(b.call(t.Context(), "", "Target.createTarget", map[string]any{
		"url": "about:blank", "browserContextId": own.BrowserContextID, "newWindow": true,
	}, &target))
	t.Cleanup(func() {
		_ = b.call(context.Background(), "", "Target.disposeBrowserContext", map[string]any{"browserContextId": own.BrowserContextID}, nil)
	})
	var attached struct{ SessionID string }
	p.must(b.call(t.Context(), "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	p.session = attached.SessionID
	b.mu.Lock()
	b.listeners[p.session] = p.hear
	b.mu.Unlock()
	p.do("Page.enable", nil, nil)
	p.do("Runtime.enable", nil, nil)
	p.do("Runtime.addBinding", map[string]any{"name": "seen"}, nil)
	for _, command := range settings {
		p.do(command, map[string]any{"value": true}, nil)
	}
	p.do("Page.navigate", map[string]any{"url": url}, nil)
	p.until("document.readyState === 'complete' && location.href !== 'about:blank'")
	return p
}

// turnTo goes to another address in the same window.
func (p *page) turnTo(url string) {
	p.t.Helper()
	p.do("Page.navigate", map[string]any{"url": url}, nil)
}

func (p *page) hear(m message) {
	var called struct{ Name, Payload string }
	if m.Method == "Runtime.bindingCalled" && json.Unmarshal(m.Params, &called) == nil && called.Name == "seen" {
		select {
		case p.seen <- sighting{called.Payload, time.Now()}:
		default:
		}
	}
}

func (p *page) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) do(method string, params, result any) {
	p.t.Helper()
	p.must(p.b.call(p.t.Context(), p.session, method, params, result))
}

// try evaluates an expression in the page. An error is the expression's, or that
// the page is just going elsewhere.
func (p *page) try(expression string, value any) error {
	var result struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	err := p.b.call(p.t.Context(), p.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &result)
	switch {
	case err != nil:
		return err
	case result.ExceptionDetails != nil:
		return fmt.Errorf("%s: %s", expression, result.ExceptionDetails.Exception.Description)
	case value == nil || result.Result.Value == nil:
		return nil
	}
	return json.Unmarshal(result.Result.Value, value)
}

// text is the value of an expression that is a string.
func (p *page) text(expression string) (value string) {
	p.t.Helper()
	p.must(p.try(expression, &value))
	return value
}

// until waits for a condition to hold in the page.
func (p *page) until(condition string) {
	p.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(pageLimit)
	for {
		var holds bool
		if err := p.try("Boolean("+condition+")", &holds); err == nil && holds {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			p.t.Fatalf("the page does not come to %s; it shows\n%s", condition, p.shows())
		}
	}
}

// shows is what the page shows, for a failure.
func (p *page) shows() (text string) {
	if err := p.try("location.pathname + '\\n' + document.body.innerText", &text); err != nil {
		return err.Error()
	}
	return text
}

// css is the expression for the first element that a selector finds.
func css(selector string) string { return "document.querySelector(" + strconv.Quote(selector) + ")" }

// formOf is the expression for the form of an action.
func formOf(action string) string {
	return css("input[name=action][value="+action+"]") + "?.closest('form')"
}

// click clicks with the mouse in the middle of an element, given by an expression.
func (p *page) click(element string) {
	p.t.Helper()
	p.clickTimes(element, 1)
}

// clickTimes clicks several times, as quickly as a double click.
func (p *page) clickTimes(element string, times int) {
	p.t.Helper()
	p.until("document.readyState === 'complete' && " + element + "?.getClientRects().length")
	var at struct{ X, Y float64 }
	p.must(p.try(`(() => { const e = `+element+`; e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + r.height / 2}; })()`, &at))
	mouse := func(what string, count int) {
		p.do("Input.dispatchMouseEvent", map[string]any{"type": what, "x": at.X, "y": at.Y, "button": "left", "clickCount": count}, nil)
	}
	for n := 1; n <= times; n++ {
		mouse("mousePressed", n)
		mouse("mouseReleased", n)
	}
}

// enter types into a field.
func (p *page) enter(field, text string) {
	p.t.Helper()
	p.click(field)
	p.do("Input.insertText", map[string]any{"text": text}, nil)
}

// choose chooses an option of a list by its value.
func (p *page) choose(list, value string) {
	p.t.Helper()
	p.until(list)
	p.must(p.try("(list => { list.value = "+strconv.Quote(value)+" })("+list+")", nil))
}

// ask opens the form of an action and clicks its button, as often as is said. It
// returns what the form is called.
func (p *page) ask(action string, times int) (title string) {
	p.t.Helper()
	form := formOf(action)
	p.until(form)
	title = p.text(form + "?.closest('details').querySelector('summary').innerText")
	p.click(form + "?.closest('details').querySelector('summary')")
	p.clickTimes(form+"?.querySelector('button')", times)
	return title
}

// watch has the page call seen() with each reference that has come onto it, once:
// at the moment when its document changes, and when it is there to be seen.
func (p *page) watch() {
	p.t.Helper()
	p.must(p.try(`(() => {
		const told = new Set();
		const look = () => {
			for (const row of document.querySelectorAll("#fresh li a")) {
				const found = row.innerText.match(/[0-9A-Z]{4}-[0-9A-Z]{4}/);
				if (found && !told.has(found[0]) && row.getClientRects().length) { told.add(found[0]); seen(found[0]); }
			}
		};
		look();
		new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
	})()`, nil))
}
