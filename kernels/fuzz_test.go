package kernels

import "testing"

func FuzzGEMM(f *testing.F) {
	f.Add(uint16(3), uint16(5), uint16(7), uint8(0), uint64(1))
	f.Add(uint16(33), uint16(300), uint16(257), uint8(3), uint64(2))
	f.Add(uint16(1), uint16(1), uint16(0), uint8(255), uint64(3))
	f.Fuzz(func(t *testing.T, m, n, k uint16, flags uint8, seed uint64) {
		form := gemmForm{
			m: 1 + int(m%80), n: 1 + int(n%320), k: int(k % 320),
			transA: flags&1 != 0, transB: flags&2 != 0, relu: flags&4 != 0, bias: flags&8 != 0,
			alpha: 0.5 + float32(flags>>4&1), beta: float32(flags>>5&1) / 2, wide: int(flags >> 6),
		}
		for _, l := range Available() {
			table, err := ForLevel(l)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkGEMM(newGuards(t), table, form, seed); err != nil {
				t.Fatalf("%v: %+v: %v", l, form, err)
			}
		}
	})
}

func FuzzConv(f *testing.F) {
	f.Add(uint64(1), uint8(3), uint8(3), uint8(1), uint8(1), uint8(1))
	f.Add(uint64(2), uint8(5), uint8(2), uint8(3), uint8(0), uint8(2))
	f.Add(uint64(3), uint8(1), uint8(7), uint8(4), uint8(6), uint8(5))
	f.Fuzz(func(t *testing.T, seed uint64, r, s, stride, pad, dil uint8) {
		rng := newRand("fuzz conv", seed)
		form := randomForm(rng)
		form.h, form.w = 1+rng.IntN(20), 1+rng.IntN(20)
		form.r, form.s = 1+int(r%8), 1+int(s%8)
		form.strideH, form.strideW = 1+int(stride%6), 1+int(stride/6%6)
		form.padH, form.padW = int(pad%9), int(pad/9%9)
		form.dilH, form.dilW = 1+int(dil%6), 1+int(dil/6%6)
		for _, l := range Available() {
			table, err := ForLevel(l)
			if err != nil {
				t.Fatal(err)
			}
			checkForm(t, newGuards(t), rng, table, form)
		}
	})
}

func FuzzDepthwise(f *testing.F) {
	f.Add(uint64(1), uint8(17), uint8(3), uint8(9), uint8(1), uint8(1), uint8(1))
	f.Add(uint64(2), uint8(64), uint8(7), uint8(14), uint8(8), uint8(13), uint8(3))
	f.Add(uint64(3), uint8(2), uint8(20), uint8(1), uint8(0), uint8(30), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, channels, kernel, side, stride, pad, dil uint8) {
		rng := newRand("fuzz depthwise", seed)
		c := 2 + int(channels%80)
		form := convForm{
			n: 1 + rng.IntN(3), h: 1 + int(side%20), w: 1 + rng.IntN(20), c: c, k: c, groups: c, r: 1 + int(kernel%8), s: 1 + int(kernel/8%8),
			strideH: 1 + int(stride%4), strideW: 1 + int(stride/4%4), padH: int(pad % 8), padW: int(pad / 8 % 8),
			dilH: 1 + int(dil%3), dilW: 1 + int(dil/3%3), wideX: rng.IntN(3), wideY: rng.IntN(3), relu: rng.IntN(2) == 0,
		}
		for _, table := range allLevels(t) {
			checkForm(t, newGuards(t), rng, table, form)
		}
	})
}

func FuzzPool(f *testing.F) {
	f.Add(uint64(1), uint8(17), uint8(9), uint8(9), uint8(18), uint8(0), uint8(9))
	f.Add(uint64(2), uint8(64), uint8(33), uint8(6), uint8(9), uint8(17), uint8(0))
	f.Add(uint64(3), uint8(1), uint8(0), uint8(0), uint8(0), uint8(255), uint8(255))
	f.Fuzz(func(t *testing.T, seed uint64, channels, height, width, window, stride, pad uint8) {
		rng := newRand("fuzz pool", seed)
		p := &Pool{
			N: 1 + rng.IntN(3), H: 1 + int(height%40), W: 1 + int(width%40), C: 1 + int(channels%80), R: 1 + int(window%7), S: 1 + int(window/7%7),
			StrideH: 1 + int(stride%5), StrideW: 1 + int(stride/5%5),
		}
		p.PadTop, p.PadLeft = int(pad)%p.R, int(pad/8)%p.S
		roomH, roomW := p.H+2*p.PadTop-p.R, p.W+2*p.PadLeft-p.S
		if roomH < 0 || roomW < 0 {
			t.Skip("no window fits")
		}
		p.Ho, p.Wo = roomH/p.StrideH+1, roomW/p.StrideW+1
		p.XStride, p.YStride = p.C+rng.IntN(3), p.C+rng.IntN(3)
		for _, table := range allLevels(t) {
			checkPool(t, newGuards(t), rng, table, p)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	f.Add(uint64(1), uint16(9), uint16(16))
	f.Add(uint64(2), uint16(300), uint16(3))
	f.Add(uint64(3), uint16(2), uint16(700))
	f.Fuzz(func(t *testing.T, seed uint64, rows, channels uint16) {
		c := 1 + int(channels%1100)
		n := int(rows) % (1 + 20000/c)
		for _, table := range allLevels(t) {
			mem, rng := newGuards(t), newRand("fuzz norm", seed)
			checkRowsApart(t, mem, rng, table, n, c)
			checkChannelSums(t, mem, rng, table, n, c)
		}
	})
}

func FuzzSoftmax(f *testing.F) {
	f.Add(uint64(1), uint16(9), uint16(16), uint8(1), false)
	f.Add(uint64(2), uint16(3), uint16(1000), uint8(30), true)
	f.Add(uint64(3), uint16(100), uint16(1), uint8(0), false)
	f.Fuzz(func(t *testing.T, seed uint64, rows, columns uint16, scale uint8, inPlace bool) {
		c := 1 + int(columns%1500)
		n := int(rows) % (1 + 5000/c)
		for _, table := range allLevels(t) {
			checkSoftmax(t, newGuards(t), newRand("fuzz softmax", seed), table, n, c, float32(scale%32), inPlace)
		}
	})
}
