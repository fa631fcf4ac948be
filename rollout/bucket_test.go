package rollout_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/rollout"
)

type golden struct {
	id     rollout.UserID
	salt   rollout.Salt
	bucket rollout.Bucket
}

// readGolden reads testdata/buckets.csv: id, salt, bucket. The ids are written as
// JSON strings in ASCII, so that no editor, spreadsheet or Unicode normalisation
// can change them. The buckets were not computed by this package but by Python's
// hashlib, with the formula of the product:
//
//	data = (salt + ":" + id) if salt else id
//	bucket = int.from_bytes(sha256(data.encode("utf-8")).digest()[:4], "big") % 100
//
// They must never change: a changed bucket moves real users between architectures.
func readGolden(t testing.TB) []golden {
	t.Helper()
	file, err := os.Open("testdata/buckets.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var list []golden
	for line, row := range rows[1:] {
		var id string
		if err := json.Unmarshal([]byte(row[0]), &id); err != nil {
			t.Fatalf("line %d: %v", line+2, err)
		}
		bucket, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatalf("line %d: %v", line+2, err)
		}
		list = append(list, golden{rollout.UserID(id), rollout.Salt(row[1]), rollout.Bucket(bucket)})
	}
	return list
}

func TestBucketsAreTheGoldenOnes(t *testing.T) {
	for _, g := range readGolden(t) {
		if _, err := rollout.ParseUserID(string(g.id)); err != nil {
			t.Errorf("the golden id %q is refused: %v", g.id, err)
		}
		if got := rollout.BucketOf(g.salt, g.id); got != g.bucket {
			t.Errorf("BucketOf(%q, %q) = %d, want %d", g.salt, g.id, got, g.bucket)
		}
	}
}

// The golden file is only worth something while it holds the ids that tempt an
// implementation to differ.
func TestGoldenFileCoversWhatIsHard(t *testing.T) {
	has := func(table *unicode.RangeTable) func(golden) bool {
		return func(g golden) bool {
			return strings.ContainsFunc(string(g.id), func(r rune) bool { return unicode.Is(table, r) })
		}
	}
	hashed := func(g golden) int {
		if g.salt == "" {
			return len(g.id)
		}
		return len(g.salt) + 1 + len(g.id)
	}
	for _, kind := range []struct {
		name  string
		least int
		is    func(golden) bool
	}{
		{"in all", 1000, func(golden) bool { return true }},
		{"salted", 200, func(g golden) bool { return g.salt != "" }},
		{"one byte", 90, func(g golden) bool { return len(g.id) == 1 }},
		{"256 bytes", 5, func(g golden) bool { return len(g.id) == rollout.MaxUserID }},
		{"salt of 64 bytes", 5, func(g golden) bool { return len(g.salt) == rollout.MaxSalt }},
		{"55 bytes hashed, one block", 5, func(g golden) bool { return hashed(g) == 55 }},
		{"56 bytes hashed, two blocks", 5, func(g golden) bool { return hashed(g) == 56 }},
		{"64 bytes hashed", 5, func(g golden) bool { return hashed(g) == 64 }},
		{"65 bytes hashed", 5, func(g golden) bool { return hashed(g) == 65 }},
		{"e-mail", 50, func(g golden) bool { return strings.Contains(string(g.id), "@example.") }},
		{"number", 50, func(g golden) bool { _, err := strconv.ParseUint(string(g.id), 10, 64); return err == nil }},
		{"UUID", 50, func(g golden) bool { return len(g.id) == 36 && strings.Count(string(g.id), "-") == 4 }},
		{"Cyrillic", 30, has(unicode.Cyrillic)},
		{"Han", 20, has(unicode.Han)},
		{"Hangul", 3, has(unicode.Hangul)},
		{"combining mark", 20, has(unicode.M)},
		{"zero-width joiner", 10, func(g golden) bool { return strings.Contains(string(g.id), "\u200d") }},
		{"beyond 16 bits", 20, func(g golden) bool {
			return strings.ContainsFunc(string(g.id), func(r rune) bool { return r > 0xffff })
		}},
	} {
		n := 0
		for _, g := range readGolden(t) {
			if kind.is(g) {
				n++
			}
		}
		if n < kind.least {
			t.Errorf("%d golden ids are %s, want at least %d", n, kind.name, kind.least)
		}
	}
}

// bucketByDefinition is the formula once more, with no thought of speed.
func bucketByDefinition(salt rollout.Salt, id rollout.UserID) rollout.Bucket {
	text := string(id)
	if salt != "" {
		text = string(salt) + ":" + text
	}
	sum := sha256.Sum256([]byte(text))
	return rollout.Bucket(binary.BigEndian.Uint32(sum[:]) % 100)
}

