//go:build amd64 && !purego

package kernels

import "unsafe"

// Maps of channels are maps of elements whose parameters are repeated for some
// rows, into at most mapPeriod floats on the stack that stay in the first-level cache.
// So any number of channels fills the vectors.
const mapPeriod = 512

// channelPeriod returns how many floats of c channels one call takes: whole rows, and
// whole vectors where that is possible.
func channelPeriod(rows, c int) int {
	unit := c // the shortest run of rows and of vectors
	for unit%16 != 0 {
		unit *= 2
	}
	switch {
	case unit <= mapPeriod:
	case c <= mapPeriod:
		unit = c
	default:
		return c
	}
	return min(mapPeriod/unit*unit, rows*c)
}

// mapRoom holds repeated parameters and what aligns them.
type mapRoom [mapPeriod + 16]float32

// repeat returns n floats of x, again and again, from the start of a cache line.
func repeat(room *mapRoom, x []float32, n int) []float32 {
	if n == len(x) {
		return x
	}
	skip := -uintptr(unsafe.Pointer(room)) / 4 % 16
	to := room[skip:][:n]
	copy(to, x)
	for have := len(x); have < n; have *= 2 {
		copy(to[have:], to[:have])
	}
	return to
}

func (s *simd) normalize(y, x, mean, scale, shift []float32, rows, c int) {
	y, x = y[:rows*c], x[:rows*c]
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	if len(y) == 0 {
		return
	}
	var room [3]mapRoom
	period := channelPeriod(rows, c)
	mean, scale, shift = repeat(&room[0], mean, period), repeat(&room[1], scale, period), repeat(&room[2], shift, period)
	for i := 0; i < len(y); i += period {
		s.mapNormalize(&y[i], &x[i], &mean[0], &scale[0], &shift[0], min(period, len(y)-i))
	}
}

func (s *simd) normalizeReLU(y, x, mean, scale, shift []float32, rows, c int) {
	y, x = y[:rows*c], x[:rows*c]
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	if len(y) == 0 {
		return
	}
	var room [3]mapRoom
	period := channelPeriod(rows, c)
	mean, scale, shift = repeat(&room[0], mean, period), repeat(&room[1], scale, period), repeat(&room[2], shift, period)
	for i := 0; i < len(y); i += period {
		s.mapNormalizeRelu(&y[i], &x[i], &mean[0], &scale[0], &shift[0], min(period, len(y)-i))
	}
}

func (s *simd) normalizeAdd(y, x, residual, mean, scale, shift []float32, rows, c int) {
	y, x, residual = y[:rows*c], x[:rows*c], residual[:rows*c]
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	if len(y) == 0 {
		return
	}
	var room [3]mapRoom
	period := channelPeriod(rows, c)
	mean, scale, shift = repeat(&room[0], mean, period), repeat(&room[1], scale, period), repeat(&room[2], shift, period)
	for i := 0; i < len(y); i += period {
		s.mapNormalizeAdd(&y[i], &x[i], &residual[i], &mean[0], &scale[0], &shift[0], min(period, len(y)-i))
	}
}

func (s *simd) normalizeAddReLU(y, x, residual, mean, scale, shift []float32, rows, c int) {
	y, x, residual = y[:rows*c], x[:rows*c], residual[:rows*c]
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	if len(y) == 0 {
		return
	}
	var room [3]mapRoom
	period := channelPeriod(rows, c)
	mean, scale, shift = repeat(&room[0], mean, period), repeat(&room[1], scale, period), repeat(&room[2], shift, period)
	for i := 0; i < len(y); i += period {
		s.mapNormalizeAddRelu(&y[i], &x[i], &residual[i], &mean[0], &scale[0], &shift[0], min(period, len(y)-i))
	}
}

