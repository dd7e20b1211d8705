package study

import (
	"maps"

	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/strategy"
)

// Result returns what a strategy is told of the trial, whose genome is g. A pruned trial scores what it had reached.
func (t Trial) Result(g space.Genome) strategy.Result {
	r := strategy.Result{Trial: t.Index, Genome: g}
	if t.Metrics == nil {
		r.Failed, r.Reason = true, t.Reason
		return r
	}
	r.Score, r.Metrics = t.Metrics.ValAccuracy, t.Metrics.Map()
	return r
}

// Map returns the metrics by their names in JSON, those of Other included.
func (m Metrics) Map() map[string]float64 {
	all := map[string]float64{
		"val_accuracy":     m.ValAccuracy,
		"val_loss":         m.ValLoss,
		"train_loss":       m.TrainLoss,
		"params":           float64(m.Params),
		"flops":            float64(m.FLOPs),
		"macs":             float64(m.MACs),
		"activation_bytes": float64(m.ActivationBytes),
		"epochs":           float64(m.Epochs),
	}
	maps.Copy(all, m.Other)
	return all
}
