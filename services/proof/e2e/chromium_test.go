package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// browser is a headless Chromium, spoken to in the DevTools protocol over a pair
// of pipes (descriptors 3 and 4, each message ended by a NUL). That needs neither
// a port nor a module for WebSockets and for the protocol's thousand types, of
// which these tests use a dozen. The browser ends when its pipe does, so that none
// is left behind.
type browser struct {
	cmd     *exec.Cmd
	in, out *os.File
	log     string
	ended   chan struct{}

	mu        sync.Mutex
	last      int
	waiting   map[int]chan message
	listeners map[string]func(message) // by session
}

// message is a command, an answer or an event of the protocol.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// devtoolsLimit is how long the browser may take for one command.
const devtoolsLimit = time.Minute

func startBrowser(path, dir string) (*browser, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := &browser{
		log: filepath.Join(dir, "chromium.log"), ended: make(chan struct{}),
		waiting: map[int]chan message{}, listeners: map[string]func(message){},
	}
	log, err := os.Create(b.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	commands, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, answers, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, commands.Close(), in.Close())
	}
	b.in, b.out = in, out
	b.cmd = exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=fr",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--remote-debugging-pipe", "about:blank")
	b.cmd.ExtraFiles = []*os.File{commands, answers}
	b.cmd.Stderr = log
	err = b.cmd.Start()
	_, _ = commands.Close(), answers.Close()
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	go b.listen()
	if err := b.call(context.Background(), "", "Browser.getVersion", nil, nil); err != nil {
		_ = b.close()
		said, _ := os.ReadFile(b.log)
		return nil, fmt.Errorf("chromium does not answer: %w\n%s", err, lastLines(said, 5))
	}
	return b, nil
}

// listen hands answers to their callers and events to their pages.
func (b *browser) listen() {
	defer close(b.ended)
	messages := bufio.NewReader(b.out)
	for {
		text, err := messages.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		waiting, listener := b.waiting[m.ID], b.listeners[m.Session]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		switch {
		case waiting != nil:
			waiting <- m
		case m.ID == 0 && listener != nil:
			listener(m)
		}
	}
}

// call sends a command and decodes its result.
func (b *browser) call(ctx context.Context, session, method string, params, result any) error {
	text, err := json.Marshal(params)
	if err != nil {
		return err
	}
	answered := make(chan message, 1)
	b.mu.Lock()
	b.last++
	command, err := json.Marshal(message{ID: b.last, Session: session, Method: method, Params: text})
	b.waiting[b.last] = answered
	if err == nil {
		_, err = b.in.Write(append(command, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	ctx, cancel := context.WithTimeout(ctx, devtoolsLimit)
	defer cancel()
	select {
	case m := <-answered:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-b.ended:
		return fmt.Errorf("%s: the browser has ended", method)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// close ends the browser.
func (b *browser) close() error {
	_ = b.call(context.Background(), "", "Browser.close", nil, nil)
	err := b.in.Close()
	over := make(chan struct{})
	go func() {
		// However it ended, it has.
		_ = b.cmd.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(devtoolsLimit):
		_ = b.cmd.Process.Kill()
		<-over
	}
	<-b.ended
	return errors.Join(err, b.out.Close())
}
