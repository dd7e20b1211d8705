package autograd

import "context"

// RunContext is [Program.Run] that ctx can end: between two parts of any operation, so that a step of a large network need not be waited for. With the
// error of ctx the values of the run are worthless, and variables that operations write to, such as running statistics, may or may not have
// been written: whoever goes on from there keeps a copy of them. It looks at ctx only and allocates nothing.
func (p *Program) RunContext(ctx context.Context, stepNumber uint64) error {
	p.ctx = ctx
	p.run(stepNumber)
	p.ctx = nil
	// An error of a context never goes away: if any part was left out, this sees why.
	return ctx.Err()
}

// halted reports whether the context of the run has ended.
func (p *Program) halted() bool { return p.ctx != nil && p.ctx.Err() != nil }
