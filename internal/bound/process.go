package bound

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"time"
)

// An instance that is a process of its own is told what to do on its standard input,
// in lines of JSON: first an order, then for each empty line it answers with a report.
// It ends with its input.
type order struct {
	URL   string        `json:"url"` // not an argument: it may hold a password
	Name  string        `json:"name"`
	Lease time.Duration `json:"lease"`
}

// report is what a process knows of its decisions. Its times are of the wall clock,
// in nanoseconds since 1970: that one the processes of a machine share.
type report struct {
	Error     string `json:"error,omitempty"`
	Recovered bool   `json:"recovered"`
	Before    int64  `json:"before"`
	After     int64  `json:"after"`
	Decisions int64  `json:"decisions"`
}

// RunInstance is the main function of a process that [Config.Process] starts.
func RunInstance(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	var o order
	if !lines.Scan() {
		return errors.New("there is no order on the standard input")
	}
	if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
		return fmt.Errorf("reading the order: %w", err)
	}
	answers := json.NewEncoder(out)
	i, err := startInstance(ctx, &ground{url: o.URL}, o.Name, Config{Lease: o.Lease, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return errors.Join(err, answers.Encode(report{Error: err.Error()}))
	}
	for lines.Scan() {
		at := i.lastMoment()
		r := report{Decisions: i.decisions()}
		if !at.before.IsZero() {
			r.Before, r.After = at.before.UnixNano(), at.after.UnixNano()
		}
		var why error
		if r.Recovered, why = i.recovered(); why != nil {
			r.Error = why.Error()
		}
		if err := answers.Encode(r); err != nil {
			return errors.Join(err, i.close())
		}
	}
	return errors.Join(lines.Err(), i.close())
}

// process is an instance that is a process of its own.
type process struct {
	name    string
	lease   time.Duration
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *json.Decoder
	last    report
	awake   chan error // gets a value when the process that was stopped goes on; else nil
}

func startProcess(ground *ground, name string, config Config) (_ *process, err error) {
	p := &process{name: name, lease: config.Lease, cmd: config.Process()}
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	answers, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.answers = json.NewDecoder(answers)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting an instance as a process: %w", err)
	}
	text, err := json.Marshal(order{URL: ground.url, Name: name, Lease: config.Lease})
	if err == nil {
		_, err = p.orders.Write(append(text, '\n'))
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *process) String() string { return p.name }

func (p *process) faults() []fault {
	all := []fault{{name: "none, another process"}}
	if canStop {
		all = append(all, fault{name: "stopped, continued", begin: p.stop, end: p.watchAwake})
	}
	return all
}

// stop stops the process for a third of the lease to three leases and a third: at a
// lease of 3 s, 1 to 10 s. It goes on by itself: on SQLite it may hold the lock that the
// rollback needs.
func (p *process) stop() error {
	if err := stopProcess(p.cmd.Process); err != nil {
		return err
	}
	p.awake = make(chan error, 1)
	time.AfterFunc(p.lease/3+rand.N(3*p.lease), func() { p.awake <- continueProcess(p.cmd.Process) })
	return nil
}

// watchAwake waits until the process has gone on, and watches it decide.
func (p *process) watchAwake() error {
	if p.awake == nil {
		return nil
	}
	err := <-p.awake
	p.awake = nil
	time.Sleep(p.lease / 2)
	return err
}

func (p *process) ask() error {
	if _, err := p.orders.Write([]byte("\n")); err != nil {
		return fmt.Errorf("asking %s: %w", p.name, err)
	}
	var r report
	if err := p.answers.Decode(&r); err != nil {
		return fmt.Errorf("%s does not answer: %w", p.name, err)
	}
	p.last = r
	return nil
}

func (p *process) recovered() (bool, error) {
	if err := p.ask(); err != nil {
		return false, err
	}
	if p.last.Error != "" {
		return p.last.Recovered, errors.New(p.last.Error)
	}
	return p.last.Recovered, nil
}

// lastNew takes the time before the decision for both of its times: a process that is
// stopped between a decision and the next look at the clock would count its sleep.
func (p *process) lastNew() (moment, error) {
	if err := p.ask(); err != nil || p.last.Before == 0 {
		return moment{}, err
	}
	at := time.Unix(0, p.last.Before)
	return moment{at, at}, nil
}

func (p *process) decisions() int64 { return p.last.Decisions }

func (p *process) close() error {
	stopped := p.watchAwake()
	_ = p.orders.Close() // which ends it
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		return errors.Join(stopped, err)
	case <-time.After(10 * time.Second):
		return errors.Join(fmt.Errorf("%s did not end", p.name), p.cmd.Process.Kill(), <-ended)
	}
}
