package space

import (
	"encoding/json"
	"testing"

	"github.com/nasbench-go/nasbench/internal/stream"
)

func TestTextAndJSONParseBack(t *testing.T) {
	s := newSpace(t, fashion, Constraints{})
	rng := stream.New(1, "test")
	for range 2000 {
		g := randomChain(rng)
		if h, err := s.Parse(g.String()); err != nil || h != Genome(g) {
			t.Fatalf("text %s: %v, %v", g, h, err)
		}
		data, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := s.Parse(string(data)); err != nil || h != Genome(g) {
			t.Fatalf("JSON %s: %v, %v", data, h, err)
		}
		if h, err := NewChainGenome(g.Layers()); err != nil || h != g {
			t.Fatalf("layers %+v: %v, %v", g.Layers(), h, err)
		}
	}
}

func TestFormsAreFixed(t *testing.T) {
	g, err := NewChainGenome([]ChainLayer{
		{Op: "conv3x3", Channels: 16},
		{Op: "pool3x3", Type: "max", Connection: "skip"},
		{Op: "conv5x5", Channels: 128, Connection: "add"},
		{Op: "pool3x3", Type: "avg", Connection: "sequential"},
		{Op: "skip", Connection: "concat"},
		{Op: "fc", Units: 256, Connection: "concat"},
	})
	if err != nil {
		t.Fatal(err)
	}
	const text = "conv3x3(16), pool3x3(max):skip, conv5x5(128):add, pool3x3(avg), skip:concat, fc(256):concat"
	if g.String() != text {
		t.Errorf("text is\n%s, want\n%s", g, text)
	}
	const form = `{"space":"chain","version":1,"layers":[` +
		`{"op":"conv3x3","channels":16,"connection":"sequential"},` +
		`{"op":"pool3x3","type":"max","connection":"skip"},` +
		`{"op":"conv5x5","channels":128,"connection":"add"},` +
		`{"op":"pool3x3","type":"avg","connection":"sequential"},` +
		`{"op":"skip","connection":"concat"},` +
		`{"op":"fc","units":256,"connection":"concat"}]}`
	data, err := g.MarshalJSON()
	if err != nil || string(data) != form {
		t.Errorf("JSON is\n%s, want\n%s (%v)", data, form, err)
	}
}

func TestWhiteSpaceIsFree(t *testing.T) {
	want := parse(t, "conv3x3(16), skip:concat, fc(64)")
	for _, text := range []string{
		"conv3x3(16),skip:concat,fc(64)",
		"  conv3x3 ( 16 ) ,\n\tskip : concat ,\r\n fc( 64 )\n",
		"conv3x3(16):sequential, skip:concat, fc(64):sequential",
		"\u00a0conv3x3(16),\u2003skip:concat, fc(64)",
		`  {"space":"chain","version":1,"layers":[{"op":"conv3x3","channels":16},{"op":"skip","connection":"concat"},{"op":"fc","units":64,"connection":"sequential"}]}  `,
	} {
		if g := parse(t, text); g != want {
			t.Errorf("%q is %v, want %v", text, g, want)
		}
	}
}

