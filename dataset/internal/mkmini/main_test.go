package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestOutputIsUpToDate(t *testing.T) {
	const input = "/usr/share/datasets/fashion-mnist"
	if _, err := os.Stat(input); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("Debian's package dataset-fashion-mnist is not installed: %v", err)
	}
	if err := run(input, "../../fashionmini", true); err != nil {
		t.Fatal(err)
	}
}

func TestACheckFailsOnOtherData(t *testing.T) {
	packed, err := pack([]byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := unpack(packed)
	if err != nil || string(data) != "data" {
		t.Fatalf("%q %v", data, err)
	}
	if err := compare("../../fashionmini/train-labels-idx1-ubyte.gz", []byte("other")); err == nil {
		t.Error("other data passed the check")
	}
}
