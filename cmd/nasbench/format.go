package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Numbers have two forms. Sizes of networks, which are compared by their order, are short: 47.34k, 9.266M. Whatever is counted or measured
// has its digits, in groups of three: 60,000 images, 37,540 images/s.

// formatCount prints a size with at most four digits and a unit: 912, 12.3k, 4.567M.
func formatCount(n int64) string {
	x, unit := float64(n), ""
	for _, u := range []string{"k", "M", "G", "T"} {
		if math.Abs(x) < 999.95 {
			break
		}
		x, unit = x/1000, u
	}
	return strconv.FormatFloat(x, 'g', 4, 64) + unit
}

// formatFixed prints a number with so many decimals: 1,234.5.
func formatFixed(x float64, decimals int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Sprint(x)
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(math.Abs(x), 'f', decimals, 64), ".")
	var b strings.Builder
	if x < 0 {
		b.WriteByte('-')
	}
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}

// formatWhole prints what is counted: 60,000.
func formatWhole(n int) string { return formatFixed(float64(n), 0) }

// formatFigure prints what is measured, with four digits: 37,540, 93.87, 0.01234.
func formatFigure(x float64) string { return formatDigits(x, 4) }

// formatDigits prints a number rounded to so many digits.
func formatDigits(x float64, digits int) string {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Sprint(x)
	}
	text := strconv.FormatFloat(x, 'e', digits-1, 64)
	rounded, _ := strconv.ParseFloat(text, 64) // it is a number
	_, exponent, _ := strings.Cut(text, "e")
	power, _ := strconv.Atoi(exponent)
	if power < -6 || power > 14 {
		return strconv.FormatFloat(x, 'g', digits, 64)
	}
	out := formatFixed(rounded, max(digits-1-power, 0))
	if strings.Contains(out, ".") {
		out = strings.TrimRight(strings.TrimRight(out, "0"), ".")
	}
	return out
}

// spanOf is a duration of so many nanoseconds, or the longest there is.
func spanOf(nanoseconds float64) time.Duration {
	if nanoseconds >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanoseconds)
}

// formatTime prints a duration to the second: 48s, 2m05s, 1h02m.
func formatTime(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// plural prints a count with its noun: "1 epoch", "2 epochs".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return formatWhole(n) + " " + noun + "s"
}
