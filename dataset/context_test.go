package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// countdown is a context that ends when it has been asked so often.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestOpeningIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	for _, class := range []string{"cat", "dog"} {
		if err := os.Mkdir(filepath.Join(dir, class), 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%d.png", i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(png.Encode(f, image.NewGray(image.Rect(0, 0, 4, 4))), f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	table := filepath.Join(t.TempDir(), "d.csv")
	if err := os.WriteFile(table, []byte("label,a\n"+strings.Repeat("0,1\n1,2\n", 100_000)), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"images:" + dir, "digits:" + table} {
		for _, asks := range []int64{0, 1, 5} {
			ctx := &countdown{Context: t.Context()}
			ctx.left.Store(asks)
			if _, err := OpenContext(ctx, name, Options{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, after %d looks at the context: %v", name, asks, err)
			}
		}
		if _, err := OpenContext(t.Context(), name, Options{}); err != nil {
			t.Error(err)
		}
	}
}
