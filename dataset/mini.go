package dataset

import (
	"embed"
	"io/fs"
)

//go:generate go run ./internal/mkmini

// miniFiles holds the four IDX files of fashion-mnist-mini, gzipped, with the licence
// of Fashion-MNIST and the checksums of what they were made from.
//
//go:embed fashionmini
var miniFiles embed.FS

func miniSource() source {
	info := fashionInfo()
	info.Name = Default
	info.Title = "part of Fashion-MNIST, embedded: grey 28x28 pictures of clothes"
	info.Train, info.Test = 10000, 2000
	info.HowToGet = "it is part of this program"
	return source{
		info:   info,
		locate: func(Info, Options) (string, error) { return "embedded", nil },
		open: func(info Info, _ string, _ Options) (*Dataset, error) {
			fsys, err := fs.Sub(miniFiles, "fashionmini")
			if err != nil {
				return nil, fileError(info, "", err)
			}
			d, err := openIDX(info, fsys, "embedded")
			if err != nil {
				return nil, err
			}
			d.contents = idxContents(fsys, "", d.train)
			return d, nil
		},
	}
}
