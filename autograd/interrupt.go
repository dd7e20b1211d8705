package autograd

import "context"

// RunContext is [Program.Run] that ctx can end: between two parts of any operation, so that a step of a large network need not be waited for. With the
// error of ctx the values of the run are worthless, and variables that operations write to, such as running statistics, may or may not have
// been written: whoever goes on from there keeps a copy of them. A label that is no class is a [*LabelError] here, not a panic. It looks at ctx only and allocates
// nothing.
func (p *Program) RunContext(ctx context.Context, stepNumber uint64) (err error) {
	p.ctx = ctx
	defer func() {
		p.ctx = nil
		switch r := recover().(type) {
		case nil:
		case *LabelError:
			err = r
		default:
			panic(r)
		}
	}()
	p.run(stepNumber)
	// An error of a context never goes away: if any part was left out, this sees why.
	return ctx.Err()
}

// halted reports whether the context of the run has ended.
func (p *Program) halted() bool { return p.ctx != nil && p.ctx.Err() != nil }
