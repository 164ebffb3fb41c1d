package store

var commonEnglish = map[string]float64{}
var priors = map[word]float64{}

var englishWeights = weighting{
	bias: -12,
	of:   pair{cosine: 14, foundLess: 4, foundMore: 3, hoursApart: -1, questions: -1, explainers: -1, opinions: -2, lives: -2, digests: -4, futures: -1, stageApart: -1, numbersApart: -2},
	tied: 0.5, related: -2,
}
