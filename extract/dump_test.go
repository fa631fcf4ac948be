package extract

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/prose"
)

func TestDump(t *testing.T) {
	if os.Getenv("DUMP") == "" {
		t.Skip()
	}
	for _, p := range prose.Passages() {
		a := newAnalyser(Language(p.Language))
		fmt.Println("=====", p.ID)
		a.walk(context.Background(), p.Text, func(b *block) error {
			get := func(pr processor) map[int]candidate {
				m := map[int]candidate{}
				c, _ := pr.find(b, nil)
				for _, x := range c {
					m[x.start] = x
				}
				return m
			}
			d, g, c, k := get(density{}), get(gazetteer{}), get(constructions{}), get(keywords{})
			votes := []vote{}
			for i, m := range []map[int]candidate{d, g, c} {
				for _, x := range m {
					votes = append(votes, vote{x, i})
				}
			}
			acc := map[int]string{}
			for _, e := range defaultVoting.elect(votes, []float64{1, 1.2, .8}) {
				acc[e.start] = string(kinds[e.kind])[:1]
			}
			f := func(m map[int]candidate, at int) string {
				x, ok := m[at]
				if !ok {
					return "  --  "
				}
				return fmt.Sprintf("%s %.2f", string(kinds[x.kind])[:1], x.confidence)
			}
			for _, s := range b.sentences {
				fmt.Printf("[%1s] d %s  g %s  c %s | k %s | %s\n", acc[s.start], f(d, s.start), f(g, s.start), f(c, s.start), f(k, s.start), p.Text[s.start:s.end])
			}
			return nil
		})
		a.release()
	}
}
