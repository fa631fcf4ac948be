// Command train learns the weights of the ensemble's processors from the training part
// of the built-in gold, by multinomial logistic regression: each sentence is of the
// type whose spans cover at least half of it, or of none; sentences in partial spans
// are left out. It writes extract/weights.json, and is deterministic.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/extract/gold"
)

var types = []extract.Type{extract.TypeLocation, extract.TypeCharacter, extract.TypeAtmosphere}

// none is the label of a sentence that describes nothing: the reference, whose weights
// are 0. The other labels are indices in types.
const none = -1

// example is a sentence.
type example struct {
	label  int
	values map[string][]float64 // by processor
}

func main() {
	output := flag.String("o", "weights.json", "where to write the weights")
	penalty := flag.Float64("penalty", 0.004, "for weights far from the prior (L2)")
	flag.Parse()
	if err := run(context.Background(), *output, *penalty, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, output string, penalty float64, log io.Writer) error {
	documents, err := gold.ReadJSONL("the built-in gold", gold.BuiltinJSONL(), nil)
	if err != nil {
		return err
	}
	examples, err := examplesOf(ctx, gold.InSplit(documents, gold.Train))
	if err != nil {
		return err
	}
	weights := extract.Weights{}
	for processor, names := range extract.FeatureNames() {
		start := make([][3]float64, len(names))
		for i, name := range names {
			start[i] = prior[processor][name]
		}
		learned, loss := fit(examples, processor, start, penalty)
		fmt.Fprintf(log, "%s: %d sentences, loss %.4f\n", processor, len(examples), loss)
		weights[processor] = map[string]map[extract.Type]float64{}
		for i, name := range names {
			byType := map[extract.Type]float64{}
			for k, kind := range types {
				byType[kind] = math.Round(1e3*learned[i][k]) / 1e3
			}
			weights[processor][name] = byType
		}
	}
	written, err := json.MarshalIndent(weights, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(output, append(written, '\n'), 0o644)
}

func examplesOf(ctx context.Context, documents []gold.Document) ([]example, error) {
	var examples []example
	for _, d := range documents {
		analysis, err := extract.Analyse(ctx, extract.Document{ID: d.ID, Language: d.Language, Text: d.Text})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.ID, err)
		}
		for _, s := range analysis.Features() {
			label, certain := labelOf(d.Spans, s.Span)
			if certain {
				examples = append(examples, example{label, s.Values})
			}
		}
	}
	return examples, nil
}

// labelOf returns what a sentence describes, and false if people may differ on it.
func labelOf(spans []gold.Span, s extract.Span) (label int, certain bool) {
	label = none
	for _, span := range spans {
		if covered := min(span.End, s.End) - max(span.Start, s.Start); 2*covered < s.End-s.Start {
			continue
		}
		if span.Partial {
			return none, false
		}
		for k, kind := range types {
			if span.Type == kind {
				label = k
			}
		}
	}
	return label, true
}

// fit minimises the mean cross entropy plus a penalty for leaving the start, by Adam
// over all examples at once (Kingma and Ba, 2015). The first feature is the constant,
// which is not penalised.
func fit(examples []example, processor string, start [][3]float64, penalty float64) (weights [][3]float64, loss float64) {
	const (
		steps       = 600
		memory      = 0.9
		longMemory  = 0.999
		noDivision  = 1e-8
		rate        = 0.05
		fineRate    = 0.01
		coarseSteps = 300
	)
	features := len(start)
	weights = slices.Clone(start)
	mean, square := make([][3]float64, features), make([][3]float64, features)
	for step := 1; step <= steps; step++ {
		gradient := make([][3]float64, features)
		loss = 0
		for _, e := range examples {
			values := e.values[processor]
			p, rest := probabilities(weights, values)
			if e.label == none {
				loss -= math.Log(rest)
			} else {
				loss -= math.Log(p[e.label])
				p[e.label]--
			}
			for i, x := range values {
				for k := range types {
					gradient[i][k] += p[k] * x
				}
			}
		}
		loss /= float64(len(examples))
		speed := rate
		if step > coarseSteps {
			speed = fineRate
		}
		for i := range weights {
			for k := range types {
				g := gradient[i][k] / float64(len(examples))
				if i > 0 {
					g += penalty * (weights[i][k] - start[i][k])
				}
				mean[i][k] = memory*mean[i][k] + (1-memory)*g
				square[i][k] = longMemory*square[i][k] + (1-longMemory)*g*g
				m := mean[i][k] / (1 - math.Pow(memory, float64(step)))
				s := square[i][k] / (1 - math.Pow(longMemory, float64(step)))
				weights[i][k] -= speed * m / (math.Sqrt(s) + noDivision)
			}
		}
	}
	return weights, loss
}

// probabilities of the types, and of none.
func probabilities(weights [][3]float64, values []float64) (p [3]float64, rest float64) {
	for i, x := range values {
		for k := range p {
			p[k] += weights[i][k] * x
		}
	}
	highest := max(0, p[0], p[1], p[2])
	rest = math.Exp(-highest)
	sum := rest
	for k := range p {
		p[k] = math.Exp(p[k] - highest)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p, rest / sum
}
