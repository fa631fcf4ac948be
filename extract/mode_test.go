package extract

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestNewRefusesAnUnknownMode(t *testing.T) {
	if _, err := New(Config{Mode: "quantum"}); err == nil || !strings.Contains(err.Error(), `"adaptive"`) {
		t.Errorf("error %v, want one that names the modes", err)
	}
}

// fixed proposes what it was told, whatever it reads.
type fixed struct {
	called     string
	importance float64
	candidates []candidate
}

func (p fixed) name() string    { return p.called }
func (p fixed) weight() float64 { return p.importance }
func (p fixed) find(_ *block, found []candidate) ([]candidate, error) {
	return append(found, p.candidates...), nil
}

func TestModes(t *testing.T) {
	const text = "Первая строка здесь только для того, чтобы занять место в этом тексте. " +
		"Вторая строка тоже ничего не говорит и ничего никому не показывает здесь. " +
		"Третья строка кончает этот текст и так же пуста, как первые две строки."
	first, second, third := span{0, strings.Index(text, " Вторая")}, span{strings.Index(text, "Вторая"), strings.Index(text, " Третья")}, span{strings.Index(text, "Третья"), len(text)}
	light := fixed{"light", 0.8, []candidate{{first, location, 0.9}, {second, atmosphere, 0.9}, {third, character, 0.2}}}
	heavy := fixed{"heavy", 1.2, []candidate{{second, character, 0.5}, {third, location, 0.29}}}
	middle := fixed{"middle", 1.0, []candidate{{first, location, 0.4}}}
	tests := []struct {
		mode   Mode
		voting voting
		want   string
	}{
		{ModeEnsemble, defaultVoting, "location of light+middle;atmosphere of heavy+light"},
		{ModeSingle, defaultVoting, "character of heavy"},
		{ModeParallel, defaultVoting, "location of light+middle;atmosphere of heavy+light"},
		{ModeSequential, defaultVoting, "location of middle;character of heavy"},
		// A share of 0.37 for the first and 0.44 for the second; the third has 0.17.
		{ModeEnsemble, softVoting, "atmosphere of heavy+light"},
	}
	for _, test := range tests {
		name := string(test.mode)
		if test.voting.soft {
			name += " with a soft vote"
		}
		t.Run(name, func(t *testing.T) {
			e := &Ensemble{processors: []processor{light, heavy, middle}, voting: test.voting, mode: test.mode}
			result, err := e.Extract(t.Context(), Document{Text: text})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range result.Descriptions {
				got = append(got, string(d.Type)+" of "+strings.Join(d.Sources, "+"))
			}
			if strings.Join(got, ";") != test.want {
				t.Errorf("found %s, want %s", strings.Join(got, ";"), test.want)
			}
		})
	}
}

func TestAdaptiveModeSaysWhy(t *testing.T) {
	talk := strings.Repeat("— Куда ты? — спросил он.\n— Домой, — сказала она.\n", 20)
	for name, test := range map[string]struct {
		text string
		want Mode
	}{
		"talk":       {talk, ModeEnsemble},
		"a sentence": {"Стоял старый дом.", ModeEnsemble},
		"narration":  {chapter(Russian, 1000), ModeParallel},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			e, err := New(Config{Mode: ModeAdaptive, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Extract(t.Context(), Document{Language: Russian, Text: test.text}); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"mode=" + string(test.want), "reason=", "adjectives="} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log lacks %s: %s", want, log.String())
				}
			}
			if strings.Contains(log.String(), "дом") {
				t.Error("the log holds the text")
			}
		})
	}
}
