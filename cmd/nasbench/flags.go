package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// The flag values below refuse what makes no sense where it is set, so the command
// line, the environment and the configuration file all give the same message.

// intValue is an integer of at least min and, unless that is 0, at most max.
type intValue struct {
	p   *int
	min int
	max int
}

// maxThreads bounds threads and workers: more than any machine has use for, few enough to start.
const maxThreads = 1024

func (v intValue) String() string { return strconv.Itoa(v.value()) }
func (v intValue) Type() string   { return "int" }
func (v intValue) value() int {
	if v.p == nil {
		return 0
	}
	return *v.p
}

func (v intValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return numberError(err, "a whole number")
	}
	if n < v.min {
		return atLeast(v.min)
	}
	if v.max > 0 && n > v.max {
		return fmt.Errorf("must be at most %d", v.max)
	}
	*v.p = n
	return nil
}

// sizeValue is a positive count that may end in k, M or G (thousands, millions, thousand millions),
// or "none", which is 0.
type sizeValue struct{ p *int64 }

func (v sizeValue) Type() string { return "count" }
func (v sizeValue) String() string {
	if v.p == nil || *v.p == 0 {
		return "none"
	}
	n := *v.p // exact: a study records it as it is printed here
	for _, u := range []struct {
		size int64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func (v sizeValue) Set(s string) error {
	if s == "none" {
		*v.p = 0
		return nil
	}
	unit, digits := int64(1), s
	if len(s) > 0 {
		switch s[len(s)-1] {
		case 'k', 'K':
			unit = 1e3
		case 'M', 'm':
			unit = 1e6
		case 'G', 'g':
			unit = 1e9
		}
		if unit > 1 {
			digits = s[:len(s)-1]
		}
	}
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(x) {
		return errors.New("want a number such as 250000, 250k or 2.5M, or none")
	}
	x *= float64(unit)
	if x < 1 {
		return atLeast(1)
	}
	if x > 1e18 {
		return errors.New("too large")
	}
	*v.p = int64(math.Round(x))
	return nil
}

// durationValue is a duration longer than nothing.
type durationValue struct{ p *time.Duration }

func (v durationValue) Type() string { return "duration" }
func (v durationValue) String() string {
	if v.p == nil || *v.p == 0 {
		return "0"
	}
	return v.p.String()
}

func (v durationValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return errors.New("want a duration such as 90s or 2m30s")
	}
	if d <= 0 {
		return errors.New("must be more than 0s")
	}
	*v.p = d
	return nil
}

// floatValue is a finite number in [min, max), or (min, max) when open.
type floatValue struct {
	p        *float64
	min, max float64
	open     bool
}

func (v floatValue) Type() string { return "number" }
func (v floatValue) String() string {
	if v.p == nil {
		return "0"
	}
	return strconv.FormatFloat(*v.p, 'g', -1, 64)
}

func (v floatValue) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return numberError(err, "a number")
	}
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return errors.New("want a finite number")
	case math.Abs(x) > math.MaxFloat32: // weights and rates are float32
		return fmt.Errorf("must be at most %.2g in size", math.MaxFloat32)
	case v.open && x <= v.min:
		return fmt.Errorf("must be more than %g", v.min)
	case x < v.min:
		return fmt.Errorf("must be at least %g", v.min)
	case x >= v.max:
		return fmt.Errorf("must be less than %g", v.max)
	}
	*v.p = x
	return nil
}

func atLeast(n int) error { return fmt.Errorf("must be at least %d", n) }

func numberError(err error, want string) error {
	if errors.Is(err, strconv.ErrRange) {
		return errors.New("out of range")
	}
	return fmt.Errorf("want %s", want)
}

// valueError shortens what strconv says about the flag kinds of pflag.
func valueError(err error) error {
	var number *strconv.NumError
	if !errors.As(err, &number) {
		return err
	}
	switch number.Func {
	case "ParseBool":
		return errors.New("want true or false")
	case "ParseUint":
		return numberError(number.Err, "a whole number of at least 0")
	}
	return numberError(number.Err, "a number")
}
