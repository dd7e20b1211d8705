package kernels

import "math"

func genericReLU(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = max(v, 0) // NaN if v is
	}
}

func genericReLUGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, v := range x {
		g := math.Float32bits(dy[i]) // an integer, so that the choice takes no branch
		if v <= 0 {
			g = 0
		}
		dst[i] = math.Float32frombits(g)
	}
}

func genericReLU6(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = min(max(v, 0), 6)
	}
}

func genericReLU6Grad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, v := range x {
		g := math.Float32bits(dy[i])
		if v <= 0 {
			g = 0
		}
		if v >= 6 {
			g = 0
		}
		dst[i] = math.Float32frombits(g)
	}
}

// sigmoid is stable at both ends: where exp overflows, the result is zero.
func sigmoid(x float32) float32 { return 1 / (1 + exp(-x)) }

func genericSigmoid(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = sigmoid(v)
	}
}

// The derivative is even; with e = exp(-|x|) it is e/(1+e)^2, without cancellation.
func genericSigmoidGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, v := range x {
		e := exp(-abs(v))
		dst[i] = dy[i] * (e / ((1 + e) * (1 + e)))
	}
}

func abs(x float32) float32 {
	return math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
}

func genericSiLU(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = v * sigmoid(v)
	}
}

func genericSiLUGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, v := range x {
		s := sigmoid(v)
		dst[i] = dy[i] * (s * (1 + v*(1-s)))
	}
}

func genericHardSwish(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		switch {
		case v <= -3:
			v = 0
		case v < 3:
			v = v * (v + 3) / 6
		}
		dst[i] = v
	}
}

func genericHardSwishGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, v := range x {
		g := dy[i]
		switch {
		case v <= -3:
			g = 0
		case v < 3:
			g *= (2*v + 3) / 6
		}
		dst[i] = g
	}
}

func genericExp(dst, x []float32) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = exp(v)
	}
}

func genericExpGrad(dst, dy, x []float32) {
	dy, x = dy[:len(dst)], x[:len(dst)]
	for i, v := range x {
		dst[i] = dy[i] * exp(v)
	}
}
