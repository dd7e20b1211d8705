package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxFolders bounds the folders that are entered: links can make a few folders look like any number.
const maxFolders = 1 << 18

// folder is a folder with the pictures in it.
type folder struct {
	name, rel string // rel is the path below the folder of the data set, with slashes; "" for that itself
	path      string
	files     []string // names of the pictures directly in it, sorted
	folders   []*folder
}

// pictures returns the paths of the pictures in a folder and below it, sorted by what follows the folder, with slashes.
func (f *folder) pictures() []string {
	var rels []string
	f.collect("", &rels)
	slices.Sort(rels)
	out := make([]string, len(rels))
	for i, r := range rels {
		out[i] = filepath.Join(f.path, filepath.FromSlash(r))
	}
	return out
}

func (f *folder) collect(below string, rels *[]string) {
	for _, name := range f.files {
		*rels = append(*rels, path.Join(below, name))
	}
	for _, sub := range f.folders {
		sub.collect(path.Join(below, sub.name), rels)
	}
}

// count returns the number of pictures in a folder and below it.
func (f *folder) count() int {
	n := len(f.files)
	for _, sub := range f.folders {
		n += sub.count()
	}
	return n
}

// holders returns the subfolders with pictures in or below them, and empty the others.
func (f *folder) holders() (holders, empty []*folder) {
	for _, sub := range f.folders {
		if sub.count() > 0 {
			holders = append(holders, sub)
		} else {
			empty = append(empty, sub)
		}
	}
	return holders, empty
}

// remove takes pictures out of a folder and those below it.
func (f *folder) remove(bad []BadPicture) {
	gone := make(map[string]bool, len(bad))
	for _, b := range bad {
		gone[b.Path] = true
	}
	var walk func(f *folder)
	walk = func(f *folder) {
		f.files = slices.DeleteFunc(f.files, func(name string) bool { return gone[filepath.Join(f.path, name)] })
		for _, sub := range f.folders {
			walk(sub)
		}
	}
	walk(f)
}

// leftOut is what a folder of pictures holds beside pictures.
type leftOut struct {
	kinds   map[string]int // files that are no pictures, by extension
	hidden  []string       // names of files and folders that begin with a dot, or that systems make
	special []string       // pipes, devices and the like
	broken  []string       // links that lead nowhere
	loops   []string       // links that lead to a folder above them
}

// notes says what was left out.
func (l *leftOut) notes() []string {
	var notes []string
	if n := l.others(); n > 0 {
		notes = append(notes, "left out "+l.String())
	}
	add := func(names []string, one, more string) {
		if n := len(names); n == 1 {
			notes = append(notes, fmt.Sprintf("left out %s: %s", one, names[0]))
		} else if n > 1 {
			notes = append(notes, fmt.Sprintf("left out %d %s: %s", n, more, firstOf(names, 3)))
		}
	}
	add(l.hidden, "what is hidden", "hidden files and folders")
	add(l.special, "what is no file", "that are no files")
	add(l.broken, "a link that leads nowhere", "links that lead nowhere")
	add(l.loops, "a link to a folder above it", "links to folders above them")
	return notes
}

func (l *leftOut) others() int {
	n := 0
	for _, k := range l.kinds {
		n += k
	}
	return n
}

// String counts the files that are no pictures; "" if there are none.
func (l *leftOut) String() string {
	n := l.others()
	if n == 0 {
		return ""
	}
	kinds := slices.SortedFunc(maps.Keys(l.kinds), func(a, b string) int {
		if d := l.kinds[b] - l.kinds[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	for i, k := range kinds {
		if k == "" {
			k = "without extension"
		}
		kinds[i] = fmt.Sprintf("%s %d", k, l.kinds[kinds[i]])
	}
	what := "files that are no pictures of a known format"
	if n == 1 {
		what = "file that is no picture of a known format"
	}
	return fmt.Sprintf("%d %s (%s)", n, what, firstOf(kinds, 8))
}

// lister walks through a folder.
type lister struct {
	left    *leftOut
	real    string // the folder of the data set without links
	entered int
}

// listFolder lists all pictures below a folder, and counts what else is there. Links are followed, but not to a folder above them.
func listFolder(dir string) (*folder, *leftOut, error) {
	l := &lister{left: &leftOut{kinds: map[string]int{}}}
	var err error
	if l.real, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, nil, plain(err)
	}
	if l.real, err = filepath.Abs(l.real); err != nil {
		return nil, nil, err
	}
	f, err := l.list(&folder{path: dir}, nil)
	return f, l.left, err
}

// list fills a folder; above are those that it is in.
func (l *lister) list(f *folder, above []fs.FileInfo) (*folder, error) {
	if l.entered++; l.entered > maxFolders {
		return nil, fmt.Errorf("more than %d folders; do links lead from folder to folder?", maxFolders)
	}
	self, err := os.Stat(f.path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", orHere(f.rel), plain(err))
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", orHere(f.rel), plain(err))
	}
	above = append(slices.Clip(above), self)
	for _, e := range entries {
		at, rel := filepath.Join(f.path, e.Name()), path.Join(f.rel, e.Name())
		if hiddenName(e.Name()) {
			l.left.hidden = append(l.left.hidden, rel)
			continue
		}
		kind := e.Type()
		if kind&fs.ModeSymlink != 0 {
			st, err := os.Stat(at)
			if err != nil {
				l.left.broken = append(l.left.broken, rel)
				continue
			}
			if kind = st.Mode().Type(); kind.IsDir() && l.leadsUp(at, st, above) {
				l.left.loops = append(l.left.loops, rel)
				continue
			}
		}
		switch {
		case kind.IsDir():
			sub, err := l.list(&folder{name: e.Name(), rel: rel, path: at}, above)
			if err != nil {
				return nil, err
			}
			f.folders = append(f.folders, sub)
		case !kind.IsRegular():
			l.left.special = append(l.left.special, fmt.Sprintf("%s (%s)", rel, kindName(kind)))
		case isPicture(at):
			f.files = append(f.files, e.Name())
		default:
			l.left.kinds[strings.ToLower(filepath.Ext(e.Name()))]++
		}
	}
	return f, nil
}

// leadsUp reports whether a link leads to a folder that it is in, on the way here or in truth.
func (l *lister) leadsUp(at string, st fs.FileInfo, above []fs.FileInfo) bool {
	if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, st) }) {
		return true
	}
	real, err := filepath.EvalSymlinks(at)
	if err != nil {
		return true // a ring of links
	}
	if real, err = filepath.Abs(real); err != nil {
		return true
	}
	rel, err := filepath.Rel(real, l.real)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// hiddenName reports whether a name is one that people do not see, or that systems make beside people's files.
func hiddenName(name string) bool {
	switch strings.ToLower(name) {
	case "__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information":
		return true
	}
	return strings.HasPrefix(name, ".")
}

func kindName(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// isPicture reports whether a regular file should be a picture: by its extension, or without one by its first bytes.
func isPicture(at string) bool {
	switch strings.ToLower(filepath.Ext(at)) {
	case ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".pjpeg", ".pjp", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif":
		return true
	case "":
	default:
		return false
	}
	f, err := os.Open(at)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, sniffed)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return formatOf(head[:n]) != nil
}

// relative returns a path below a folder, with slashes.
func relative(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil {
		file = rel
	}
	return filepath.ToSlash(file)
}

func orHere(rel string) string {
	if rel == "" {
		return "."
	}
	return rel
}

// firstOf lists the first few names: "a, b, c and 7 more".
func firstOf(names []string, most int) string {
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// number prints a count with its noun: "1 picture", "2 pictures".
func number(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
