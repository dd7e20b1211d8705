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
