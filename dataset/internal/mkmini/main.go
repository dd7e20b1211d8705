// Mkmini makes the files of fashion-mnist-mini: the first 1,000 training images and
// the first 200 test images of each class of Fashion-MNIST, in their order.
//
//	go generate ./dataset                                 # write them
//	go run ./dataset/internal/mkmini -out dataset/fashionmini -check
//
// The input are the four IDX files as Zalando published them (Debian's package
// dataset-fashion-mnist installs them), whose checksums are verified. With -check
// nothing is written: the images and labels, uncompressed, must equal those there.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	side    = 28
	classes = 10
)

// part is one split: its two files, their SHA-256 sums and the samples to keep.
type part struct {
	images, labels       string
	imagesSum, labelsSum string
	perClass             int
}

func parts() []part {
	return []part{
		{
			images: "train-images-idx3-ubyte.gz", imagesSum: "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
			labels: "train-labels-idx1-ubyte.gz", labelsSum: "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
			perClass: 1000,
		},
		{
			images: "t10k-images-idx3-ubyte.gz", imagesSum: "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
			labels: "t10k-labels-idx1-ubyte.gz", labelsSum: "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
			perClass: 200,
		},
	}
}

func main() {
	from := flag.String("from", "/usr/share/datasets/fashion-mnist", "folder of the four IDX files of Fashion-MNIST")
	out := flag.String("out", "fashionmini", "folder of the output")
	check := flag.Bool("check", false, "write nothing; fail if the output is not up to date")
	flag.Parse()
	if err := run(*from, *out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "mkmini:", err)
		os.Exit(1)
	}
}

func run(from, out string, check bool) error {
	var sums strings.Builder
	sums.WriteString("# SHA-256. Input: Fashion-MNIST, as published by Zalando Research.\n")
	for _, p := range parts() {
		fmt.Fprintf(&sums, "%s  input/%s\n%s  input/%s\n", p.imagesSum, p.images, p.labelsSum, p.labels)
	}
	sums.WriteString("# Output: fashion-mnist-mini.\n")
	for _, p := range parts() {
		images, labels, err := p.choose(from)
		if err != nil {
			return err
		}
		for _, f := range []struct {
			name string
			data []byte
		}{{p.images, images}, {p.labels, labels}} {
			path := filepath.Join(out, f.name)
			if check {
				if err := compare(path, f.data); err != nil {
					return err
				}
				continue
			}
			packed, err := pack(f.data)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path, packed, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(packed), f.name)
		}
	}
	if check {
		return nil
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// choose returns the IDX files of the samples to keep.
func (p part) choose(from string) (images, labels []byte, err error) {
	pixels, err := read(filepath.Join(from, p.images), p.imagesSum)
	if err != nil {
		return nil, nil, err
	}
	all, err := read(filepath.Join(from, p.labels), p.labelsSum)
	if err != nil {
		return nil, nil, err
	}
	// The sums match, so that the headers (16 and 8 bytes) are as they should be.
	pixels, all = pixels[16:], all[8:]
	n := classes * p.perClass
	images = header(n, side, side)
	labels = header(n)
	var count [classes]int
	for i, l := range all {
		if count[l] < p.perClass {
			count[l]++
			images = append(images, pixels[i*side*side:(i+1)*side*side]...)
			labels = append(labels, l)
		}
	}
	return images, labels, nil
}

func header(dims ...int) []byte {
	h := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		h = binary.BigEndian.AppendUint32(h, uint32(d))
	}
	return h
}

// read returns the uncompressed content of a file whose SHA-256 sum must be as given.
func read(path, sum string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("%s: SHA-256 is %x, want %s", path, got, sum)
	}
	return unpack(raw)
}

func unpack(raw []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func pack(data []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// compare reports whether a gzipped file holds data. Its bytes may differ: other
// versions of Go compress differently.
func compare(path string, data []byte) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	have, err := unpack(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !bytes.Equal(have, data) {
		return fmt.Errorf("%s is not up to date; run go generate ./dataset", path)
	}
	return nil
}
