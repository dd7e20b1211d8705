package kernels

// genericIsDepthwise reports whether every input channel has its own filters. Then
// the channels, not a reduction over them, are the inner loop, and no scratch is needed.
func genericIsDepthwise(g *Conv) bool { return g.Groups == g.C && g.Groups > 1 }

// depthwise computes rows of a forward convolution or of its input gradient; see axis
// for how they are alike. With mult = K/C, x channel i feeds output channels
// i*mult..(i+1)*mult.
type depthwise struct {
	rows, cols       axis
	srcPix, dstPix   int // floats between pixels
	dstChan, outputs int // channels of dst; K
	mult             int
	src, w, dst      []float32
	bias             []float32
	relu             bool
	first            int // row with which dst begins
}

// depthwiseForward computes rows lo..hi of y, with a residual one by one in the scratch, as y may be the residual.
func depthwiseForward(g *Conv, x, w, bias, residual, y, scratch []float32, lo, hi int) {
	d := depthwise{
		rows:   axis{in: g.H, out: g.Ho, kernel: g.R, stride: g.StrideH, pad: g.PadTop, dilation: g.DilationH},
		cols:   axis{in: g.W, out: g.Wo, kernel: g.S, stride: g.StrideW, pad: g.PadLeft, dilation: g.DilationW},
		srcPix: g.XStride, dstPix: g.YStride, dstChan: g.K, outputs: g.K, mult: g.K / g.C,
		src: x, w: w, dst: y, bias: bias, relu: g.ReLU,
	}
	if residual == nil {
		for row := lo; row < hi; row++ {
			d.row(row)
		}
		return
	}
	d.dst, d.dstPix, d.relu = scratch[:g.Wo*g.K], g.K, false
	for row := lo; row < hi; row++ {
		d.first = row
		d.row(row)
		for i := range g.Wo {
			pixel := row*g.Wo + i
			to := y[pixel*g.YStride:][:g.K]
			genericAdd(to, d.dst[i*g.K:], residual[pixel*g.RStride:])
			if g.ReLU {
				genericReLU(to, to)
			}
		}
	}
}

func depthwiseBackwardData(g *Conv, dy, w, dx []float32, lo, hi int) {
	d := depthwise{
		rows:   axis{in: g.Ho, out: g.H, kernel: g.R, stride: g.StrideH, pad: g.PadTop, dilation: g.DilationH, backward: true},
		cols:   axis{in: g.Wo, out: g.W, kernel: g.S, stride: g.StrideW, pad: g.PadLeft, dilation: g.DilationW, backward: true},
		srcPix: g.YStride, dstPix: g.XStride, dstChan: g.C, outputs: g.K, mult: g.K / g.C,
		src: dy, w: w, dst: dx,
	}
	for row := lo; row < hi; row++ {
		d.row(row)
	}
}

// row computes one row of dst.
func (d *depthwise) row(row int) {
	image, at := row/d.rows.out, row%d.rows.out
	rg := d.rows.group(at % d.rows.groups())
	v := rg.run(&d.rows, at/rg.outStep)
	for i := range d.cols.groups() {
		cg := d.cols.group(i)
		for j := 0; j < cg.n; {
			h := cg.run(&d.cols, j)
			j += h.n
			t := taps{
				rows: v.taps, cols: h.taps,
				src:    ((image*d.rows.in+v.src)*d.cols.in + h.src) * d.srcPix,
				srcRow: v.srcTap * d.cols.in * d.srcPix, srcCol: h.srcTap * d.srcPix,
				wRow: d.rows.tapStep() * d.cols.kernel * d.outputs, wCol: d.cols.tapStep() * d.outputs,
			}
			if v.taps > 0 && h.taps > 0 {
				r, _, _ := d.rows.tapOrder(v.first)
				s, _, _ := d.cols.tapOrder(h.first)
				t.w = (r*d.cols.kernel + s) * d.outputs
			} else {
				t.rows = 0
			}
			d.pixels(&t, ((row-d.first)*d.cols.out+h.out)*d.dstPix, h.n, h.outStep*d.dstPix, h.srcStep*d.srcPix)
		}
	}
}

// pixels computes n pixels that see the same taps; the first lies at out, and they
// are dstStep apart, their taps srcStep.
func (d *depthwise) pixels(t *taps, out, n, dstStep, srcStep int) {
	for i := 0; i < n; i++ {
		to := d.dst[out:][:d.dstChan]
		switch {
		case d.mult == 1 && i+1 < n:
			second := d.dst[out+dstStep:][:d.dstChan]
			t.sumPair(to, second, d.src, d.w, srcStep)
			d.finish(second)
			out += dstStep
			t.src += srcStep
			i++
		case d.mult == 1:
			t.sum(to, d.src, d.w, 0)
		case d.rows.backward:
			t.sumGathered(to, d.src, d.w, d.mult)
		default:
			t.sumSpread(to, d.src, d.w, d.mult)
		}
		d.finish(to)
		out += dstStep
		t.src += srcStep
	}
}

func (d *depthwise) finish(y []float32) {
	if d.bias != nil {
		genericAdd(y, y, d.bias)
	}
	if d.relu {
		genericReLU(y, y)
	}
}

