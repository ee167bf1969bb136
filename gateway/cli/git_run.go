package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A clone is the repository of the current directory, asked by the git program.
type clone struct {
	ctx     context.Context
	program string
	shallow bool
	room    int // bytes to read of one command
}

func openClone(ctx context.Context) (*clone, error) {
	program, err := exec.LookPath("git")
	if err != nil {
		return nil, errors.New("git is not installed, and --git asks it; install git, or describe the push by --repo, --branch and --file")
	}
	c := &clone{ctx: ctx, program: program, room: maxGitOutput}
	shallow, err := c.line("rev-parse", "--is-shallow-repository")
	if failed, ok := errors.AsType[*gitError](err); ok {
		switch {
		case strings.Contains(failed.said, "not a git repository"):
			err = errors.New("there is no git repository here; run explain --git in a clone, or describe the push by --repo, --branch and --file")
		case strings.Contains(failed.said, "dubious ownership"):
			err = errors.New("git does not trust the repository here, which belongs to another user; if you do, add it to safe.directory of your git configuration")
		default:
			err = fmt.Errorf("git cannot read the repository here: %s; put that right first", failed.first())
		}
	}
	c.shallow = shallow == "true"
	return c, err
}

// A gitError is a git command that failed.
type gitError struct {
	command, said string
	code          int
}

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s failed: %s; git fsck tells whether the clone is damaged, and a partial clone must be fetched whole (git fetch --refetch --no-filter)", e.command, e.first())
}

// first is the line git ended with, or else its first.
func (e *gitError) first() string {
	_, fatal, ok := strings.Cut("\n"+e.said, "\nfatal: ")
	if !ok {
		fatal = e.said
	}
	line, _, _ := strings.Cut(fatal, "\n")
	return plain(line)
}

// errTooMuch comes with the output there was room for.
var errTooMuch = errors.New("git says too much")

// run keeps git from running anything and from asking anybody: no hook, monitor,
// pager, prompt or transport, and no fetching of what a partial clone lacks.
// Replaced objects are not what was pushed.
func (c *clone) run(args ...string) ([]byte, error) {
	quiet := []string{"--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull}
	cmd := exec.CommandContext(c.ctx, c.program, append(quiet, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1",
		"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none")
	cmd.WaitDelay = time.Second
	out, said := bounded{room: c.room, end: errTooMuch}, bounded{room: 8 << 10}
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	switch exit, ok := errors.AsType[*exec.ExitError](err); {
	case out.full:
		return out.text.Bytes(), errTooMuch
	case err == nil:
		return out.text.Bytes(), nil
	case c.ctx.Err() != nil:
		return nil, fmt.Errorf("git %s: %w", args[0], c.ctx.Err())
	case ok:
		return nil, &gitError{args[0], strings.TrimSpace(said.text.String()), exit.ExitCode()}
	}
	return nil, fmt.Errorf("run git %s: %w", args[0], err)
}

// line runs a git command that answers with one line.
func (c *clone) line(args ...string) (string, error) {
	out, err := c.run(args...)
	return strings.TrimSuffix(string(out), "\n"), err
}

// ask is line, and "" where git has no answer.
func (c *clone) ask(args ...string) string {
	if out, err := c.line(args...); err == nil {
		return out
	}
	return ""
}

// A bounded writer keeps what there is room for; then it gives end to the
// writer, or drops the rest where end is nil.
type bounded struct {
	text bytes.Buffer
	room int
	full bool
	end  error
}

func (b *bounded) Write(p []byte) (int, error) {
	keep := min(len(p), b.room-b.text.Len())
	b.text.Write(p[:keep])
	if keep < len(p) {
		b.full = true
		if b.end != nil {
			return keep, b.end
		}
	}
	return len(p), nil
}
