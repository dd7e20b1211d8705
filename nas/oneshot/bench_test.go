package oneshot

import (
	"testing"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/stream"
	"github.com/nasbench-go/nasbench/nas/space"
)

// BenchmarkStep measures what a training step of a supernet consists of, each time on other paths: building and compiling the
// path, the same from the cache, and the whole step.
func BenchmarkStep(b *testing.B) {
	d, err := dataset.Open("fashion-mnist-mini", dataset.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"chain", "seed-cell", "nb201", "macro"} {
		c := space.Constraints{}
		if name == "chain" {
			c = space.Constraints{MaxFLOPs: 20e6, MaxActivationBytes: 1.6e6, MinParams: 40e3} // those of a search without flags
		}
		s, err := space.NewSized(name, space.Task{Height: 28, Width: 28, Channels: 1, Classes: 10}, c, space.Size{})
		if err != nil {
			b.Fatal(err)
		}
		o := Defaults()
		o.Space, o.Train = s, d.Train()
		n := mustSupernet(b, o)
		var paths []space.Genome
		for i := range uint64(40) {
			g, err := n.SamplePath(stream.New(1, "benchmark", i))
			if err != nil {
				b.Fatal(err)
			}
			paths = append(paths, g)
		}
		n.teacher.Start(1)
		images, labels, _, _ := n.teacher.Next()
		nodes := 0
		teach := func(i int) {
			p, err := n.teach(paths[i%len(paths)])
			if err != nil {
				b.Fatal(err)
			}
			nodes += len(p.Nodes())
		}
		for i := range paths { // the supernet and the arena grow to their size
			teach(i)
		}
		b.Run(name+"/compile", func(b *testing.B) {
			nodes = 0
			for i := 0; b.Loop(); i++ {
				n.cache.clear()
				teach(i)
			}
			b.ReportMetric(float64(nodes)/float64(b.N), "nodes/op")
		})
		b.Run(name+"/cached", func(b *testing.B) {
			teach(0)
			for b.Loop() {
				teach(0)
			}
		})
		b.Run(name+"/step", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				n.cache.clear()
				if _, err := n.learn(b.Context(), paths[i%len(paths)], 0, images, labels); err != nil {
					b.Fatal(err)
				}
				n.update.apply(1e-6)
			}
		})
	}
}
