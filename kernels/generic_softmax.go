package kernels

import "math"

// exp returns e to the x with an error of at most two units in the last place, of the
// subnormal numbers too. x = n*log(2) + r leaves |r| < 0.35, where the Taylor polynomial of degree 7
// is exact to 5e-9. Adding 1.5*2^23 rounds to the integer n and leaves it in the low bits;
// log(2) is split in two so that n times the first part is exact (Cody and Waite
// 1980). Scaling by 2^n in two steps, the first of which is exact, rounds once.
func exp(x float32) float32 {
	const (
		round = 3 << 22
		hi    = 0.693359375
		lo    = math.Ln2 - hi
	)
	if x > 89 { // infinity
		x = 89
	}
	if x < -104 { // zero
		x = -104
	}
	t := x*math.Log2E + round
	n := t - round
	r := x - n*hi - n*lo
	p := 1 + r*(1+r*(1.0/2+r*(1.0/6+r*(1.0/24+r*(1.0/120+r*(1.0/720+r*(1.0/5040)))))))
	k := int32(math.Float32bits(t)<<9) >> 9
	half := k >> 1
	return p * math.Float32frombits(uint32(half+127)<<23) * math.Float32frombits(uint32(k-half+127)<<23)
}

// rowMax returns the maximum of x, which is not empty; NaN if any element is.
func rowMax(x []float32) float32 {
	m := x[0]
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// expSum returns the maximum m of x and the sum of exp(x-m).
func expSum(x []float32) (m float32, sum float64) {
	m = rowMax(x)
	for _, v := range x {
		sum += float64(exp(v - m))
	}
	return m, sum
}

func genericSoftmax(y, x []float32, rows, c int) {
	if c == 0 {
		return
	}
	for r := range rows {
		in, out := x[r*c:(r+1)*c], y[r*c:(r+1)*c]
		m := rowMax(in)
		var sum float64
		for i, v := range in {
			e := exp(v - m)
			sum += float64(e)
			out[i] = e
		}
		inv := float32(1 / sum)
		for i := range out {
			out[i] *= inv
		}
	}
}

func genericSoftmaxGrad(dx, dy, y []float32, rows, c int) {
	for r := range rows {
		g, p, out := dy[r*c:(r+1)*c], y[r*c:(r+1)*c], dx[r*c:(r+1)*c]
		dot := float32(genericDot(g, p))
		for i, v := range p {
			out[i] = v * (g[i] - dot)
		}
	}
}

func genericLogSoftmax(y, x []float32, rows, c int) {
	if c == 0 {
		return
	}
	for r := range rows {
		in, out := x[r*c:(r+1)*c], y[r*c:(r+1)*c]
		m, sum := expSum(in)
		logSum := math.Log(sum)
		for i, v := range in {
			out[i] = float32(float64(v) - float64(m) - logSum)
		}
	}
}

func genericLogSoftmaxGrad(dx, dy, y []float32, rows, c int) {
	for r := range rows {
		g, l, out := dy[r*c:(r+1)*c], y[r*c:(r+1)*c], dx[r*c:(r+1)*c]
		sum := genericSum(g)
		for i, v := range l {
			out[i] = float32(float64(g[i]) - float64(exp(v))*sum)
		}
	}
}

// genericCrossEntropy uses that the smoothed target (1-s)*onehot + s/c sums to one:
// the loss is log(sum exp x) - (1-s)*x[label] - s*mean(x), here relative to the maximum.
func genericCrossEntropy(loss, logits, labels []float32, smoothing float32, rows, c int) {
	s := float64(smoothing)
	for r := range rows {
		x := logits[r*c : (r+1)*c]
		m, sum := expSum(x)
		l := math.Log(sum) - (1-s)*(float64(x[int(labels[r])])-float64(m))
		if s != 0 {
			var total float64
			for _, v := range x {
				total += float64(v) - float64(m)
			}
			l -= s * total / float64(c)
		}
		loss[r] = float32(l)
	}
}

func genericCrossEntropyGrad(dx, logits, labels []float32, smoothing, scale float32, rows, c int) {
	for r := range rows {
		x, out := logits[r*c:(r+1)*c], dx[r*c:(r+1)*c]
		m, sum := expSum(x)
		label := int(labels[r])
		base := float64(smoothing) / float64(c)
		for i, v := range x {
			p := float64(exp(v-m))/sum - base
			if i == label {
				p -= 1 - float64(smoothing)
			}
			out[i] = float32(float64(scale) * p)
		}
	}
}
