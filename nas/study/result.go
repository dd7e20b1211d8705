package study

import (
	"maps"

	"github.com/nasbench-go/nasbench/nas/strategy"
)

// result is what a strategy is told of a trial. A pruned trial scores what it had reached.
func result(p *slot) strategy.Result {
	r := strategy.Result{Trial: p.index, Genome: p.genome}
	if p.trial.Metrics == nil {
		r.Failed, r.Reason = true, p.trial.Reason
		return r
	}
	r.Score, r.Metrics = p.trial.Metrics.ValAccuracy, p.trial.Metrics.Map()
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
