package space

// seedCell describes the space seed-cell: a cell of four nodes, each of which adds up one operation for every
// earlier state; its output is the concatenation of the nodes. A cell begins with a 1x1 convolution to its channels.
//
//   - conv3x3, conv5x5: convolution;
//   - pool3x3: maximum over 3x3 pixels;
//   - skip: the identity;
//   - fc: linear map over channels at every position.
//
// Batch norm and ReLU stand behind the sum of a node: up to there all but pool3x3 is linear, so that a weighted mixture of the
// operations is one convolution (see package darts). The network has a 3x3 convolution to 16 channels, eight cells, global average pool and
// classifier; all cells are the same genome.
func seedCell() *description {
	kernel := func(side int) []blockParam { return []blockParam{{"kernel", []int{side}}} }
	return &description{
		name: "seed-cell",
		kind: cellsKind,
		operations: []block{
			{name: "conv3x3", kind: convBlock, params: kernel(3)},
			{name: "conv5x5", kind: convBlock, params: kernel(5)},
			{name: "pool3x3", kind: maxPoolBlock, params: kernel(3)},
			{name: "skip", kind: skipBlock},
			{name: "fc", kind: linearBlock},
		},
		activation: reluOp,
		nodes:      4,
		output:     concatOutput,
		nodeNorm:   true,
		size:       Size{Channels: 16, Cells: 8},
	}
}

func newSeedCell(t Task, c Constraints, s Size) (Space, error) {
	return newDescribed(seedCell(), t, c, s)
}
