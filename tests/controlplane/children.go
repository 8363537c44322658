package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
)

// children are this binary's other components, run as child processes because they share
// global state (feature gates, metrics) of which a process can have only one.
type children struct {
	dir    string
	cancel context.CancelCauseFunc
	procs  []*exec.Cmd
	done   []chan struct{}
}

// start runs a component with its output in NAME.log; its end, whatever the reason, ends all.
func (c *children) start(name string, args []string) error {
	if args == nil {
		return fmt.Errorf("no component %q", name)
	}
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", append([]string{name}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error), make(chan struct{})
	go func() {
		// Linux ties Pdeathsig to the parent's thread, so the thread has to outlive the child.
		runtime.LockOSThread()
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.cancel(fmt.Errorf("%s ended: %v; see %s", name, cmd.Wait(), log.Name()))
		}
		close(done)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.procs, c.done = append(c.procs, cmd), append(c.done, done)
	return nil
}

// stop ends the children, last started first. Their state is thrown away, so there is nothing
// to save: SIGKILL skips kube-apiserver's long graceful shutdown.
func (c *children) stop() {
	for _, cmd := range slices.Backward(c.procs) {
		cmd.Process.Kill()
	}
	for _, done := range c.done {
		<-done
	}
}
