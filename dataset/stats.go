package dataset

import "math"

// Stats are the mean and the standard deviation of each channel, of pixels scaled to
// 0..1. They normalise images: (pixel/255 - Mean) / Std.
type Stats struct {
	Mean, Std []float32
}

// Measure computes the statistics of a split, which should be the samples that are
// trained on and no others. Sums are exact integers, so that the result does not
// depend on the order of the samples. A constant channel gets a deviation of one.
func Measure(s *Split) Stats {
	c := s.Channels
	sum, squares := make([]uint64, c), make([]uint64, c)
	for i := range s.Len() {
		image := s.Image(i)
		for ch := range c {
			var a, b uint64
			for p := ch; p < len(image); p += c {
				v := uint64(image[p])
				a += v
				b += v * v
			}
			sum[ch] += a
			squares[ch] += b
		}
	}
	st := Stats{Mean: make([]float32, c), Std: make([]float32, c)}
	n := float64(s.Len() * s.Height * s.Width)
	for ch := range c {
		st.Std[ch] = 1
		if n == 0 {
			continue
		}
		mean := float64(sum[ch]) / n
		variance := float64(squares[ch])/n - mean*mean
		st.Mean[ch] = float32(mean / 255)
		if variance > 0 {
			st.Std[ch] = float32(math.Sqrt(variance) / 255)
		}
	}
	return st
}

// table returns the normalised value of every pixel value: 256 for each channel.
func (st Stats) table(channels int) []float32 {
	t := make([]float32, 256*channels)
	for c := range channels {
		mean, std := float32(0), float32(1)
		if c < len(st.Mean) {
			mean, std = st.Mean[c], st.Std[c]
		}
		for v := range 256 {
			t[256*c+v] = (float32(v)/255 - mean) / std
		}
	}
	return t
}
