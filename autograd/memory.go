package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Memory is what programs that never run at the same time share: one that runs may overwrite the outputs of the
// others. It makes many short-lived programs cheap, which would otherwise each have an arena to clear. The zero value is ready for use.
type Memory struct {
	blocks [][]float32 // the arena, then the scratch memory of each worker
	made   int64       // bytes of all blocks that there were
}

// Made returns the bytes of all that was made for it, also of what was too small for a later program and is kept by earlier ones alone.
func (m *Memory) Made() int64 {
	if m == nil {
		return 0
	}
	return m.made
}

// Bytes returns how much memory it has; none if it is nil. When that grows, programs that were compiled before keep what they had in memory for themselves.
func (m *Memory) Bytes() int64 {
	var n int64
	if m == nil {
		return 0
	}
	for _, b := range m.blocks {
		n += 4 * int64(len(b))
	}
	return n
}

// take returns n floats of a block, not cleared; without a Memory they are new. A block that grows does so by a quarter more than that, so that it grows a few times
// only, but not past a limit in bytes.
func (m *Memory) take(block, n int, limit int64) []float32 {
	if m == nil {
		return tensor.Alloc(n)
	}
	for len(m.blocks) <= block {
		m.blocks = append(m.blocks, nil)
	}
	if had := len(m.blocks[block]); had < n {
		more := n
		if had > 0 {
			more = max(n, int(min(int64(n+n/4), limit/4)))
		}
		m.blocks[block] = tensor.Alloc(more)
		m.made += 4 * int64(more)
	}
	return m.blocks[block][:n:n]
}
