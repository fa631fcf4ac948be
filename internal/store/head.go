package store

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// headOrigin is the first line of a head, and the name of the key that signs it.
const headOrigin = "nlpcanary"

// AuditHead is a signed tree head, to be kept where nobody who can write the
// database can write. Its text is a C2SP tlog-checkpoint: the line "nlpcanary", the
// number of entries, the root hash in base64; signed as golang.org/x/mod/sumdb/note
// does.
func (s *Store) AuditHead(ctx context.Context) (string, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var tree tlog.Tree
	err := s.snapshot(ctx, "reading the audit trail's head", func(q *gen.Queries) error {
		row, err := q.Version(ctx)
		if err != nil {
			return failed("reading the state", err)
		}
		tree.N = row.Revision
		tree.Hash, err = tlog.TreeHash(tree.N, storedHashes(ctx, q))
		return failed("reading the audit trail's hashes", err)
	})
	if err != nil {
		return "", err
	}
	signer, _, err := headKeys(s.signer)
	if err != nil {
		return "", err
	}
	signed, err := note.Sign(&note.Note{Text: formatHead(tree)}, signer)
	if err != nil {
		return "", fmt.Errorf("signing the audit trail's head: %w", err)
	}
	return string(signed), nil
}

// openHead reads a signed head. What cannot be read is refused; a head that can be
// read and is not signed by this installation comes with the problem in words.
func (s *Store) openHead(text string) (tree tlog.Tree, problem string, err error) {
	malformed := &rollout.Refusal{
		Code: rollout.CodeInvalid, Field: "head", Message: "this is not a signed head of the audit trail",
		Hint: "give the whole output of 'nlpcanary audit head', its last line included",
	}
	body, _, found := strings.Cut(text, "\n\n")
	if tree, err = parseHead(body + "\n"); err != nil || !found {
		return tlog.Tree{}, "", malformed
	}
	_, verifier, err := headKeys(s.signer)
	if err != nil {
		return tlog.Tree{}, "", err
	}
	_, err = note.Open([]byte(text), note.VerifierList(verifier))
	var (
		otherKey *note.UnverifiedNoteError
		changed  *note.InvalidSignatureError
	)
	switch {
	case err == nil:
		return tree, "", nil
	case errors.As(err, &otherKey), errors.As(err, &changed):
		return tree, "the head is not signed by this installation's key: it was changed, it is of another installation, or the key was replaced", nil
	}
	return tlog.Tree{}, "", malformed
}

func formatHead(tree tlog.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", headOrigin, tree.N, tree.Hash)
}

// parseHead reads the text that formatHead writes.
func parseHead(text string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != headOrigin || lines[3] != "" {
		return tlog.Tree{}, fmt.Errorf("a head has three lines, the first of which is %s", headOrigin)
	}
	n, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || n < 1 || lines[1] != strconv.FormatInt(n, 10) {
		return tlog.Tree{}, fmt.Errorf("the second line of a head is the number of entries")
	}
	hash, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the third line of a head is a hash: %w", err)
	}
	return tlog.Tree{N: n, Hash: hash}, nil
}

// headKeys makes the keys from the installation's seed.
func headKeys(seed []byte) (note.Signer, note.Verifier, error) {
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	verifierKey, err := note.NewEd25519VerifierKey(headOrigin, public)
	if err != nil {
		return nil, nil, fmt.Errorf("making the audit trail's key: %w", err)
	}
	verifier, err := note.NewVerifier(verifierKey)
	if err != nil {
		return nil, nil, fmt.Errorf("making the audit trail's key: %w", err)
	}
	const ed25519Algorithm = 1 // of the signed note format
	private := base64.StdEncoding.EncodeToString(append([]byte{ed25519Algorithm}, seed...))
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", headOrigin, verifier.KeyHash(), private))
	if err != nil {
		return nil, nil, fmt.Errorf("making the audit trail's key: %w", err)
	}
	return signer, verifier, nil
}
