package kernels

// Table holds one routine per piece of numeric work, all of the same CPU level. A
// table starts as a copy of the generic one and is overridden routine by routine,
// so every entry is always set.
//
// Every routine runs on one thread over the part of the work that it is given, so
// that the caller partitions the work. Slices are float32, row-major, channels last.
// Routines do not keep their arguments, do not allocate, and do not check shapes:
// a slice that is too short panics. Outputs must not overlap inputs unless the
// entry says so. "rows x c" is a matrix of rows*c consecutive floats.
type Table struct {
	Level Level

	// Streaming is this table with element-wise routines that always store past the caches, unless they write over an input; nil
	// if there are none. They pay where a whole operation, of which a call may be but a part, touches more than LastCache bytes.
	Streaming *Table
	LastCache int // bytes of the last cache, if Streaming is set

	// GEMM computes C = alpha*op(A)*op(B) + beta*C, then the epilogue. The scratch
	// slice has at least GEMMScratch(g) floats; its contents do not matter.
	GEMM        func(g *GEMM, a, b, c, bias, scratch []float32)
	GEMMScratch func(g *GEMM) int
	// GEMMAdd computes C = alpha*op(A)*op(B) + beta*R, then the epilogue: with beta 1, C = max(A*B + bias + R, 0). R is M x N with
	// rows LDR apart, and may be C itself.
	GEMMAdd func(g *GEMM, a, b, c, bias, residual, scratch []float32)
	// PackGEMM writes op(B), K x N as stored at b, in the order in which GEMM reads it, into PackedGEMM(g) floats; of g only
	// N, K, TransB and LDB matter. With Packed set, GEMM takes that for b, any number of times, in products of any number
	// of rows, and gives the same bits.
	PackGEMM   func(g *GEMM, b, packed []float32)
	PackedGEMM func(g *GEMM) int

	// ConvForward computes rows lo..hi of the N*Ho output rows (one row is Wo
	// pixels). w is R x S x C/groups x K; bias is nil or K floats.
	ConvForward func(g *Conv, x, w, bias, y, scratch []float32, lo, hi int)
	// ConvForwardAdd is ConvForward with a residual of the shape of y, whose pixels lie RStride apart: y = conv(x) + bias + residual, which
	// ReLU cuts. residual may be y itself, if RStride is YStride; then the convolution is added to y.
	ConvForwardAdd func(g *Conv, x, w, bias, residual, y, scratch []float32, lo, hi int)
	// PackConv writes the weights w in the order in which ConvForward reads them into PackedConv(g) floats. With Packed set,
	// ConvForward takes that for w, any number of times, for images of any number and size, and gives the same bits. PackedConv is 0
	// where weights are read as they are, and Packed then changes nothing.
	PackConv   func(g *Conv, w, packed []float32)
	PackedConv func(g *Conv) int
	// ConvBackwardData overwrites rows lo..hi of the N*H rows of dx.
	ConvBackwardData func(g *Conv, dy, w, dx, scratch []float32, lo, hi int)
	// ConvBackwardWeights adds to dw the contribution of rows lo..hi of the N*Ho rows of dy.
	ConvBackwardWeights func(g *Conv, x, dy, dw, scratch []float32, lo, hi int)
	// ConvScratch returns the scratch floats that any of them needs.
	ConvScratch func(g *Conv) int

	// MaxPoolForward computes rows lo..hi of the N*Ho output rows. Padding never wins;
	// a NaN input gives NaN. In all four, a window without a pixel inside the image gives 0.
	MaxPoolForward func(p *Pool, x, y []float32, lo, hi int)
	// MaxPoolBackward overwrites dx of images lo..hi of N. Each output's gradient goes
	// to the first maximum of its window in row-major order.
	MaxPoolBackward func(p *Pool, x, dy, dx []float32, lo, hi int)
	// AvgPoolForward averages over the pixels of the window that lie inside the image.
	AvgPoolForward func(p *Pool, x, y []float32, lo, hi int)
	// AvgPoolBackward overwrites dx of images lo..hi of N.
	AvgPoolBackward func(p *Pool, dy, dx []float32, lo, hi int)

	// ChannelMoments overwrites mean and m2 (the sum of squared deviations from the
	// mean), c floats each, over the rows of x. Sound for means much larger than the deviation.
	ChannelMoments func(mean, m2, x []float32, rows, c int)
	// Normalize computes y = (x-mean)*scale + shift per channel. y may be x.
	Normalize func(y, x, mean, scale, shift []float32, rows, c int)
	// NormalizeReLU computes y = max((x-mean)*scale + shift, 0), NormalizeAdd adds a residual (rows x c)
	// instead, and NormalizeAddReLU first adds and then cuts. y may be x or residual.
	NormalizeReLU    func(y, x, mean, scale, shift []float32, rows, c int)
	NormalizeAdd     func(y, x, residual, mean, scale, shift []float32, rows, c int)
	NormalizeAddReLU func(y, x, residual, mean, scale, shift []float32, rows, c int)
	// NormalizeRows is all four of them over rows that lie apart: residual may be nil. y may be x or residual if it has the same stride.
	NormalizeRows func(n *Normalization, y, x, residual, mean, scale, shift []float32)
	// ChannelSum overwrites dst (c floats) with the sum of the rows of x.
	ChannelSum func(dst, x []float32, rows, c int)
	// ChannelDot overwrites sum with the channel sums of dy and dot with the channel
	// sums of dy*(x-mean).
	ChannelDot func(sum, dot, dy, x, mean []float32, rows, c int)
	// ChannelCombine computes dst = a*dy + b*(x-mean) + d per channel. dst may be dy or x.
	ChannelCombine func(dst, dy, x, mean, a, b, d []float32, rows, c int)
	// ChannelDotReLU and ChannelCombineReLU are the same with dy set to zero where the result of NormalizeReLU
	// on x is, which they compute again rather than read.
	ChannelDotReLU     func(sum, dot, dy, x, mean, scale, shift []float32, rows, c int)
	ChannelCombineReLU func(dst, dy, x, mean, scale, shift, a, b, d []float32, rows, c int)
	// AddRow computes y = x + row for each of the rows. y may be x.
	AddRow func(y, x, row []float32, rows, c int)

	// Activate computes dst = f(x), and ActivateGrad dst = dy*f'(x), for the activation
	// that indexes them. dst may be x or dy.
	Activate     [NumActivations]func(dst, x []float32)
	ActivateGrad [NumActivations]func(dst, dy, x []float32)

	// Element-wise over len(dst) floats; dst may be an input.
	Add  func(dst, a, b []float32)
	Sub  func(dst, a, b []float32)
	Mul  func(dst, a, b []float32)
	Div  func(dst, a, b []float32)
	Axpy func(dst, x []float32, alpha float32)            // dst += alpha*x
	Scal func(dst, x []float32, alpha float32)            // dst = alpha*x
	Lerp func(dst, x []float32, t float32)                // dst += t*(x-dst)
	WSum func(dst []float32, xs [][]float32, w []float32) // dst = sum of w[i]*xs[i], in one pass

	// Mask computes dst[i] = x[i]/keep where the random bit of element first+i under
	// key keeps it, else 0. The bit depends on (key, first+i) alone. dst may be x.
	Mask func(dst, x []float32, key uint64, first int, keep float32)

	// CopyRows copies rows of c floats whose starts lie from floats apart in src and to floats apart in dst, both at least c.
	CopyRows func(dst []float32, to int, src []float32, from, rows, c int)

	// Reductions. They accumulate in float64, so their error does not grow with length.
	Sum        func(x []float32) float64
	Dot        func(x, y []float32) float64
	SumSquares func(x []float32) float64

	// Softmax and LogSoftmax work on each row of c floats. y may be x.
	Softmax        func(y, x []float32, rows, c int)
	SoftmaxGrad    func(dx, dy, y []float32, rows, c int) // y is the output of Softmax
	LogSoftmax     func(y, x []float32, rows, c int)
	LogSoftmaxGrad func(dx, dy, y []float32, rows, c int) // y is the output of LogSoftmax
	// CrossEntropy overwrites loss (rows floats) with the label-smoothed cross-entropy of each
	// row of logits; labels are class indices stored as floats.
	CrossEntropy func(loss, logits, labels []float32, smoothing float32, rows, c int)
	// CrossEntropyGrad overwrites dx with scale * d loss / d logits.
	CrossEntropyGrad func(dx, logits, labels []float32, smoothing, scale float32, rows, c int)

	// Optimiser updates, fused and in place.
	SGD   func(w, grad, velocity []float32, p *SGDStep)
	AdamW func(w, grad, m, v []float32, p *AdamWStep)

	// Bytes computes dst[i] = src[i]*scale[ch] + shift[ch] with ch = i mod c.
	Bytes func(dst []float32, src []byte, scale, shift []float32, c int)

	// FMALoop runs that many rounds of independent multiply-adds in registers and returns how many FLOPs they are: the most
	// that the level can do in the time they take.
	FMALoop func(rounds int) (flops int)
}

