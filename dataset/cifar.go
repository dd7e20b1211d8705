package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	cifarFolder  = "cifar-10-batches-bin"
	cifarSide    = 32
	cifarRecord  = 1 + 3*cifarSide*cifarSide // a label and three colour planes
	cifarRecords = 10000                     // in each file
	cifarTest    = "test_batch.bin"
)

func cifarTrain() []string {
	return []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}
}

func cifarSource() source {
	info := Info{
		Name:    "cifar10",
		Title:   "CIFAR-10: colour 32x32 photographs of animals and vehicles",
		Classes: []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
		Height:  cifarSide, Width: cifarSide, Channels: 3, Train: 50000, Test: 10000,
		Licence: "none stated by its authors",
		Source:  "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; https://www.cs.toronto.edu/~kriz/cifar.html",
		HowToGet: "to get it, unpack \"CIFAR-10 binary version\" (cifar-10-binary.tar.gz) of www.cs.toronto.edu/~kriz/cifar.html " +
			"in a folder and name it with --data-dir or NASBENCH_DATA",
	}
	return source{
		info: info,
		locate: func(info Info, o Options) (string, error) {
			dirs := folders(o, cifarFolder, filepath.Join(info.Name, cifarFolder), info.Name)
			return locateFiles(info, dirs, append(cifarTrain(), cifarTest))
		},
		open: func(info Info, dir string, _ Options) (*Dataset, error) {
			d, err := openCIFAR(info, os.DirFS(dir), dir, cifarRecords)
			if err != nil {
				return nil, err
			}
			d.contents = fileContents(dir, append(cifarTrain(), cifarTest))
			return d, nil
		},
	}
}

// openCIFAR opens the batches in a folder, which hold the given number of records each.
func openCIFAR(info Info, fsys fs.FS, dir string, records int) (*Dataset, error) {
	train, err := readCIFAR(info, fsys, dir, cifarTrain(), records)
	if err != nil {
		return nil, err
	}
	if err := checkTestCIFAR(info, fsys, dir, records); err != nil {
		return nil, err
	}
	return newDataset(info, dir, train, records, func() (*Split, error) {
		return readCIFAR(info, fsys, dir, []string{cifarTest}, records)
	})
}

func readCIFAR(info Info, fsys fs.FS, dir string, files []string, records int) (*Split, error) {
	const plane = cifarSide * cifarSide
	images := make([]byte, 0, len(files)*records*3*plane)
	labels := make([]int, 0, len(files)*records)
	for _, file := range files {
		err := withFile(info, fsys, dir, file, func(in *input) error {
			size := int64(records * cifarRecord)
			raw, err := in.readExactly(0, size, fmt.Sprintf("%d records of %d bytes", records, cifarRecord))
			if err != nil {
				return err
			}
			for r := range records {
				record := raw[r*cifarRecord : (r+1)*cifarRecord]
				if int(record[0]) >= len(info.Classes) {
					return at(int64(r*cifarRecord), "want a label below %d, have %d", len(info.Classes), record[0])
				}
				labels = append(labels, int(record[0]))
				red, green, blue := record[1:1+plane], record[1+plane:1+2*plane], record[1+2*plane:]
				for i := range plane {
					images = append(images, red[i], green[i], blue[i])
				}
			}
			return in.end(size)
		})
		if err != nil {
			return nil, err
		}
	}
	return NewSplit(images, labels, cifarSide, cifarSide, 3, info.Classes)
}
