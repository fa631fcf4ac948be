package gold

import (
	"fmt"

	"github.com/nlpcanary/nlpcanary/extract"
)

// quoted finds a span of which the file says what stands there.
func quoted(at extract.Offsets, start, end int, quote string) (int, int, error) {
	from, to, err := at.Bytes(start, end)
	if err != nil {
		return 0, 0, err
	}
	if stands := at.Text()[from:to]; stands != quote {
		return 0, 0, misquoted(start, end, stands, quote)
	}
	return from, to, nil
}

func misquoted(start, end int, stands, quote string) error {
	return fmt.Errorf("the span %d to %d is %q in the text, and not %q as the file quotes it", start, end, clip(stands), clip(quote))
}

// clip shortens a text for an error.
func clip(text string) string {
	const most = 60
	runes := 0
	for i := range text {
		if runes == most {
			return text[:i] + "…"
		}
		runes++
	}
	return text
}
