package autograd

import "github.com/nasbench-go/nasbench/tensor"

// Memory is what programs that never run at the same time share: one that runs may overwrite the outputs of the
// others. It makes many short-lived programs cheap, which would otherwise each have an arena to clear. The zero value is ready for use.
type Memory struct {
	blocks [][]float32 // the arena, then the scratch memory of each worker
}

// Bytes returns how much memory it has. When that grows, programs that were compiled before keep what they had in memory for themselves.
func (m *Memory) Bytes() int64 {
	var n int64
	for _, b := range m.blocks {
		n += 4 * int64(len(b))
	}
	return n
}

// take returns n floats of a block, not cleared; without a Memory they are new.
func (m *Memory) take(block, n int) []float32 {
	if m == nil {
		return tensor.Alloc(n)
	}
	for len(m.blocks) <= block {
		m.blocks = append(m.blocks, nil)
	}
	if len(m.blocks[block]) < n {
		m.blocks[block] = tensor.Alloc(n + n/4) // so that it grows a few times only
	}
	return m.blocks[block][:n:n]
}
