package kernels

import "math"

func genericSGD(w, grad, velocity []float32, p *SGDStep) {
	grad, velocity = grad[:len(w)], velocity[:len(w)]
	for i, x := range w {
		g := p.GradScale*grad[i] + p.WeightDecay*x
		v := p.Momentum*velocity[i] + g
		velocity[i] = v
		if p.Nesterov {
			v = g + p.Momentum*v
		}
		w[i] = x - p.LR*v
	}
}

func genericAdamW(w, grad, m, v []float32, p *AdamWStep) {
	grad, m, v = grad[:len(w)], m[:len(w)], v[:len(w)]
	for i, x := range w {
		g := p.GradScale * grad[i]
		m1 := p.Beta1*m[i] + (1-p.Beta1)*g
		v1 := p.Beta2*v[i] + (1-p.Beta2)*g*g
		m[i], v[i] = m1, v1
		root := float32(math.Sqrt(float64(v1 * p.Correct2)))
		w[i] = x - p.LR*(m1*p.Correct1/(root+p.Eps)+p.WeightDecay*x)
	}
}