// GEMM describes a matrix product: op(A) is M x K, op(B) is K x N, C is M x N.
type GEMM struct {
	M, N, K        int
	TransA, TransB bool // op is the transpose
	Alpha, Beta    float32
	LDA, LDB, LDC  int  // elements between rows as stored
	ReLU           bool // epilogue: C = max(C + bias, 0); bias is nil or N floats
	LDR            int  // of the residual of GEMMAdd

	// Packed says that b is what PackGEMM wrote of a matrix of LDB columns (whatever its TransB and LDB were). The product takes the N
	// columns from Column on. Column is a multiple of 64, and so is N unless they are the last ones.
	Packed bool
	Column int
}

// Conv describes a two-dimensional convolution over channels-last images.
// Input pixel (n, h, w) starts at ((n*H+h)*W+w)*XStride, output pixel (n, ho, wo) at
// ((n*Ho+ho)*Wo+wo)*YStride; for contiguous tensors XStride is C and YStride is K.
type Conv struct {
	N, H, W, C           int // input
	K                    int // output channels
	R, S                 int // kernel height, width
	StrideH, StrideW     int
	PadTop, PadLeft      int // what lies below and to the right follows from Ho, Wo
	DilationH, DilationW int
	Groups               int // C and K are multiples
	Ho, Wo               int // output
	XStride, YStride     int
	ReLU                 bool // epilogue of ConvForward
	RStride              int  // between pixels of the residual of ConvForwardAdd, at least K
	Packed               bool // the weights of ConvForward are what PackConv wrote
}

