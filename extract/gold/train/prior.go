package main

// prior is what the weights are drawn to: a judgement by hand of what each feature
// speaks for. Most features are rare in a gold set of this size, and one that was not
// seen often enough had better mean what it means to a reader than nothing.
// By processor and feature: location, character, atmosphere.
var prior = map[string]map[string][3]float64{
	"density": {
		"speech": all(-1.5), "question": all(-1.5),
		"place": {2, 0, 0}, "furnish": {2, 0, 0}, "nature": {1.2, 0, 0.4}, "position": {1.5, 0.3, 0.3}, "see": {1, 0, 0},
		"covered": {1, 0.3, 0.3}, "spatial": {1, 0, 0.5},
		"body": {0, 2.5, 0}, "clothing": {0, 2, 0}, "look": {0, 2, 0}, "wear": {0, 2, 0}, "age": {0, 0.5, 0},
		"person": {-0.5, 0.3, -0.5}, "third": {-0.7, 0.3, -0.7}, "name": {-0.3, 0, -0.3}, "with": {0.3, 0.5, 0},
		"atmo": {0, 0, 2.5}, "sky": {0, 0, 1.2}, "atmoverb": {0, 0, 1.5}, "sounder": {0, 0, 1}, "smell": {0, 0, 2.5},
		"mood": {0.5, 0, 2}, "impersonal": {0.3, 0, 1.5},
		"adjective": all(2), "perceptual": all(1.5), "like": all(0.3),
		"action": all(-1.5), "speechverb": all(-1.5), "mental": all(-1.5), "verb": all(-0.7),
		"abstract": all(-1.2), "feeling": all(-1), "generic": all(-1), "negation": all(-0.3),
		"first": all(-0.7), "second": all(-1.5),
	},
	"gazetteer": {
		"speech": all(-1.5), "question": all(-1.5),
		"attributed:location": {2.5, 0, 0}, "attributed:character": {0, 2.5, 0}, "attributed:atmosphere": {0, 0, 2.5},
		"places": {1, 0, 0}, "people": {-0.5, 0, -0.5}, "outward": {0, 1.5, 0}, "air": {0, 0, 1}, "looks": {0, 1, 0},
		"events": all(-1.5), "verbs": all(-0.5), "inward": all(-1.2), "you": all(-1.5), "I": all(-0.6),
	},
	"constructions": {
		"speech": all(-1.5), "question": all(-1.5),
		"placed stands": {1, 0, 0}, "placed is": {0.8, 0, 0}, "placed": {0.5, 0, 0}, "existential": {0.8, 0, 0},
		"setting covered": {1.2, 0, 0}, "setting stands": {1, 0, 0}, "stands setting": {1, 0, 0}, "setting is": {0.8, 0, 0},
		"nature gleams": {0.3, 0, 0.6},
		"feature owned": {0, 1.3, 0}, "feature": {0, 1, 0}, "feature is": {0, 1, 0}, "dressed": {0, 1.2, 0},
		"with feature": {0, 1, 0}, "with thing": {0, 0.3, 0}, "person is": {0, 1.2, 0}, "has feature": {0, 1.2, 0},
		"aged":   {0, 0.8, 0},
		"smells": {0, 0, 2}, "impersonally": {0, 0, 1.2}, "air moves": {0, 0, 1.5}, "air is": {0, 0, 1.2}, "sounds": {0, 0, 1.2},
		"compared": all(0.4), "listed": all(0.5), "verbless": all(0.3), "adjectives": all(1.5),
		"events": all(-1.3), "verbs": all(-0.5), "inward": all(-1.2), "you": all(-1.5), "I": all(-0.6), "people": {-0.4, 0, -0.4},
	},
}

func all(weight float64) [3]float64 { return [3]float64{weight, weight, weight} }
