package rollout_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestParseUserID(t *testing.T) {
	const rule = "1 to 256 bytes of valid UTF-8 without control characters"
	for _, c := range []struct {
		name, id string
		wrong    string // what the refusal says; empty if the id is valid
	}{
		{"one letter", "u", ""},
		{"a space", " ", ""},
		{"256 bytes", strings.Repeat("u", 256), ""},
		{"256 bytes of Cyrillic", strings.Repeat("ж", 128), ""},
		{"emoji with joiners", "👩‍👩‍👧‍👦", ""},
		{"combining marks", "Z\u0351\u036b", ""},
		{"right-to-left", "مستخدم", ""},
		{"non-breaking space", "a\u00a0b", ""},
		{"line separator, which is not a control character", "a\u2028b", ""},
		{"the replacement character itself", "\ufffd", ""},
		{"tilde, the last printable of ASCII", "~", ""},
		{"empty", "", "empty"},
		{"257 bytes", strings.Repeat("u", 257), "257 bytes long"},
		{"257 bytes in 129 characters", strings.Repeat("ж", 128) + "u", "257 bytes long"},
		{"a megabyte", strings.Repeat("u", 1<<20), "1048576 bytes long"},
		{"NUL", "user\x00", "control character"},
		{"line break", "user\n", "control character"},
		{"tab", "\tuser", "control character"},
		{"unit separator, the last before the space", "\x1f", "control character"},
		{"DEL", "user\x7f", "control character"},
		{"next line, a control character of two bytes", "user\u0085", "control character"},
		{"the last control character", "\u009f", "control character"},
		{"control character after Cyrillic", "ж\x01", "control character"},
		{"broken UTF-8", "user\xff", "not valid UTF-8"},
		{"cut character", "\xd0", "not valid UTF-8"},
		{"overlong encoding", "\xc0\xaf", "not valid UTF-8"},
		{"surrogate", "\xed\xa0\x80", "not valid UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := rollout.ParseUserID(c.id)
			if c.wrong == "" {
				if err != nil || string(id) != c.id {
					t.Fatalf("ParseUserID(%q) = %q, %v; want it as it is", c.id, id, err)
				}
				return
			}
			if id != "" {
				t.Errorf("a refused id is returned as %q", id)
			}
			wantRefusal(t, err, rollout.CodeInvalid, c.wrong, rule)
			var refusal *rollout.Refusal
			if errors.As(err, &refusal); refusal.Field != "user_id" {
				t.Errorf("field is %q, want user_id", refusal.Field)
			}
		})
	}
}

// User ids are personal: no error may carry one into a log.
func TestUserIDIsNeverInTheError(t *testing.T) {
	for _, id := range []string{"planted\x00", "planted\xff", strings.Repeat("planted", 100)} {
		if _, err := rollout.ParseUserID(id); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("error is %v, want one without the id", err)
		}
	}
}

// validByRule is the rule as it is written, one character at a time.
func validByRule(id string) bool {
	if len(id) < 1 || len(id) > 256 || !utf8.ValidString(id) {
		return false
	}
	for _, r := range id {
		if r <= 0x1f || r >= 0x7f && r <= 0x9f { // Unicode's category Cc
			return false
		}
	}
	return true
}

func FuzzParseUserID(f *testing.F) {
	for _, id := range []string{"", "u", "user-1", "Иван", "用户", "👩‍👩‍👧‍👦", "e\u0301", "a\x00", "\x7f", "\u0085", "\u009f", "\u00a0", "\xff", "\xc2", strings.Repeat("u", 256), strings.Repeat("u", 257), strings.Repeat("ж", 128) + "\n"} {
		f.Add(id)
	}
	plan := at(rollout.FullRollout).Plan("", keyer, nil)
	f.Fuzz(func(t *testing.T, text string) {
		id, err := rollout.ParseUserID(text)
		want := validByRule(text)
		if (err == nil) != want {
			t.Fatalf("ParseUserID(%q): %v, want valid: %t", text, err, want)
		}
		if got := rollout.UserID(text).Valid(); got != want {
			t.Fatalf("valid() of %q is %t, want %t", text, got, want)
		}
		if err == nil && string(id) != text {
			t.Fatalf("ParseUserID changed %q to %q", text, id)
		}
		if reason := plan.Decide(rollout.UserID(text)).Reason; (reason != rollout.ReasonError) != want {
			t.Fatalf("Decide(%q) has reason %s, want valid: %t", text, reason, want)
		}
	})
}

func TestKeyIsTheHMAC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// HMAC hashes secrets of more than a block, 64 bytes.
		length := rapid.SampledFrom([]int{0, 1, 32, 63, 64, 65, 200}).Draw(t, "length")
		secret := rapid.SliceOfN(rapid.Byte(), length, length).Draw(t, "secret")
		id := validID().Draw(t, "id")
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id))
		want := rollout.UserKey(mac.Sum(nil)[:16])
		keyer := rollout.NewKeyer(secret)
		if got := keyer.Key(id); got != want {
			t.Fatalf("key is %s, want the first half of the HMAC %s", got, want)
		}
	})
}

func TestZeroKeyerHasAnEmptySecret(t *testing.T) {
	var zero rollout.Keyer
	empty := rollout.NewKeyer(nil)
	if zero.Key("user-1") != empty.Key("user-1") {
		t.Error("the zero Keyer and the one of an empty secret give different keys")
	}
}

func TestKeyerDoesNotKeepTheCallersSecret(t *testing.T) {
	secret := []byte("0123456789abcdef")
	keyer := rollout.NewKeyer(secret)
	before := keyer.Key("user-1")
	clear(secret)
	if keyer.Key("user-1") != before {
		t.Error("the key changed with the slice that the secret came in")
	}
}

func TestKeyDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { keyer.Key("user-1") }); n != 0 {
		t.Errorf("Key allocates %v times", n)
	}
}

func TestUserKeyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rollout.UserKey(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "key"))
		encoded, err := json.Marshal(map[rollout.UserKey]rollout.UserKey{key: key})
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"` + key.String() + `":"` + key.String() + `"}`; string(encoded) != want {
			t.Fatalf("JSON is %s, want %s", encoded, want)
		}
		var decoded map[rollout.UserKey]rollout.UserKey
		if err := json.Unmarshal(encoded, &decoded); err != nil || decoded[key] != key {
			t.Fatalf("decoded %v (%v), want %s", decoded, err, key)
		}
	})
}

func FuzzUserKeyUnmarshalText(f *testing.F) {
	for _, text := range []string{"", "00", strings.Repeat("0", 31), strings.Repeat("0", 32), strings.Repeat("0", 33), strings.Repeat("F", 32), strings.Repeat("0", 31) + "g", strings.Repeat("ж", 16)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		kept := rollout.UserKey{1, 2, 3}
		key := kept
		err := key.UnmarshalText(text)
		valid := len(text) == 32 && strings.Trim(strings.ToLower(string(text)), "0123456789abcdef") == "" && utf8.Valid(text)
		if (err == nil) != valid {
			t.Fatalf("UnmarshalText(%q): %v, want valid: %t", text, err, valid)
		}
		if err != nil {
			if key != kept {
				t.Fatalf("a bad text changed the key to %s", key)
			}
			if !strings.Contains(err.Error(), "32 hexadecimal digits") {
				t.Fatalf("error %q does not say what would be right", err)
			}
			return
		}
		if again, _ := key.MarshalText(); string(again) != strings.ToLower(string(text)) {
			t.Fatalf("%q was written back as %q", text, again)
		}
	})
}
