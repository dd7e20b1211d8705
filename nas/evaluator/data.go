package evaluator

import (
	"errors"
	"fmt"

	"github.com/nasbench-go/nasbench/dataset"
)

// Data is what networks are trained on and measured with.
type Data struct {
	Train      *dataset.Split // what candidates train on
	Validation *dataset.Split // what compares them
	All        *dataset.Split // both together
	Test       func() (*dataset.Split, error)
}

// Divide cuts the train split of a data set into training and validation images. The cut is stratified and
// depends on the seed alone.
func Divide(d *dataset.Dataset, validation float64, seed uint64) (Data, error) {
	train, part, err := dataset.SplitStratified(d.Train(), validation, seed)
	if err != nil {
		return Data{}, fmt.Errorf("dataset %s: validation split: %w", d.Info().Name, err)
	}
	return Data{Train: train, Validation: part, All: d.Train(), Test: d.Test}, nil
}

func (d Data) check() error {
	if d.Train == nil || d.Validation == nil {
		return errors.New("evaluator: training and validation images are both needed")
	}
	for name, s := range map[string]*dataset.Split{"training": d.Train, "validation": d.Validation} {
		if s.Len() == 0 {
			return fmt.Errorf("evaluator: no %s images", name)
		}
	}
	return nil
}
