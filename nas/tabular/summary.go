package tabular

import (
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Summary describes the reported metric over runs.
type Summary struct {
	Evaluations int     `json:"evaluations"` // after which
	Mean        float64 `json:"mean"`
	SD          float64 `json:"sd"` // of the sample, 0 for one run; that of the mean is smaller by the root of the runs
	Min         float64 `json:"min"`
	Q1          float64 `json:"q1"`
	Median      float64 `json:"median"`
	Q3          float64 `json:"q3"`
	Max         float64 `json:"max"`
	Seen        float64 `json:"seen"`           // mean of the metric that the strategy sees
	Cost        float64 `json:"cost,omitempty"` // mean of the cost so far; 0 without a column of it
}

// Summarize describes where the runs stand after so many evaluations, at least 1; a shorter run stands where it ended. There is at
// least one run. Quartiles are interpolated between the runs nearest to them.
func Summarize(runs []Run, evaluations int) Summary {
	s := Summary{Evaluations: evaluations}
	values := make([]float64, 0, len(runs))
	n := float64(len(runs))
	for _, r := range runs {
		i := min(evaluations, len(r.Reported)) - 1
		values = append(values, r.Reported[i])
		s.Seen += r.Seen[i] / n
		if r.Cost != nil {
			s.Cost += r.Cost[i] / n
		}
	}
	slices.Sort(values)
	s.Mean, s.SD = stat.MeanStdDev(values, nil)
	if len(values) == 1 {
		s.SD = 0 // not NaN, which JSON does not have
	}
	s.Min, s.Max = values[0], values[len(values)-1]
	s.Q1, s.Median, s.Q3 = quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)
	return s
}

// quantile interpolates linearly between order statistics: definition 7 of Hyndman and Fan, "Sample Quantiles in Statistical
// Packages", The American Statistician, 1996.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
