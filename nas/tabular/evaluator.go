package tabular

import (
	"context"

	"github.com/nasbench-go/nasbench/nas/study"
)

// Evaluator looks genomes up in a table instead of training them. It implements study.Evaluator.
type Evaluator struct {
	table  *Table
	metric []float64
}

var _ study.Evaluator = (*Evaluator)(nil)

// NewEvaluator returns an evaluator for which the value of a column is the validation accuracy, in whatever unit it has and the larger the
// better. It fails as [Table.Column] does.
func NewEvaluator(t *Table, metric string) (*Evaluator, error) {
	values, err := t.Column(metric)
	if err != nil {
		return nil, err
	}
	return &Evaluator{t, values}, nil
}

// Evaluate returns the values of the job's genome, all columns by their names in Metrics.Other, and what the space says about
// its costs. There is no learning curve. A genome that the table does not have is an error that ends the search.
func (e *Evaluator) Evaluate(ctx context.Context, job study.Job, _ func(study.Point) error) (study.Metrics, error) {
	if err := ctx.Err(); err != nil {
		return study.Metrics{}, err
	}
	row, err := e.table.Row(job.Genome)
	if err != nil {
		return study.Metrics{}, err
	}
	m := study.Metrics{ValAccuracy: e.metric[row], Other: map[string]float64{}}
	for _, c := range e.table.columns {
		if c.bad == nil {
			m.Other[c.name] = c.values[row]
		}
	}
	// A table may be of networks that the space cannot price; who needs what is not there says so.
	if cost, err := e.table.space.Cost(job.Genome); err == nil {
		m.Params, m.FLOPs, m.MACs, m.ActivationBytes = cost.Params, cost.FLOPs, cost.MACs, cost.ActivationBytes
	}
	return m, nil
}