// validID draws valid user ids of every length and many scripts.
func validID() *rapid.Generator[rollout.UserID] {
	char := rapid.OneOf(
		rapid.RuneFrom(nil, unicode.Latin, unicode.Nd, unicode.Cyrillic, unicode.Han, unicode.M, unicode.So),
		rapid.RuneFrom([]rune("abcxyz0189-_.@:+ \u200d\u0301👩")),
	)
	return rapid.Custom(func(t *rapid.T) rollout.UserID {
		text := rapid.OneOf(rapid.StringOfN(char, 1, 80, rollout.MaxUserID), rapid.StringOfN(char, 1, -1, rollout.MaxUserID)).Draw(t, "id")
		return rollout.UserID(text)
	})
}

func salts() *rapid.Generator[rollout.Salt] {
	return rapid.Map(rapid.StringMatching(`[A-Za-z0-9_.-]{0,64}`), func(s string) rollout.Salt { return rollout.Salt(s) })
}

func TestBucketIsAFunctionOfSaltAndIDAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		salt, id := salts().Draw(t, "salt"), validID().Draw(t, "id")
		bucket := rollout.BucketOf(salt, id)
		if bucket < 0 || bucket > 99 {
			t.Fatalf("bucket is %d, want 0 to 99", bucket)
		}
		if want := bucketByDefinition(salt, id); bucket != want {
			t.Fatalf("bucket is %d, want %d", bucket, want)
		}
	})
}

// Whatever the cache has seen, forgotten or overwritten, it answers as BucketOf.
func TestCacheAlwaysAgreesWithBucketOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		salt, other := rollout.Salt("a"), rollout.Salt("b")
		// 128 slots for up to 1,000 users: most look-ups collide.
		cache := rollout.NewBucketCache(salt, rapid.IntRange(1, 200).Draw(t, "slots"))
		seen := map[rollout.UserID]rollout.Bucket{}
		t.Repeat(map[string]func(*rapid.T){
			"a number of users": func(t *rapid.T) {
				first := rapid.IntRange(0, 1000).Draw(t, "first")
				for i := first; i < first+100; i++ {
					id := rollout.UserID(fmt.Sprint("user-", i))
					got := cache.Bucket(salt, id)
					if want := bucketByDefinition(salt, id); got != want {
						t.Fatalf("cached bucket of %q is %d, want %d", id, got, want)
					}
					if before, known := seen[id]; known && before != got {
						t.Fatalf("%q had bucket %d and now has %d", id, before, got)
					}
					seen[id] = got
				}
			},
			"any user": func(t *rapid.T) {
				id := validID().Draw(t, "id")
				if got, want := cache.Bucket(salt, id), bucketByDefinition(salt, id); got != want {
					t.Fatalf("cached bucket is %d, want %d", got, want)
				}
			},
			"another rollout's salt": func(t *rapid.T) {
				id := rollout.UserID(fmt.Sprint("user-", rapid.IntRange(0, 1000).Draw(t, "user")))
				if got, want := cache.Bucket(other, id), bucketByDefinition(other, id); got != want {
					t.Fatalf("bucket under another salt is %d, want %d", got, want)
				}
			},
			"clear": func(t *rapid.T) {
				cache.Clear()
				if n := cache.Size(); n != 0 {
					t.Fatalf("a cleared cache holds %d users", n)
				}
			},
			"": func(t *rapid.T) {
				if n := cache.Size(); n < 0 || n > 256 {
					t.Fatalf("the cache says that it holds %d users", n)
				}
			},
		})
	})
}

func TestCacheSize(t *testing.T) {
	for _, c := range []struct {
		name        string
		slots       int
		least, most int // users held after 1,000 were seen
	}{
		{"no slots", 0, 0, 0},
		{"negative slots", -5, 0, 0},
		{"fewer than the smallest cache", 1, 100, 128},
		{"rounded up to a power of two", 129, 200, 256},
		{"roomy", rollout.DefaultCacheSlots, 950, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := rollout.NewBucketCache("", c.slots)
			if (cache == nil) != (c.slots <= 0) {
				t.Fatalf("NewBucketCache(%d) is %v", c.slots, cache)
			}
			for i := range 1000 {
				cache.Bucket("", rollout.UserID(fmt.Sprint("user-", i)))
			}
			n := cache.Size()
			if n < c.least || n > c.most {
				t.Errorf("the cache holds %d users, want %d to %d", n, c.least, c.most)
			}
			for i := range 1000 {
				cache.Bucket("elsewhere", rollout.UserID(fmt.Sprint("stranger-", i)))
			}
			if cache.Size() != n {
				t.Errorf("users of another salt were kept: %d users, then %d", n, cache.Size())
			}
			cache.Clear()
			if n := cache.Size(); n != 0 {
				t.Errorf("a cleared cache holds %d users", n)
			}
		})
	}
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	cache := rollout.NewBucketCache("s", 1) // 128 slots for 400 users
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 4000 {
				id := rollout.UserID(fmt.Sprint("user-", (i*(worker+1))%400))
				if got, want := cache.Bucket("s", id), rollout.BucketOf("s", id); got != want {
					t.Errorf("cached bucket of %q is %d, want %d", id, got, want)
					return
				}
				if i%500 == 0 {
					cache.Clear()
				}
			}
		})
	}
	all.Wait()
	if n := cache.Size(); n < 0 || n > 128 {
		t.Errorf("a cache of 128 slots says that it holds %d users", n)
	}
	cache.Clear()
	if n := cache.Size(); n != 0 {
		t.Errorf("a cleared cache holds %d users: the count has drifted", n)
	}
}

