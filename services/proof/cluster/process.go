package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a program of the trial's: it can be killed, stopped like a machine
// that hangs, and started again. Safe for concurrent use.
type Process struct {
	// Name tells it from others, `ledger-2`; Kind is what it is, `ledger`.
	Name, Kind string
	Site       *Site

	log     string // the file of what it says
	program string
	args    []string
	env     []string

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
	asked bool // to end
}

// spawn starts programs from one thread that lives as long as the trial: the kernel
// kills what a thread has started when the thread ends, however it ends.
var spawn = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		lockThread()
		for do := range work {
			do()
		}
	}()
	return work
})

// Start starts it where it does not run.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return nil
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := p.Site.command(p.program, p.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RELAIS_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, p.env...)
	done := make(chan struct{})
	spawn() <- func() { err = cmd.Start(); close(done) }
	<-done
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	p.cmd, p.ended, p.asked = cmd, ended, false
	return nil
}

// running is called with p.mu held.
func (p *Process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Running says whether it runs.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running()
}

// Ended says whether it has ended though nobody asked it to.
func (p *Process) Ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil && !p.asked && !p.running()
}

// signal sends a signal, and returns what closes when the process has ended; nil
// when it does not run.
func (p *Process) signal(s syscall.Signal) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		p.asked = true
	}
	if !p.running() {
		return nil
	}
	_ = p.cmd.Process.Signal(s)
	return p.ended
}

// Kill ends it as a crash would.
func (p *Process) Kill() {
	if ended := p.signal(syscall.SIGKILL); ended != nil {
		<-ended
	}
}

// Pause makes it hang.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

// stopLimit is how long a process may take to end when it is asked to.
const stopLimit = 20 * time.Second

// Stop asks it to end, and kills it if it does not.
func (p *Process) Stop() {
	p.Resume()
	ended := p.signal(syscall.SIGTERM)
	if ended == nil {
		return
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C:
		p.Kill()
	}
}

// await waits until ready says so; the error shows what the process said last.
func (p *Process) await(ctx context.Context, limit time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if !p.Running() {
			return fmt.Errorf("%s has ended: %s", p.Name, p.LastWords(3))
		}
		if !Sleep(ctx, 200*time.Millisecond) {
			return fmt.Errorf("%s is not ready: %w; its log ends with %s", p.Name, err, p.LastWords(3))
		}
	}
}

// LastWords are the last lines of what it has said.
func (p *Process) LastWords(lines int) string {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Sleep waits; it says false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// program is the path of a program that must be there.
func program(name, why string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed; it is needed %s", name, why)
	}
	return path, nil
}

// makeFolder makes a folder, and those above it.
func makeFolder(parts ...string) (string, error) {
	dir := filepath.Join(parts...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return dir, nil
}

var errNotYet = errors.New("it does not answer yet")
