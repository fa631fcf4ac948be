package extract_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nlpcanary/nlpcanary/extract"
)

func Example() {
	doc := extract.Document{
		Language: extract.English,
		Text: "“Wait here,” said Tom.\n\n" +
			"Beyond the gate stood a low white house with green shutters and a roof of mossy slate. " +
			"He rang twice and nobody came.",
	}
	result, err := extract.NewEnsemble().Extract(context.Background(), doc)
	if err != nil {
		log.Fatal(err)
	}
	for i, d := range result.Descriptions {
		at := extract.RuneSpans(doc.Text, result.Descriptions)[i]
		fmt.Printf("%s, characters %d to %d: %s\n", d.Type, at.Start, at.End, d.Content)
	}
	// Output:
	// location, characters 24 to 110: Beyond the gate stood a low white house with green shutters and a roof of mossy slate.
}