// normalizeRows normalises as many rows at once as the parameters are repeated for. Rows that lie apart are gathered and spread
// in the first-level cache.
func (s *simd) normalizeRows(n *Normalization, y, x, residual, mean, scale, shift []float32) {
	rows, c := n.Rows, n.C
	mean, scale, shift = mean[:c], scale[:c], shift[:c]
	if rows <= 0 || c == 0 {
		return
	}
	y, x = y[:(rows-1)*n.YStride+c], x[:(rows-1)*n.XStride+c]
	if residual != nil {
		residual = residual[:(rows-1)*n.RStride+c]
	}
	var room [3]mapRoom
	period := channelPeriod(rows, c)
	mean, scale, shift = repeat(&room[0], mean, period), repeat(&room[1], scale, period), repeat(&room[2], shift, period)
	var gathered [3][mapPeriod]float32
	together := func(i, stride, from int, tensor []float32, count int) []float32 {
		if stride == c || count == 1 {
			return tensor[from*stride:]
		}
		s.copyRows(gathered[i][:], c, tensor[from*stride:], stride, count, c)
		return gathered[i][:]
	}
	for lo := 0; lo < rows; lo += period / c {
		count := min(period/c, rows-lo)
		in := together(0, n.XStride, lo, x, count)
		var add []float32
		if residual != nil {
			add = together(1, n.RStride, lo, residual, count)
		}
		direct := n.YStride == c || count == 1
		out := gathered[2][:]
		if direct {
			out = y[lo*n.YStride:]
		}
		switch {
		case add == nil && n.ReLU:
			s.mapNormalizeRelu(&out[0], &in[0], &mean[0], &scale[0], &shift[0], count*c)
		case add == nil:
			s.mapNormalize(&out[0], &in[0], &mean[0], &scale[0], &shift[0], count*c)
		case n.ReLU:
			s.mapNormalizeAddRelu(&out[0], &in[0], &add[0], &mean[0], &scale[0], &shift[0], count*c)
		default:
			s.mapNormalizeAdd(&out[0], &in[0], &add[0], &mean[0], &scale[0], &shift[0], count*c)
		}
		if !direct {
			s.copyRows(y[lo*n.YStride:], n.YStride, out, c, count, c)
		}
	}
}

func (s *simd) channelCombine(dst, dy, x, mean, a, b, d []float32, rows, c int) {
	dst, dy, x = dst[:rows*c], dy[:rows*c], x[:rows*c]
	mean, a, b, d = mean[:c], a[:c], b[:c], d[:c]
	if len(dst) == 0 {
		return
	}
	var room [4]mapRoom
	period := channelPeriod(rows, c)
	mean, a, b, d = repeat(&room[0], mean, period), repeat(&room[1], a, period), repeat(&room[2], b, period), repeat(&room[3], d, period)
	for i := 0; i < len(dst); i += period {
		s.mapCombine(&dst[i], &dy[i], &x[i], &mean[0], &a[0], &b[0], &d[0], min(period, len(dst)-i))
	}
}

func (s *simd) channelCombineReLU(dst, dy, x, mean, scale, shift, a, b, d []float32, rows, c int) {
	dst, dy, x = dst[:rows*c], dy[:rows*c], x[:rows*c]
	mean, scale, shift, a, b, d = mean[:c], scale[:c], shift[:c], a[:c], b[:c], d[:c]
	if len(dst) == 0 {
		return
	}
	var room [6]mapRoom
	period := channelPeriod(rows, c)
	mean, scale, shift = repeat(&room[0], mean, period), repeat(&room[1], scale, period), repeat(&room[2], shift, period)
	a, b, d = repeat(&room[3], a, period), repeat(&room[4], b, period), repeat(&room[5], d, period)
	for i := 0; i < len(dst); i += period {
		s.mapCombineRelu(&dst[i], &dy[i], &x[i], &mean[0], &scale[0], &shift[0], &a[0], &b[0], &d[0], min(period, len(dst)-i))
	}
}

func (s *simd) addRow(y, x, row []float32, rows, c int) {
	y, x, row = y[:rows*c], x[:rows*c], row[:c]
	if len(y) == 0 {
		return
	}
	var room mapRoom
	period := channelPeriod(rows, c)
	row = repeat(&room, row, period)
	for i := 0; i < len(y); i += period {
		s.mapAdd(&y[i], &x[i], &row[0], 0, min(period, len(y)-i))
	}
}
