package dataset

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// layout is what the folders of a data set of pictures mean.
type layout struct {
	classes []string
	train   pictures
	test    pictures // none if no folder has them: then a part of train is
	notes   []string
}

// role is the split that a folder may be by its name.
type role int

const (
	noRole role = iota
	trainRole
	valRole
	testRole
)

func roleOf(name string) role {
	switch strings.ToLower(name) {
	case "train", "training":
		return trainRole
	case "val", "valid", "validation":
		return valRole
	case "test", "testing":
		return testRole
	}
	return noRole
}

// layoutOf decides what folders mean. Only what has pictures in it, at any depth, counts.
//
// A folder with nothing but one folder of folders is passed through. If there is a folder named train that holds class folders, and
// nothing beside it but other splits, its subfolders are the classes. Beside folders that are no splits, train is a class like them,
// unless a folder val or test is there, too, and the classes in it are those in train. If the class folders lie beside val or test, and
// not in a folder train, the classes in those tell that they are splits. In all other cases the subfolders are the classes, whatever
// their names.
//
// Where there is test, it is the test split, and val joins train, because a search divides what it trains on by itself. Where there is
// no test, val is the test split: nothing trains on it.
//
// A test split may lack classes, but not add any.
func layoutOf(root *folder) (*layout, error) {
	l := &layout{}
	root = l.unwrap(root)
	holders, empty := root.holders()
	splits := map[role]*folder{}
	var plain []*folder
	for _, f := range holders {
		r := roleOf(f.name)
		if r == noRole {
			plain = append(plain, f)
			continue
		}
		if other := splits[r]; other != nil && nested(f) && nested(other) && len(plain) == 0 {
			return nil, fmt.Errorf("%s and %s: which of them is the split?", other.rel, f.rel)
		}
		if splits[r] == nil || nested(f) {
			splits[r] = f
		}
	}
	train := splits[trainRole]
	switch {
	case train != nil && l.trainIsSplit(train, plain, splits):
		l.leaveOut(plain, "is no split")
		l.strays(root)
		return l.divided(train, empty, splits)
	case train == nil && len(plain) > 0 && len(splits) > 0 && within(splits, plain):
		l.strays(root)
		return l.divided(&folder{rel: root.rel, path: root.path, folders: slices.Concat(plain, noRoles(empty))}, nil, splits)
	case len(plain) == 0 && len(splits) > 0:
		if train == nil {
			return nil, fmt.Errorf("%s without a folder train; want train with a subfolder per class, or the class folders themselves", names(holders))
		}
		return nil, fmt.Errorf("%s holds %s and no class folders; want a subfolder per class in it", train.rel, number(len(train.files), "picture"))
	}
	l.strays(root)
	if len(splits) > 0 {
		taken := slices.DeleteFunc(slices.Clone(holders), func(f *folder) bool { return roleOf(f.name) == noRole })
		l.note("%s: taken for a class, because %s beside it", names(taken), holds(plain))
	}
	if err := l.choose(root); err != nil {
		return nil, err
	}
	l.train = l.list(root)
	return l, nil
}

// unwrap passes through folders that hold nothing but one folder of folders.
func (l *layout) unwrap(root *folder) *folder {
	top := root
	for {
		holders, _ := root.holders()
		if len(root.files) > 0 || len(holders) != 1 || roleOf(holders[0].name) != noRole || !nested(holders[0]) || len(holders[0].files) > 0 {
			break
		}
		root = holders[0]
	}
	if root != top {
		l.note("the classes are looked for in %s, the only folder with pictures", root.rel)
	}
	return root
}

// nested reports whether a folder has pictures in subfolders.
func nested(f *folder) bool {
	holders, _ := f.holders()
	return len(holders) > 0
}

// trainIsSplit reports whether a folder named train is a split, not a class beside those in plain.
func (l *layout) trainIsSplit(train *folder, plain []*folder, splits map[role]*folder) bool {
	if !nested(train) {
		return false
	}
	if len(plain) == 0 {
		return true
	}
	inTrain, _ := train.holders()
	for r, f := range splits {
		if r == trainRole {
			continue
		}
		inOther, _ := f.holders()
		if shared(inTrain, inOther) > 0 || len(train.files) == 0 && len(inOther) == 0 {
			return true
		}
	}
	return false
}

// within reports whether all folders that are splits by their names hold class folders that are among those beside them.
func within(splits map[role]*folder, plain []*folder) bool {
	for _, f := range splits {
		inside, _ := f.holders()
		if len(inside) == 0 || len(f.files) > 0 || shared(inside, plain) < len(inside) {
			return false
		}
	}
	return true
}

// shared returns how many folders of a have names that folders of b have.
func shared(a, b []*folder) int {
	n := 0
	for _, f := range a {
		if slices.ContainsFunc(b, func(g *folder) bool { return g.name == f.name }) {
			n++
		}
	}
	return n
}

func noRoles(folders []*folder) []*folder {
	return slices.DeleteFunc(slices.Clone(folders), func(f *folder) bool { return roleOf(f.name) != noRole })
}