// Pool describes a pooling window; padding is never counted. Strides of pixels as in [Conv].
type Pool struct {
	N, H, W, C       int
	R, S             int
	StrideH, StrideW int
	PadTop, PadLeft  int
	Ho, Wo           int
	XStride, YStride int
}

// Normalization describes the rows of C channels of a batch normalisation, whose starts lie XStride, YStride and RStride floats
// apart in x, y and the residual.
type Normalization struct {
	Rows, C                   int
	XStride, YStride, RStride int
	ReLU                      bool // y = max(y, 0) in the end
}

// Activation indexes the Activate entries of a [Table].
type Activation int

// The activations. HardSwish is x*relu6(x+3)/6 (Howard et al. 2019, section 5.2); SiLU is x*sigmoid(x).
const (
	ReLU Activation = iota
	ReLU6
	Sigmoid
	SiLU
	HardSwish
	Exp
	NumActivations
)

// SGDStep holds the numbers of one update of stochastic gradient descent:
// g = GradScale*grad + WeightDecay*w; v = Momentum*v + g; w -= LR*v, or with Nesterov
// w -= LR*(g + Momentum*v).
type SGDStep struct {
	LR, Momentum, WeightDecay, GradScale float32
	Nesterov                             bool
}

// AdamWStep holds the numbers of one AdamW update (Loshchilov and Hutter 2019, algorithm 2):
// g = GradScale*grad; m, v are the running moments; w -= LR*(m*Correct1/(sqrt(v*Correct2)+Eps) + WeightDecay*w),
// with Correct1 = 1/(1-Beta1^t), Correct2 = 1/(1-Beta2^t).
type AdamWStep struct {
	LR, Beta1, Beta2, Eps, WeightDecay, GradScale float32
	Correct1, Correct2                            float32
}
