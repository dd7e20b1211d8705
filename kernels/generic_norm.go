package kernels

// Reductions over rows keep the float64 sums of up to channelChunk channels on the
// stack and pass over channelRows rows at a time, so that the rows stay in the
// first-level cache while quads of channels are summed in registers.
const (
	channelChunk = 64
	channelRows  = 64
)

// genericChannelMoments sums deviations from the first row rather than the values
// themselves: in float64 this loses nothing that matters when the mean is far
// larger than the deviation.
func genericChannelMoments(mean, m2, x []float32, rows, c int) {
	if rows == 0 {
		clear(mean[:c])
		clear(m2[:c])
		return
	}
	var sum, squares [channelChunk]float64
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sum[:])
		clear(squares[:])
		shift := x[first : first+n]
		for lo := 0; lo < rows; lo += channelRows {
			count := min(channelRows, rows-lo)
			block := x[lo*c+first:]
			i := 0
			for ; i+4 <= n; i += 4 {
				momentsQuad((*[4]float64)(sum[i:]), (*[4]float64)(squares[i:]), (*[4]float32)(shift[i:]), block[i:], count, c)
			}
			for ; i < n; i++ {
				for r := range count {
					d := float64(block[r*c+i]) - float64(shift[i])
					sum[i] += d
					squares[i] += d * d
				}
			}
		}
		for i := range n {
			d := sum[i] / float64(rows)
			mean[first+i] = float32(float64(shift[i]) + d)
			m2[first+i] = float32(max(0, squares[i]-sum[i]*d))
		}
	}
}

func momentsQuad(sum, squares *[4]float64, shift *[4]float32, x []float32, rows, step int) {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	q0, q1, q2, q3 := squares[0], squares[1], squares[2], squares[3]
	k0, k1, k2, k3 := float64(shift[0]), float64(shift[1]), float64(shift[2]), float64(shift[3])
	at := 0
	for range rows {
		v := x[at : at+4 : at+4]
		d := float64(v[0]) - k0
		s0 += d
		q0 += d * d
		d = float64(v[1]) - k1
		s1 += d
		q1 += d * d
		d = float64(v[2]) - k2
		s2 += d
		q2 += d * d
		d = float64(v[3]) - k3
		s3 += d
		q3 += d * d
		at += step
	}
	*sum = [4]float64{s0, s1, s2, s3}
	*squares = [4]float64{q0, q1, q2, q3}
}

// The products of normalised values are rounded before the shift is added, whatever the machine, so that all routines
// agree about which values a ReLU passes.

func genericNormalize(y, x, mean, scale, shift []float32, rows, c int) {
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	for r := range rows {
		in, out := x[r*c:(r+1)*c], y[r*c:(r+1)*c]
		for i, v := range in {
			out[i] = float32((v-mean[i])*scale[i]) + shift[i]
		}
	}
}

func genericNormalizeReLU(y, x, mean, scale, shift []float32, rows, c int) {
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	for r := range rows {
		in, out := x[r*c:(r+1)*c], y[r*c:(r+1)*c]
		for i, v := range in {
			out[i] = max(float32((v-mean[i])*scale[i])+shift[i], 0)
		}
	}
}

func genericNormalizeAdd(y, x, residual, mean, scale, shift []float32, rows, c int) {
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	for r := range rows {
		in, add, out := x[r*c:(r+1)*c], residual[r*c:(r+1)*c], y[r*c:(r+1)*c]
		for i, v := range in {
			out[i] = float32((v-mean[i])*scale[i]) + shift[i] + add[i]
		}
	}
}

func genericNormalizeAddReLU(y, x, residual, mean, scale, shift []float32, rows, c int) {
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	for r := range rows {
		in, add, out := x[r*c:(r+1)*c], residual[r*c:(r+1)*c], y[r*c:(r+1)*c]
		for i, v := range in {
			out[i] = max(float32((v-mean[i])*scale[i])+shift[i]+add[i], 0)
		}
	}
}

func genericNormalizeRows(n *Normalization, y, x, residual, mean, scale, shift []float32) {
	for r := range n.Rows {
		in, out := x[r*n.XStride:][:n.C], y[r*n.YStride:][:n.C]
		switch {
		case residual == nil && n.ReLU:
			genericNormalizeReLU(out, in, mean, scale, shift, 1, n.C)
		case residual == nil:
			genericNormalize(out, in, mean, scale, shift, 1, n.C)
		case n.ReLU:
			genericNormalizeAddReLU(out, in, residual[r*n.RStride:][:n.C], mean, scale, shift, 1, n.C)
		default:
			genericNormalizeAdd(out, in, residual[r*n.RStride:][:n.C], mean, scale, shift, 1, n.C)
		}
	}
}