// divided makes the layout of a folder train and those beside it; empty are folders without pictures.
func (l *layout) divided(train *folder, empty []*folder, splits map[role]*folder) (*layout, error) {
	if err := l.choose(train); err != nil {
		return nil, err
	}
	l.strays(train)
	l.train = l.list(train)
	for _, f := range empty {
		if roleOf(f.name) != noRole {
			l.note("left out %s: it holds no pictures", f.rel)
		}
	}
	val, err := l.part(splits[valRole])
	if err != nil {
		return nil, err
	}
	if l.test, err = l.part(splits[testRole]); err != nil {
		return nil, err
	}
	switch {
	case len(val.paths) == 0:
	case len(l.test.paths) == 0:
		l.note("%s is the test split: nothing trains on it", splits[valRole].rel)
		l.test = val
	default:
		l.note("the %s in %s join those in train; a search divides them by itself", number(len(val.paths), "picture"), splits[valRole].rel)
		l.train.add(val)
	}
	if len(l.test.paths) > 0 {
		l.lacking()
	}
	return l, nil
}

// part lists a folder of a split whose classes those of train are. One whose pictures lie in no class folders has none to offer.
func (l *layout) part(f *folder) (pictures, error) {
	if f == nil {
		return pictures{}, nil
	}
	holders, _ := f.holders()
	if len(holders) == 0 {
		l.note("left out %s: its %s lie in no class folder", f.rel, number(len(f.files), "picture"))
		return pictures{}, nil
	}
	for _, h := range holders {
		if !slices.Contains(l.classes, h.name) {
			return pictures{}, fmt.Errorf("%s: a class that is not among those in train (%s)", h.rel, firstOf(l.classes, 10))
		}
	}
	l.strays(f)
	return l.list(f), nil
}

// lacking notes the classes that have no test pictures.
func (l *layout) lacking() {
	tested := map[int]bool{}
	for _, label := range l.test.labels {
		tested[label] = true
	}
	var missing []string
	for label, class := range l.classes {
		if !tested[label] {
			missing = append(missing, class)
		}
	}
	if len(missing) > 0 {
		l.note("%d of %s have no test pictures: %s", len(missing), number(len(l.classes), "class"), firstOf(missing, 10))
	}
}

// choose makes the subfolders with pictures the classes.
func (l *layout) choose(f *folder) error {
	holders, empty := f.holders()
	for _, h := range holders {
		l.classes = append(l.classes, h.name)
	}
	slices.Sort(l.classes)
	switch n := len(holders); {
	case n < 2 && n == 0 && len(f.files) == 0 && len(empty) == 0:
		return errors.New("there are no pictures in it")
	case n < 2:
		var more string
		if n == 1 {
			more = fmt.Sprintf(" (%s)", holders[0].rel)
		}
		if len(empty) > 0 {
			more += fmt.Sprintf("; without pictures: %s", names(empty))
		}
		if len(f.files) > 0 {
			more += fmt.Sprintf("; %s in no subfolder", number(len(f.files), "picture"))
		}
		return fmt.Errorf("want subfolders with pictures of at least 2 classes, have %d%s", n, more)
	case n > maxClasses:
		return fmt.Errorf("want at most %d class folders, have %d", maxClasses, n)
	}
	if len(empty) == 1 {
		l.note("left out %s: it holds no pictures", names(empty))
	} else if len(empty) > 1 {
		l.note("left out %d folders that hold no pictures: %s", len(empty), names(empty))
	}
	var parted []string
	for _, h := range holders {
		for _, sub := range h.folders {
			if roleOf(sub.name) != noRole && sub.count() > 0 {
				parted = append(parted, sub.rel)
			}
		}
	}
	if len(parted) > 0 {
		l.note("folders within a class are no splits, all of them count as the class: %s", firstOf(parted, 3))
	}
	return nil
}

// list lists the pictures of the classes in a folder.
func (l *layout) list(f *folder) pictures {
	byName := map[string]*folder{}
	for _, sub := range f.folders {
		byName[sub.name] = sub
	}
	var p pictures
	for label, class := range l.classes {
		if sub := byName[class]; sub != nil {
			for _, path := range sub.pictures() {
				p.paths = append(p.paths, path)
				p.labels = append(p.labels, label)
			}
		}
	}
	return p
}

// divide returns the train and the test pictures; without a folder of test pictures a part of each class is chosen.
func (l *layout) divide() (train, test pictures, err error) {
	if len(l.test.paths) > 0 {
		return l.train, l.test, nil
	}
	inTrain, inTest, err := stratify(l.train.labels, l.classes, imagesTestPart, testSeed)
	if err != nil {
		return pictures{}, pictures{}, err
	}
	return l.train.pick(inTrain), l.train.pick(inTest), nil
}

// strays notes pictures that lie beside class folders.
func (l *layout) strays(f *folder) {
	if n := len(f.files); n > 0 {
		where := ""
		if f.rel != "" {
			where = " of " + f.rel
		}
		l.note("left out %s%s in no class folder: %s", number(n, "picture"), where, firstOf(f.files, 3))
	}
}

// leaveOut notes folders that do not count.
func (l *layout) leaveOut(folders []*folder, why string) {
	for _, f := range folders {
		l.note("left out %s with %s: it %s", f.rel, number(f.count(), "picture"), why)
	}
}

func (l *layout) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// names lists the paths of folders.
func names(folders []*folder) string {
	list := map[string]bool{}
	for _, f := range folders {
		list[f.rel] = true
	}
	return firstOf(slices.Sorted(maps.Keys(list)), 10)
}

// holds says of folders that they have pictures.
func holds(folders []*folder) string {
	if len(folders) == 1 {
		return names(folders) + " holds pictures"
	}
	return names(folders) + " hold pictures"
}
