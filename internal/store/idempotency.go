package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// rememberFor is how long the answer to an idempotency key is kept.
const rememberFor = 24 * time.Hour

func checkKey(key string) error {
	printable := strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	if len(key) <= 255 && printable {
		return nil
	}
	return &rollout.Refusal{
		Code: rollout.CodeInvalid, Field: "idempotency_key", Message: "the idempotency key is not usable",
		Hint: "it is 1 to 255 printable ASCII characters",
	}
}

// answer is an [Applied] as it is kept.
type answer struct {
	Result rollout.Result
	Was    rollout.State
	At     time.Time
}

// digestOfRequest tells one request from another. What the caller draws at random
// for each attempt is not part of the request.
func digestOfRequest(r Request) (string, error) {
	change := r.Change
	if start, ok := change.(rollout.Start); ok {
		start.Salt = ""
		change = start
	}
	text, err := json.Marshal(struct {
		Action rollout.Action
		Change rollout.Change
		Note   string
		Base   int64
	}{change.Action(), change, r.Note, r.Base})
	if err != nil {
		return "", fmt.Errorf("encoding the request: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// firstAnswer finds the answer that the request had when it came first.
func (a *applying) firstAnswer(ctx context.Context, r Request) (Applied, bool, error) {
	row, err := a.q.GetIdempotency(ctx, gen.GetIdempotencyParams{Key: r.IdempotencyKey, Actor: r.Actor.Name})
	if errors.Is(err, sql.ErrNoRows) {
		return Applied{}, false, nil
	}
	if err != nil {
		return Applied{}, false, failed("looking for the first answer", err)
	}
	if !fromMicros(row.At).After(a.at.Add(-rememberFor)) {
		return Applied{}, false, nil
	}
	digest, err := digestOfRequest(r)
	if err != nil {
		return Applied{}, false, err
	}
	if row.Digest != digest {
		return Applied{}, false, ErrKeyReused
	}
	var first answer
	if err := json.Unmarshal([]byte(row.Answer), &first); err != nil {
		return Applied{}, false, fmt.Errorf("%w: the first answer cannot be read: %w", ErrDatabase, err)
	}
	return Applied{Result: first.Result, Was: first.Was, At: first.At, Replayed: true}, true, nil
}

// remember keeps the answer, and forgets those that are old enough.
func (a *applying) remember(ctx context.Context, r Request, applied Applied) error {
	if err := a.q.ForgetIdempotency(ctx, a.at.Add(-rememberFor).UnixMicro()); err != nil {
		return failed("forgetting old answers", err)
	}
	digest, err := digestOfRequest(r)
	if err != nil {
		return err
	}
	text, err := json.Marshal(answer{applied.Result, applied.Was, applied.At})
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	return failed("keeping the answer", a.q.PutIdempotency(ctx, gen.PutIdempotencyParams{
		Key: r.IdempotencyKey, Actor: r.Actor.Name, Digest: digest, Answer: string(text), At: a.at.UnixMicro(),
	}))
}
