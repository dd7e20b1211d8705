package layers

import "fmt"

// ConstructionError says that a module or a parameter cannot be made as it was asked for. Constructors panic with it, as shape rules panic with
// autograd.ShapeError; autograd.Build returns both as errors.
type ConstructionError struct {
	Path   string // of the scope or the parameter
	Detail string // what is wrong
}

func (e *ConstructionError) Error() string { return fmt.Sprintf("layers: %q: %s", e.Path, e.Detail) }

// Misuse implements autograd.Misuse.
func (*ConstructionError) Misuse() {}

// OptionError says that what a trainer, a predictor, an optimiser or an average was asked for is out of its range.
type OptionError struct {
	Of     string // "trainer", "sgd" ...
	Detail string // what is wrong
}

func (e *OptionError) Error() string { return fmt.Sprintf("layers: %s: %s", e.Of, e.Detail) }

// refuse returns an OptionError.
func refuse(of, format string, args ...any) error {
	return &OptionError{of, fmt.Sprintf(format, args...)}
}

// misuse panics with a ConstructionError.
func misuse(path, format string, args ...any) {
	panic(&ConstructionError{path, fmt.Sprintf(format, args...)})
}
