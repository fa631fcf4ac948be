//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// breakGlassOrders turns signals into orders for this instance: SIGUSR1 sends
// everyone to old, SIGUSR2 ends that.
func breakGlassOrders() (orders <-chan bool, stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	out := make(chan bool)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case got := <-signals:
				select {
				case out <- got == syscall.SIGUSR1:
				case <-done:
					return
				}
			}
		}
	}()
	return out, func() {
		signal.Stop(signals)
		close(done)
	}
}