// depthwiseBackwardWeights adds the products of rows lo..hi of dy to dw.
func depthwiseBackwardWeights(g *Conv, x, dy, dw []float32, lo, hi int) {
	mult := g.K / g.C
	for row := lo; row < hi; row++ {
		image, ho := row/g.Ho, row%g.Ho
		for r := range g.R {
			h := ho*g.StrideH - g.PadTop + r*g.DilationH
			if h < 0 || h >= g.H {
				continue
			}
			for s := range g.S {
				first, last := insideRange(g.W, g.Wo, g.StrideW, s*g.DilationW-g.PadLeft)
				if first >= last {
					continue
				}
				left := first*g.StrideW - g.PadLeft + s*g.DilationW
				from := x[((image*g.H+h)*g.W+left)*g.XStride:]
				grad := dy[(row*g.Wo+first)*g.YStride:]
				to := dw[(r*g.S+s)*g.K:][:g.K]
				if mult == 1 {
					addPixelProducts(to, from, grad, last-first, g.StrideW*g.XStride, g.YStride)
					continue
				}
				for p := range last - first {
					pix := from[p*g.StrideW*g.XStride:][:g.C]
					d := grad[p*g.YStride:][:g.K]
					for i, v := range pix {
						for m := i * mult; m < (i+1)*mult; m++ {
							to[m] += v * d[m]
						}
					}
				}
			}
		}
	}
}

// addPixelProducts adds to dst, channel by channel, the sum over n pixels of a*b;
// the pixels lie stepA and stepB floats apart.
func addPixelProducts(dst, a, b []float32, n, stepA, stepB int) {
	c := 0
	for ; c+4 <= len(dst); c += 4 {
		var s0, s1, s2, s3 float32
		ia, ib := c, c
		for range n {
			u, v := a[ia:ia+4:ia+4], b[ib:ib+4:ib+4]
			s0 += u[0] * v[0]
			s1 += u[1] * v[1]
			s2 += u[2] * v[2]
			s3 += u[3] * v[3]
			ia += stepA
			ib += stepB
		}
		d := dst[c : c+4 : c+4]
		d[0] += s0
		d[1] += s1
		d[2] += s2
		d[3] += s3
	}
	for ; c < len(dst); c++ {
		var s float32
		for p := range n {
			s += a[p*stepA+c] * b[p*stepB+c]
		}
		dst[c] += s
	}
}

// taps is a rectangle of kernel taps over source pixels: offsets of the first, and
// steps from tap to tap, in the source and in the weights.
type taps struct {
	rows, cols     int
	src, w         int
	srcRow, srcCol int
	wRow, wCol     int
}

// sumPair computes d0[c] = sum over taps of src[c]*w[c], and d1 likewise for the
// pixel whose taps lie step floats further on.
func (t *taps) sumPair(d0, d1, src, w []float32, step int) {
	c := 0
	for ; c+4 <= len(d0); c += 4 {
		var p0, p1, p2, p3, q0, q1, q2, q3 float32
		for i := range t.rows {
			is, iw := t.src+i*t.srcRow+c, t.w+i*t.wRow+c
			for range t.cols {
				u, v, f := src[is:is+4:is+4], src[is+step:is+step+4:is+step+4], w[iw:iw+4:iw+4]
				f0, f1, f2, f3 := f[0], f[1], f[2], f[3]
				p0 += u[0] * f0
				q0 += v[0] * f0
				p1 += u[1] * f1
				q1 += v[1] * f1
				p2 += u[2] * f2
				q2 += v[2] * f2
				p3 += u[3] * f3
				q3 += v[3] * f3
				is += t.srcCol
				iw += t.wCol
			}
		}
		put4(d0[c:], p0, p1, p2, p3)
		put4(d1[c:], q0, q1, q2, q3)
	}
	if c < len(d0) {
		second := *t
		second.src += step
		t.sum(d0, src, w, c)
		second.sum(d1, src, w, c)
	}
}

// sum computes dst[c] = sum over taps of src[c]*w[c] from channel first on.
func (t *taps) sum(dst, src, w []float32, first int) {
	c := first
	for ; c+4 <= len(dst); c += 4 {
		var s0, s1, s2, s3 float32
		for i := range t.rows {
			is, iw := t.src+i*t.srcRow+c, t.w+i*t.wRow+c
			for range t.cols {
				u, v := src[is:is+4:is+4], w[iw:iw+4:iw+4]
				s0 += u[0] * v[0]
				s1 += u[1] * v[1]
				s2 += u[2] * v[2]
				s3 += u[3] * v[3]
				is += t.srcCol
				iw += t.wCol
			}
		}
		put4(dst[c:], s0, s1, s2, s3)
	}
	for ; c < len(dst); c++ {
		var s float32
		for i := range t.rows {
			is, iw := t.src+i*t.srcRow+c, t.w+i*t.wRow+c
			for j := range t.cols {
				s += src[is+j*t.srcCol] * w[iw+j*t.wCol]
			}
		}
		dst[c] = s
	}
}

// sumSpread computes dst[k] = sum over taps of src[k/mult]*w[k].
func (t *taps) sumSpread(dst, src, w []float32, mult int) {
	clear(dst)
	for i := range t.rows {
		for j := range t.cols {
			u := src[t.src+i*t.srcRow+j*t.srcCol:][:len(dst)/mult]
			v := w[t.w+i*t.wRow+j*t.wCol:][:len(dst)]
			for c, x := range u {
				for m := c * mult; m < (c+1)*mult; m++ {
					dst[m] += x * v[m]
				}
			}
		}
	}
}

// sumGathered computes dst[c] = sum over taps and over the outputs k of channel c of src[k]*w[k].
func (t *taps) sumGathered(dst, src, w []float32, mult int) {
	clear(dst)
	for i := range t.rows {
		for j := range t.cols {
			u := src[t.src+i*t.srcRow+j*t.srcCol:][:len(dst)*mult]
			v := w[t.w+i*t.wRow+j*t.wCol:][:len(dst)*mult]
			for c := range dst {
				for m := c * mult; m < (c+1)*mult; m++ {
					dst[c] += u[m] * v[m]
				}
			}
		}
	}
}
