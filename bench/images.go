package bench

import (
	"errors"
	"fmt"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/tensor"
)

// RealImages returns labelled images of Fashion-MNIST for batches of this shape: the first n in a fixed random order, normalised, channels last. They come from the
// files of the data set or, where those are not installed, from its embedded part; the text says which. Larger images have a black border, and every
// channel is the same.
func RealImages(input tensor.Shape, n int) (images, labels []float32, from string, err error) {
	data, err := dataset.Open("fashion-mnist", dataset.Options{})
	if errors.Is(err, dataset.ErrMissing) {
		data, err = dataset.Open(dataset.Default, dataset.Options{})
	}
	if err != nil {
		return nil, nil, "", err
	}
	info := data.Info()
	if len(input) != 4 || input[1] < info.Height || input[2] < info.Width || input[3]%info.Channels != 0 {
		return nil, nil, "", fmt.Errorf("bench: images of %s cannot be made %v", info.Name, input)
	}
	if n < 1 || n > data.Train().Len() {
		return nil, nil, "", fmt.Errorf("bench: %d images of the %d of %s", n, data.Train().Len(), info.Name)
	}
	stats := dataset.Measure(data.Train())
	loader, err := dataset.NewLoader(data.Train(), dataset.LoaderOptions{Batch: n, Seed: 1, Shuffle: true, DropLast: true, Stats: stats, Ahead: 1})
	if err != nil {
		return nil, nil, "", err
	}
	defer loader.Close()
	loader.Start(0)
	small, classes, _, _ := loader.Next()
	labels = append(labels, classes...)
	height, width, channels := input[1], input[2], input[3]
	images = make([]float32, n*height*width*channels)
	for i := range images {
		c := i % info.Channels
		images[i] = -stats.Mean[c] / stats.Std[c]
	}
	top, left := (height-info.Height)/2, (width-info.Width)/2
	for i := range n {
		for y := range info.Height {
			for x := range info.Width {
				from := small[((i*info.Height+y)*info.Width+x)*info.Channels:]
				to := images[((i*height+top+y)*width+left+x)*channels:]
				for c := range channels {
					to[c] = from[c%info.Channels]
				}
			}
		}
	}
	return images, labels, info.Name, nil
}