func genericChannelSum(dst, x []float32, rows, c int) {
	var sum [channelChunk]float64
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sum[:])
		for r := range rows {
			for i, v := range x[r*c+first:][:n] {
				sum[i&(channelChunk-1)] += float64(v)
			}
		}
		for i, s := range sum[:n] {
			dst[first+i] = float32(s)
		}
	}
}

func genericChannelDot(sum, dot, dy, x, mean []float32, rows, c int) {
	var sums, dots [channelChunk]float64
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sums[:])
		clear(dots[:])
		for lo := 0; lo < rows; lo += channelRows {
			count := min(channelRows, rows-lo)
			dyBlock, xBlock := dy[lo*c+first:], x[lo*c+first:]
			i := 0
			for ; i+4 <= n; i += 4 {
				dotQuad((*[4]float64)(sums[i:]), (*[4]float64)(dots[i:]), (*[4]float32)(mean[first+i:]), dyBlock[i:], xBlock[i:], count, c)
			}
			for ; i < n; i++ {
				for r := range count {
					g := float64(dyBlock[r*c+i])
					sums[i] += g
					dots[i] += g * (float64(xBlock[r*c+i]) - float64(mean[first+i]))
				}
			}
		}
		for i := range n {
			sum[first+i] = float32(sums[i])
			dot[first+i] = float32(dots[i])
		}
	}
}

func dotQuad(sum, dot *[4]float64, mean *[4]float32, dy, x []float32, rows, step int) {
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	d0, d1, d2, d3 := dot[0], dot[1], dot[2], dot[3]
	m0, m1, m2, m3 := float64(mean[0]), float64(mean[1]), float64(mean[2]), float64(mean[3])
	at := 0
	for range rows {
		u, v := dy[at:at+4:at+4], x[at:at+4:at+4]
		g := float64(u[0])
		s0 += g
		d0 += g * (float64(v[0]) - m0)
		g = float64(u[1])
		s1 += g
		d1 += g * (float64(v[1]) - m1)
		g = float64(u[2])
		s2 += g
		d2 += g * (float64(v[2]) - m2)
		g = float64(u[3])
		s3 += g
		d3 += g * (float64(v[3]) - m3)
		at += step
	}
	*sum = [4]float64{s0, s1, s2, s3}
	*dot = [4]float64{d0, d1, d2, d3}
}

func genericChannelCombine(dst, dy, x, mean, a, b, d []float32, rows, c int) {
	mean, a, b, d = mean[:c], a[:c], b[:c], d[:c]
	for r := range rows {
		g, in, out := dy[r*c:(r+1)*c], x[r*c:(r+1)*c], dst[r*c:(r+1)*c]
		for i, v := range in {
			out[i] = float32(a[i]*g[i]) + float32(b[i]*(v-mean[i])) + d[i]
		}
	}
}

func genericAddRow(y, x, row []float32, rows, c int) {
	row = row[:c]
	for r := range rows {
		in, out := x[r*c:(r+1)*c], y[r*c:(r+1)*c]
		for i, v := range in {
			out[i] = v + row[i]
		}
	}
}

// passed returns g where the ReLU of a normalised value passes it on.
func passed(g, v, mean, scale, shift float32) float32 {
	if float32((v-mean)*scale)+shift <= 0 {
		return 0
	}
	return g
}

func genericChannelDotReLU(sum, dot, dy, x, mean, scale, shift []float32, rows, c int) {
	var sums, dots [channelChunk]float64
	for first := 0; first < c; first += channelChunk {
		n := min(channelChunk, c-first)
		clear(sums[:])
		clear(dots[:])
		means, scales, shifts := mean[first:first+n], scale[first:first+n], shift[first:first+n]
		for r := range rows {
			grad, in := dy[r*c+first:][:n], x[r*c+first:][:n]
			for i, v := range in {
				g := float64(passed(grad[i], v, means[i], scales[i], shifts[i]))
				sums[i] += g
				dots[i] += g * (float64(v) - float64(means[i]))
			}
		}
		for i := range n {
			sum[first+i], dot[first+i] = float32(sums[i]), float32(dots[i])
		}
	}
}

func genericChannelCombineReLU(dst, dy, x, mean, scale, shift, a, b, d []float32, rows, c int) {
	mean, scale, shift, a, b, d = mean[:c], scale[:c], shift[:c], a[:c], b[:c], d[:c]
	for r := range rows {
		grad, in, out := dy[r*c:(r+1)*c], x[r*c:(r+1)*c], dst[r*c:(r+1)*c]
		for i, v := range in {
			out[i] = float32(a[i]*passed(grad[i], v, mean[i], scale[i], shift[i])) + float32(b[i]*(v-mean[i])) + d[i]
		}
	}
}
