package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running program of ours, of a peer's or of the engines.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// start starts a program with a log of its own.
func (b *bench) start(name, program string, env []string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(b.Folder, "log", name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RELAIS_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	if b.Profile != "" {
		p.cmd.Env = append(p.cmd.Env, "RELAIS_PROFILE="+filepath.Join(b.Profile, name+".pprof"))
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process, politely first.
func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// alive is nil while the process runs; else the end of what it said.
func (p *process) alive() error {
	select {
	case <-p.ended:
		text, _ := os.ReadFile(p.log)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		return fmt.Errorf("%s has ended: %s", p.name, strings.Join(lines[max(0, len(lines)-3):], " / "))
	default:
		return nil
	}
}

// peakMemory is the most that the process ever had in memory, in bytes.
func (p *process) peakMemory() int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	var kb int64
	_, _ = fmt.Sscan(field(string(text), "VmHWM"), &kb)
	return kb << 10
}

// processorTime is what the process with the number has used so far.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	const tick = 10 * time.Millisecond
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// ready waits until the service at the address says so at /readyz.
func (p *process) ready(ctx context.Context, address string) error {
	return p.until(ctx, time.Minute, func() bool {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			return false
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode == http.StatusOK
	})
}

// until waits for the condition, as long as the process runs.
func (p *process) until(ctx context.Context, limit time.Duration, condition func() bool) error {
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("%s: not within %s; its log is %s", p.name, limit, p.log)
		case <-tick.C:
			if err := p.alive(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) makeFolder() (err error) {
	if b.Root, err = filepath.Abs(b.Root); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(b.Root, "go.mod")); err != nil {
		return fmt.Errorf("%s is not the project's folder: run it there, or say where with --root", b.Root)
	}
	made := b.Folder == ""
	if made {
		if b.Folder, err = os.MkdirTemp("", "relais-bench-"); err != nil {
			return err
		}
	}
	if b.Folder, err = filepath.Abs(b.Folder); err != nil {
		return err
	}
	if b.Profile != "" {
		if b.Profile, err = filepath.Abs(b.Profile); err != nil {
			return err
		}
		if err := os.MkdirAll(b.Profile, 0o750); err != nil {
			return err
		}
	}
	if made {
		b.programs[""] = b.Folder // ours to remove
	}
	return errors.Join(os.MkdirAll(filepath.Join(b.Folder, "bin"), 0o700), os.MkdirAll(filepath.Join(b.Folder, "log"), 0o700))
}

// close stops what still runs and removes what was made.
func (b *bench) close() {
	if b.cluster != nil {
		b.cluster.stop()
	}
	if made := b.programs[""]; made != "" {
		_ = os.RemoveAll(made)
	}
}

// program builds a command of the project, once.
func (b *bench) program(ctx context.Context, name string) (string, error) {
	if path, ok := b.programs[name]; ok {
		return path, nil
	}
	path := filepath.Join(b.Folder, "bin", name)
	args := []string{"build", "-o", path}
	if b.Profile != "" {
		overlay, err := b.profiled(name)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/"+name)...)
	cmd.Dir = b.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	b.programs[name] = path
	return path, nil
}

// profiled makes an overlay that adds a file to a command: it takes a processor
// profile from the start to the first SIGTERM. No released program has it.
func (b *bench) profiled(name string) (string, error) {
	source := filepath.Join(b.Folder, "bin", name+"-profile.go")
	overlay := filepath.Join(b.Folder, "bin", name+"-overlay.json")
	text := fmt.Sprintf("{%q: {%q: %q}}", "Replace", filepath.Join(b.Root, "cmd", name, "profile.go"), source)
	return overlay, errors.Join(os.WriteFile(source, []byte(profileSource), 0o600), os.WriteFile(overlay, []byte(text), 0o600))
}

const profileSource = `package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

func init() {
	f, err := os.Create(os.Getenv("RELAIS_PROFILE"))
	if err != nil {
		return
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	go func() {
		<-end
		pprof.StopCPUProfile()
		_ = f.Close()
	}()
}
`
