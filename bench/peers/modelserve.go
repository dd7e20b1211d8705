package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nasbench-go/nasbench/bench"
	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/layers"
	"github.com/nasbench-go/nasbench/layers/safetensors"
)

const modelClasses = 10

// Files of a case, which all entrants read.
const (
	imagesFile  = "images.f32"
	labelsFile  = "labels.f32"
	weightsFile = "weights.safetensors"
	onnxFile    = "model.onnx"
)

// runner is our side of a case.
type runner struct {
	*bench.Subject
	images, labels []float32
	next           int // image
}

// serveModel answers requests about one network until there are no more: "parameters", how many numbers are trained; "memory", the planned bytes;
// "check", the loss or the logits of the first batch; "run MS", nanoseconds of each step or inference of as many as fit into this many
// milliseconds, but at least one. The arguments are network, mode, batch, number of threads and the folder of the files.
func serveModel(args []string, r io.Reader, w io.Writer) error {
	if len(args) != 5 {
		return fmt.Errorf("arguments %q; want network, mode, batch, threads and folder", args)
	}
	batch, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	threads := kernels.NewThreads(n)
	defer threads.Close()
	s, err := newRunner(modelCase{model: args[0], mode: bench.Mode(args[1]), batch: batch}, args[4], threads)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text, err := s.answer(strings.Fields(lines.Text()))
		if err != nil {
			text = "!" + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Fprintln(w, text)
	}
	return lines.Err()
}

func newRunner(c modelCase, folder string, threads *kernels.Threads) (*runner, error) {
	m, err := c.network()
	if err != nil {
		return nil, err
	}
	r := &runner{}
	if r.images, err = readFloats(filepath.Join(folder, imagesFile)); err != nil {
		return nil, err
	}
	if r.labels, err = readFloats(filepath.Join(folder, labelsFile)); err != nil {
		return nil, err
	}
	if size := m.Input.Elements(); len(r.labels) < c.batch || len(r.images) != size/c.batch*len(r.labels) {
		return nil, fmt.Errorf("%d numbers of %d images for batches of %v", len(r.images), len(r.labels), m.Input)
	}
	// The weights are read before the network is compiled, which may fold or pack them.
	build := m.Build
	m.Build = func(s layers.Scope, classes int) (layers.Module, error) {
		module, err := build(s, classes)
		if err == nil {
			err = loadWeights(s.Store(), filepath.Join(folder, weightsFile))
		}
		return module, err
	}
	r.Subject, err = bench.NewSubject(m, c.mode, modelClasses, nil, threads)
	return r, err
}

func loadWeights(store *layers.Store, path string) error {
	file, err := safetensors.ReadFile(path)
	if err != nil {
		return err
	}
	for _, p := range store.All() {
		t := file.Lookup(p.Name)
		if t == nil || !t.Shape().Equal(p.Value.Shape()) {
			return fmt.Errorf("%s: %s is missing or has another shape", path, p.Name)
		}
		copy(p.Value.Data(), t.Data())
	}
	return nil
}

// answer answers one request.
func (r *runner) answer(request []string) (string, error) {
	switch {
	case len(request) == 1 && request[0] == "parameters":
		return strconv.Itoa(r.Store.Elements()), nil
	case len(request) == 1 && request[0] == "memory":
		return strconv.FormatInt(r.Memory().Total(), 10), nil
	case len(request) == 1 && request[0] == "check":
		loss, err := r.step()
		if err != nil || r.Mode == bench.Train {
			return fmt.Sprintf("%.9g", loss), err
		}
		var b strings.Builder
		for _, v := range r.Logits().Data() {
			fmt.Fprintf(&b, "%.9g ", v)
		}
		return b.String(), nil
	case len(request) == 2 && request[0] == "run":
		milliseconds, err := strconv.ParseFloat(request[1], 64)
		if err != nil {
			return "", err
		}
		return r.run(time.Duration(milliseconds * float64(time.Millisecond)))
	}
	return "", fmt.Errorf("request %q", request)
}

// step loads the next batch and runs it.
func (r *runner) step() (float64, error) {
	batch := r.Batch()
	size := len(r.images) / len(r.labels)
	at := r.next
	r.Load(r.images[at*size:(at+batch)*size], r.labels[at:at+batch])
	if r.next += batch; r.next+batch > len(r.labels) {
		r.next = 0
	}
	return r.Step()
}

func (r *runner) run(length time.Duration) (string, error) {
	var times []string
	for start := time.Now(); len(times) == 0 || time.Since(start) < length; {
		before := time.Now()
		if _, err := r.step(); err != nil {
			return "", err
		}
		times = append(times, strconv.FormatInt(time.Since(before).Nanoseconds(), 10))
	}
	return strings.Join(times, " "), nil
}

// writeFiles writes what the entrants of a case read: some batches of real images, and weights. The weights of inference have been trained for a few
// steps, so that no batch norm is the identity. It returns where the images come from.
func writeFiles(c modelCase, folder string) (from string, err error) {
	m, err := c.network()
	if err != nil {
		return "", err
	}
	images, labels, from, err := bench.RealImages(m.Input, max(8*c.batch, 256))
	if err != nil {
		return "", err
	}
	store, err := startWeights(c, m, images, labels)
	if err != nil {
		return "", err
	}
	var tensors []safetensors.Tensor
	for _, p := range store.All() {
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Value: p.Value})
	}
	if err := safetensors.WriteFile(filepath.Join(folder, weightsFile), tensors, nil); err != nil {
		return "", err
	}
	if err := writeFloats(filepath.Join(folder, imagesFile), images); err != nil {
		return "", err
	}
	return from, writeFloats(filepath.Join(folder, labelsFile), labels)
}

func startWeights(c modelCase, m bench.Model, images, labels []float32) (*layers.Store, error) {
	if c.mode == bench.Train {
		store := layers.NewStore(1)
		_, err := m.Build(store.Root(), modelClasses)
		return store, err
	}
	const batch, steps = 64, 3
	m.Input[0] = batch
	s, err := bench.NewSubject(m, bench.Train, modelClasses, nil, nil)
	if err != nil {
		return nil, err
	}
	size := len(images) / len(labels)
	for i := range steps {
		s.Load(images[i*batch*size:(i+1)*batch*size], labels[i*batch:(i+1)*batch])
		if err := s.Run(); err != nil {
			return nil, err
		}
	}
	return s.Store, nil
}

func readFloats(path string) ([]float32, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(data)/4)
	_, err = binary.Decode(data, binary.LittleEndian, out)
	return out, err
}

func writeFloats(path string, x []float32) error {
	data, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}