func TestTextErrorsNamePlaceAndChoices(t *testing.T) {
	for _, c := range []struct {
		text  string
		words []string
	}{
		{"", []string{"column 1", "the text ends", "layer"}},
		{"   ", []string{"column 4", "layer"}},
		{"conv3x3(16), skip", []string{"column 18", "2 layers", "at least 3"}},
		{"skip,skip,skip,skip,skip,skip,skip,skip,skip", []string{"column 41", "at most 8"}},
		{"conv7x7(16), skip, skip", []string{"column 1:", `"conv7x7"`, "conv3x3, conv5x5, pool3x3, skip or fc"}},
		{"Conv3x3(16), skip, skip", []string{"column 1:", `"Conv3x3"`, "conv3x3"}},
		{"conv3x3(17), skip, skip", []string{"column 9", `channels "17" of conv3x3`, "16, 32, 64 or 128"}},
		{"conv3x3(016), skip, skip", []string{"column 9", `"016"`}},
		{"conv3x3(-16), skip, skip", []string{"column 9", `"-"`}},
		{"conv3x3(), skip, skip", []string{"column 9", "conv3x3 needs its channels", "128"}},
		{"conv3x3, skip, skip", []string{"column 8", `"," stands where ( should be`, "16, 32, 64 or 128"}},
		{"conv3x3", []string{"column 8", "the text ends where ( should be"}},
		{"conv3x3(16, skip, skip", []string{"column 11", `"," stands where ) should be`}},
		{"conv3x3(16), pool3x3(min), skip", []string{"column 22", `type "min" of pool3x3`, "max or avg"}},
		{"conv3x3(16), fc(16), skip", []string{"column 17", `units "16" of fc`, "64, 128 or 256"}},
		{"skip(16), skip, skip", []string{"column 5", "skip has no parameter"}},
		{"skip:add, skip, skip", []string{"column 1:", "first layer", "sequential"}},
		{"skip, skip:sum, skip", []string{"column 12", `connection "sum"`, "sequential, skip, concat or add"}},
		{"skip, skip:, skip", []string{"column 12", "connection should be", "concat"}},
		{"skip, skip:", []string{"column 12", "the text ends", "connection should be"}},
		{"skip, skip:add:add, skip", []string{"column 15", `":" stands where a comma or the end should be`}},
		{"skip skip skip", []string{"column 6", `"skip" stands where a comma or the end should be`}},
		{"skip,, skip, skip", []string{"column 6", `"," stands where a layer should be`}},
		{"skip, skip, skip,", []string{"column 18", "the text ends where a layer should be"}},
		{"skip | skip | skip", []string{"column 6", `"|"`}},
		{"sk\xffip, skip, skip", []string{"column 1:", `"sk"`}},
		{"é, skip, skip", []string{"column 1:", `"é"`}},
		{"skip, é, skip, ü", []string{"column 7", `"é"`}},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", []string{`aaaa…"`}},
	} {
		_, err := newSpace(t, fashion, Constraints{}).Parse(c.text)
		t.Run(c.text, func(t *testing.T) { wantError(t, err, append(c.words, "space chain")...) })
	}
}

func TestJSONErrorsNamePlaceAndChoices(t *testing.T) {
	layers := func(l string) string { return `{"space":"chain","version":1,"layers":[` + l + `]}` }
	for _, c := range []struct {
		text  string
		words []string
	}{
		{`{`, []string{"ends early"}},
		{`{]`, []string{"byte 2"}},
		{`{}`, []string{`space ""`, "not chain"}},
		{`{"space":"nb201","version":1,"layers":[]}`, []string{`"nb201"`, "not chain"}},
		{`{"space":"chain","layers":[]}`, []string{"version is 0", "reads version 1"}},
		{`{"space":"chain","version":2,"layers":[]}`, []string{"version is 2", "reads version 1"}},
		{`{"space":"chain","version":1,"depth":3,"layers":[]}`, []string{"depth"}},
		{`{"space":"chain","version":"1","layers":[]}`, []string{"version"}},
		{layers(``), []string{"0 layers", "at least 3"}},
		{layers(`{"op":"skip"},{"op":"skip"},{"op":"skip"}`) + "x", []string{"after the end", `"x"`}},
		{layers(`null`), []string{"layer 0", `operation ""`, "conv3x3"}},
		{layers(`{"op":"skip"},{"op":"conv9x9"}`), []string{"layer 1", `"conv9x9"`, "conv3x3"}},
		{layers(`{"op":"conv3x3"}`), []string{"layer 0", "needs its channels", "128"}},
		{layers(`{"op":"conv3x3","channels":20}`), []string{"layer 0", `"20"`, "16, 32, 64 or 128"}},
		{layers(`{"op":"conv3x3","channels":-16}`), []string{"layer 0", `"-16"`}},
		{layers(`{"op":"conv3x3","channels":16.5}`), []string{"layer 0", "channels"}},
		{layers(`{"op":"conv3x3","channels":16,"units":64}`), []string{"layer 0", "conv3x3 has no units"}},
		{layers(`{"op":"skip","channels":16}`), []string{"layer 0", "skip has no channels"}},
		{layers(`{"op":"fc","units":64,"type":"max"}`), []string{"layer 0", "fc has no type"}},
		{layers(`{"op":"pool3x3","type":"min"}`), []string{"layer 0", `"min"`, "max or avg"}},
		{layers(`{"op":"skip","kernel":3}`), []string{"layer 0", "kernel"}},
		{layers(`{"op":"skip","connection":"add"}`), []string{"layer 0", "first layer"}},
		{layers(`{"op":"skip"},{"op":"skip","connection":"sum"}`), []string{"layer 1", `"sum"`, "concat or add"}},
	} {
		_, err := newSpace(t, fashion, Constraints{}).Parse(c.text)
		t.Run(c.text, func(t *testing.T) { wantError(t, err, append(c.words, "space chain")...) })
	}
}

func TestLayerErrorsNameTheLayer(t *testing.T) {
	_, err := NewChainGenome([]ChainLayer{{Op: "skip"}, {Op: "fc", Units: 3}})
	wantError(t, err, "layer 1", `units "3"`)
	_, err = NewChainGenome(nil)
	wantError(t, err, "at least 3")
	_, err = NewChainGenome(make([]ChainLayer, 1))
	wantError(t, err, "layer 0")
}

func fuzzSeeds(f *testing.F) {
	rng := stream.New(1, "fuzz")
	for range 10 {
		g := randomChain(rng)
		data, _ := g.MarshalJSON()
		f.Add(g.String())
		f.Add(string(data))
	}
	f.Add("skip : add ,, (")
	f.Add("{\"space\":\"chain\"")
}

// FuzzParse holds both parsers: no input panics, and what they accept prints and parses back.
func FuzzParse(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		g, err := parseChain(text)
		if err != nil {
			if g != (ChainGenome{}) {
				t.Fatalf("%q: a genome with an error: %v", text, g)
			}
			return
		}
		if g.depth < minChainDepth || g.depth > maxChainDepth {
			t.Fatalf("%q: depth %d", text, g.depth)
		}
		data, err := g.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{g.String(), string(data)} {
			if h, err := parseChain(form); err != nil || h != g {
				t.Fatalf("%q: %v parses back as %v, %v", text, form, h, err)
			}
		}
	})
}
