package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nasbench-go/nasbench/internal/stream"
)

// Split is a list of labelled images of one size. It is immutable and may be used by
// several goroutines at once.
type Split struct {
	Height, Width, Channels int
	Classes                 []string // class names by label

	images []byte // all images of the storage, H x W x C each
	labels []int  // all labels of the storage
	index  []int  // the samples of this split; nil for all
}

// NewSplit returns a split over images, N x H x W x C bytes with channels last, and
// their N labels, which are indices of classes. The slices are not copied.
func NewSplit(images []byte, labels []int, height, width, channels int, classes []string) (*Split, error) {
	if height < 1 || width < 1 || channels < 1 {
		return nil, fmt.Errorf("dataset: images of %dx%dx%d", height, width, channels)
	}
	if len(classes) == 0 {
		return nil, errors.New("dataset: no classes")
	}
	if height > math.MaxInt32 || width > math.MaxInt32/height || channels > math.MaxInt32/(height*width) {
		return nil, fmt.Errorf("dataset: images of %dx%dx%d are too large", height, width, channels)
	}
	size := height * width * channels
	if len(images)/size != len(labels) || len(images)%size != 0 {
		return nil, fmt.Errorf("dataset: %d labels for %d bytes of %dx%dx%d images", len(labels), len(images), height, width, channels)
	}
	for i, l := range labels {
		if l < 0 || l >= len(classes) {
			return nil, fmt.Errorf("dataset: sample %d has label %d; there are %d classes", i, l, len(classes))
		}
	}
	return &Split{Height: height, Width: width, Channels: channels, Classes: classes, images: images, labels: labels}, nil
}

// Len returns the number of samples.
func (s *Split) Len() int {
	if s.index != nil {
		return len(s.index)
	}
	return len(s.labels)
}

func (s *Split) at(i int) int {
	if s.index != nil {
		return s.index[i]
	}
	return i
}

// Image returns the pixels of sample i, H x W x C. The caller must not change them.
func (s *Split) Image(i int) []byte {
	size := s.Height * s.Width * s.Channels
	from := s.at(i) * size
	return s.images[from : from+size : from+size]
}

// Label returns the class of sample i, an index of Classes.
func (s *Split) Label(i int) int { return s.labels[s.at(i)] }

// maxSeen bounds the samples of all epochs of a training. With no more, the numbers of samples and steps are exact as floats, which schedules of a
// learning rate and forecasts of the time take them for.
const maxSeen = 1 << 53

// CheckEpochs returns an error if a training over the split cannot have so many epochs: none, or more than can be counted.
func (s *Split) CheckEpochs(epochs int) error {
	switch {
	case epochs < 1:
		return fmt.Errorf("%d epochs, want at least 1", epochs)
	case int64(epochs) > maxSeen/int64(max(s.Len(), 1)):
		return fmt.Errorf("%d epochs of %d images are too many to count", epochs, s.Len())
	}
	return nil
}

// Counts returns the number of samples of each class.
func (s *Split) Counts() []int {
	n := make([]int, len(s.Classes))
	for i := range s.Len() {
		n[s.Label(i)]++
	}
	return n
}

// Subset returns the samples at the given places, in that order, sharing storage.
func (s *Split) Subset(places []int) (*Split, error) {
	index := make([]int, len(places))
	for i, p := range places {
		if p < 0 || p >= s.Len() {
			return nil, fmt.Errorf("dataset: place %d is outside a split of %d samples", p, s.Len())
		}
		index[i] = s.at(p)
	}
	part := *s
	part.index = index
	return &part, nil
}

// SplitStratified cuts a split into two parts that share its storage: part holds the
// given fraction of every class, rounded to the nearest sample, and rest the others.
// Both hold at least one sample of every class, and keep the order of s. The choice
// depends on the seed and the labels alone.
//
// It is an error if the fraction is not between zero and one or a class has fewer than
// two samples.
func SplitStratified(s *Split, fraction float64, seed uint64) (rest, part *Split, err error) {
	if s == nil {
		return nil, nil, errors.New("dataset: no split to cut in two")
	}
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("dataset: a fraction of %v; want one between 0 and 1", fraction)
	}
	labels := make([]int, s.Len())
	for i := range labels {
		labels[i] = s.Label(i)
	}
	inRest, inPart, err := stratify(labels, s.Classes, fraction, seed)
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %w", err)
	}
	if rest, err = s.Subset(inRest); err != nil {
		return nil, nil, err
	}
	if part, err = s.Subset(inPart); err != nil {
		return nil, nil, err
	}
	return rest, part, nil
}

// stratify chooses a fraction of the places of every label at random and returns the
// others and the chosen, both ascending.
func stratify(labels []int, classes []string, fraction float64, seed uint64) (rest, part []int, err error) {
	byClass := make([][]int, len(classes))
	for i, l := range labels {
		byClass[l] = append(byClass[l], i)
	}
	for label, places := range byClass {
		if len(places) < 2 {
			return nil, nil, fmt.Errorf("class %q has %s, too few to split; want at least 2", classes[label], number(len(places), "sample"))
		}
		rng := stream.New(seed, "dataset/stratify", uint64(label))
		rng.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
		n := int(math.Round(fraction * float64(len(places))))
		n = min(max(n, 1), len(places)-1)
		part = append(part, places[:n]...)
		rest = append(rest, places[n:]...)
	}
	slices.Sort(rest)
	slices.Sort(part)
	return rest, part, nil
}