const crowd = 20_000

func crowdID(i int) rollout.UserID { return rollout.UserID(fmt.Sprintf("user-%d@example.com", i)) }

// Each bucket holds its share of users. With 99 degrees of freedom chi-squared
// has mean 99 and standard deviation 14; 175 is passed by chance about four
// times in a million. The ids are fixed, so the test cannot flicker: it only
// fails when the hash has changed.
func TestBucketsAreUniform(t *testing.T) {
	for _, salt := range []rollout.Salt{"", "nlp-2", "0f8c2b7e9a4d4f6a"} {
		var counts [100]int
		for i := range crowd {
			counts[rollout.BucketOf(salt, crowdID(i))]++
		}
		chi2, expected := 0.0, crowd/100.0
		for _, n := range counts {
			chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
		}
		if chi2 > 175 {
			t.Errorf("salt %q: chi-squared is %.1f, want at most 175: %v", salt, chi2, counts)
		}
	}
}

// Two rollouts under different salts choose their first users independently. The
// correlation of n independent pairs has standard deviation 1/sqrt(n) = 0.0071;
// the bound is five of them. The 10 × 10 table of deciles would also show a
// dependence that is not linear; its margins are not fitted, so its chi-squared
// has 99 degrees of freedom and the bound of TestBucketsAreUniform.
func TestSaltedRolloutsDoNotCorrelate(t *testing.T) {
	salts := []rollout.Salt{"", "a", "b", "nlp-2", "nlp-3"}
	for i, first := range salts {
		for _, second := range salts[i+1:] {
			var sumX, sumY, sumXX, sumYY, sumXY float64
			var table [10][10]int
			for u := range crowd {
				a, b := rollout.BucketOf(first, crowdID(u)), rollout.BucketOf(second, crowdID(u))
				table[a/10][b/10]++
				x, y := float64(a), float64(b)
				sumX, sumY, sumXX, sumYY, sumXY = sumX+x, sumY+y, sumXX+x*x, sumYY+y*y, sumXY+x*y
			}
			n := float64(crowd)
			r := (n*sumXY - sumX*sumY) / math.Sqrt((n*sumXX-sumX*sumX)*(n*sumYY-sumY*sumY))
			if bound := 5 / math.Sqrt(n); math.Abs(r) > bound {
				t.Errorf("salts %q and %q: correlation is %.4f, want within ±%.4f", first, second, r, bound)
			}
			chi2, expected := 0.0, n/100
			for _, row := range table {
				for _, cell := range row {
					chi2 += (float64(cell) - expected) * (float64(cell) - expected) / expected
				}
			}
			if chi2 > 175 {
				t.Errorf("salts %q and %q: chi-squared is %.1f, want at most 175", first, second, chi2)
			}
		}
	}
}

// Fuzz this one with -fuzzminimizetime=10x: a cache's random seed makes coverage
// differ from run to run, and the minimiser would chase that difference.
func FuzzBucket(f *testing.F) {
	for _, id := range []string{"", "u", "user-1", strings.Repeat("u", 55), strings.Repeat("u", 64), strings.Repeat("u", 256), strings.Repeat("u", 257), "ж", "\x00", "\xff"} {
		f.Add("", id)
		f.Add("salt", id)
		f.Add(strings.Repeat("S", rollout.MaxSalt), id)
	}
	f.Fuzz(func(t *testing.T, salt, id string) {
		want := bucketByDefinition(rollout.Salt(salt), rollout.UserID(id))
		if got := rollout.BucketOf(rollout.Salt(salt), rollout.UserID(id)); got != want {
			t.Fatalf("bucket is %d, want %d", got, want)
		}
		cache := rollout.NewBucketCache(rollout.Salt(salt), 1)
		for _, state := range []string{"empty", "filled"} {
			if got := cache.Bucket(rollout.Salt(salt), rollout.UserID(id)); got != want {
				t.Fatalf("bucket from the %s cache is %d, want %d", state, got, want)
			}
		}
	})
}
