package remote

import (
	"errors"
	"fmt"
)

// Why a request was not even sent.
var (
	// ErrOpen: the service failed several times, and is left alone for a while.
	ErrOpen = errors.New("the circuit breaker is open")
	// ErrNotReady: the service's health probe fails.
	ErrNotReady = errors.New("the service is not ready")
)

// AnswerError says what is wrong with an answer.
type AnswerError struct {
	Reason string // quotes nothing of the answer
}

func (e *AnswerError) Error() string { return "the service's answer is wrong: " + e.Reason }

func wrong(format string, args ...any) error { return &AnswerError{fmt.Sprintf(format, args...)} }

// StatusError says that the service answered with another status than 200.
type StatusError struct{ Status int }

func (e *StatusError) Error() string {
	if e.Status >= 300 && e.Status < 400 {
		return fmt.Sprintf("the service answered with status %d: redirects are not followed", e.Status)
	}
	return fmt.Sprintf("the service answered with status %d", e.Status)
}

// refusesText says whether the status is about this one text, and so says nothing
// against the service.
func (e *StatusError) refusesText() bool {
	switch e.Status {
	case 400, 413, 415, 422:
		return true
	}
	return false
}
