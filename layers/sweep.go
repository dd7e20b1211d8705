package layers

import "github.com/nasbench-go/nasbench/kernels"

// sweep runs a routine over all elements of a list of tensors, in parallel and without
// allocating. The division follows from the lengths alone.
type sweep struct {
	chunks  []chunk
	first   []int // part p is chunks first[p] to first[p+1]
	threads *kernels.Threads
	task    func(part, worker int)
}

// chunk is a piece of one tensor.
type chunk struct {
	tensor, lo, hi int
}

// sweepGrain is the number of elements that one part of a sweep has at least: small
// tensors are taken together, large ones are cut.
const sweepGrain = 1 << 14

func newSweep(lengths []int, threads *kernels.Threads, run func(index int, c chunk)) *sweep {
	s := &sweep{threads: threads}
	inPart := sweepGrain // so that the first chunk begins a part
	for i, n := range lengths {
		pieces := kernels.Split(n, sweepGrain)
		for p := range pieces {
			lo, hi := kernels.Range(p, pieces, n)
			if inPart >= sweepGrain {
				s.first = append(s.first, len(s.chunks))
				inPart = 0
			}
			s.chunks = append(s.chunks, chunk{i, lo, hi})
			inPart += hi - lo
		}
	}
	s.first = append(s.first, len(s.chunks))
	s.task = func(part, _ int) {
		for i := s.first[part]; i < s.first[part+1]; i++ {
			run(i, s.chunks[i])
		}
	}
	return s
}

func (s *sweep) run() {
	switch parts := len(s.first) - 1; parts {
	case 0:
	case 1:
		s.task(0, 0)
	default:
		s.threads.Run(parts, s.task)
	}
}

func parameterLengths(params []*Parameter) []int {
	n := make([]int, len(params))
	for i, p := range params {
		n[i] = p.Value.Len()
	}
	return n
}
