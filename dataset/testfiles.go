package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// The files of a test split are opened when a search has ended. That they can be read then is checked when it begins: what their headers
// say, that labels are those of classes, and that no byte is missing or too many. Pixels are passed over and not kept. The check
// takes about as long as unpacking the files: of a file that is not packed, its size is enough; one that unpacks to more than
// maxChecked is believed what its last bytes say.

// maxChecked is how much is unpacked to check a file, in bytes: less than half a second.
const maxChecked = 64 << 20

// checkTestIDX checks the test files of an IDX data set and returns how many images there are.
func checkTestIDX(info Info, fsys fs.FS, dir string, train *Split) (images int, err error) {
	err = withFile(info, fsys, dir, idxTestImages, func(in *input) error {
		dims, n, err := readIDXHeader(in, 3)
		if err != nil {
			return err
		}
		if dims[1] != train.Height || dims[2] != train.Width {
			return at(8, "the test images are %dx%dx1, the training images %dx%dx%d", dims[1], dims[2], train.Height, train.Width, train.Channels)
		}
		images = dims[0]
		return in.checkRest(16, n, "pixels")
	})
	if err != nil {
		return 0, err
	}
	err = withFile(info, fsys, dir, idxTestLabels, func(in *input) error {
		dims, n, err := readIDXHeader(in, 1)
		if err != nil {
			return err
		}
		if dims[0] != images {
			return at(4, "want %d labels, as many as there are images in %s, have %d", images, idxTestImages, dims[0])
		}
		return in.checkLabels(8, n, 1, len(info.Classes), "labels")
	})
	return images, err
}

// checkTestCIFAR checks the test batch.
func checkTestCIFAR(info Info, fsys fs.FS, dir string, records int) error {
	return withFile(info, fsys, dir, cifarTest, func(in *input) error {
		return in.checkLabels(0, int64(records), cifarRecord, len(info.Classes), fmt.Sprintf("%d records of %d bytes", records, cifarRecord))
	})
}

// checkRest checks that n bytes follow the offset, and no more.
func (in *input) checkRest(offset, n int64, what string) error {
	if !in.packed {
		switch have := in.limit - offset; {
		case have < n:
			return missing(offset, n, what, have)
		case have > n:
			return at(offset+n, "want the end of the file, more bytes follow")
		}
		return nil
	}
	if n > maxChecked && in.unpacks(uint32(offset+n)) {
		return nil
	}
	have, err := io.CopyN(io.Discard, in.r, n)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return missing(offset, n, what, have)
	case err != nil:
		return at(offset+have, "want %d more bytes of %s: %w", n-have, what, err)
	}
	return in.end(offset + n)
}

func missing(offset, n int64, what string, have int64) error {
	return at(offset, "want %d bytes of %s, have %d", n, what, max(have, 0))
}

// unpacks reports whether a packed file says at its end that it unpacks to so many bytes, modulo 2^32 (RFC 1952: ISIZE). One that was
// cut says something else.
func (in *input) unpacks(n uint32) bool {
	r, ok := in.file.(io.ReaderAt)
	st, err := in.file.Stat()
	if !ok || err != nil {
		return false
	}
	var last [4]byte
	_, err = r.ReadAt(last[:], st.Size()-int64(len(last)))
	return err == nil && binary.LittleEndian.Uint32(last[:]) == n
}

// checkLabels checks that records of a size follow the offset, and nothing else, and that the first byte of each is the label of a class.
func (in *input) checkLabels(offset, records int64, size, classes int, what string) error {
	all := records * int64(size)
	if all > in.limit-offset {
		return missing(offset, all, what, in.limit-offset)
	}
	block := make([]byte, size*max(1, 1<<15/size))
	for done := int64(0); done < all; {
		part := block[:min(int64(len(block)), all-done)]
		n, err := io.ReadFull(in.r, part)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return missing(offset, all, what, done+int64(n))
		case err != nil:
			return at(offset+done+int64(n), "want %d more bytes of %s: %w", all-done-int64(n), what, err)
		}
		for i := 0; i < len(part); i += size {
			if int(part[i]) >= classes {
				return at(offset+done+int64(i), "want a label below %d, have %d", classes, part[i])
			}
		}
		done += int64(len(part))
	}
	return in.end(offset + all)
}
