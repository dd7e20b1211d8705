package tabular

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestAColumnWithBadValuesIsAnotherMistakeThanOneThatIsNotThere(t *testing.T) {
	text := "arch,acc,acc2\n22212202,NaN,1\n22212201,2,2\n22212200,,3\n"
	table, err := Read(strings.NewReader(text), "t", openSpace(t, "macro"), "")
	if err != nil {
		t.Fatal(err)
	}
	want := `table t: line 2, column 10: column acc: "NaN" is not a finite number, nor are 1 more of its values`
	if _, err := table.Column("acc"); errors.Is(err, ErrNoColumn) || err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := table.Column("acc3"); !errors.Is(err, ErrNoColumn) {
		t.Errorf("%v, want ErrNoColumn", err)
	}
	if _, err := table.Column("acc2"); err != nil {
		t.Error(err)
	}
}

func TestReadingATableEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, text := range []string{"arch,acc\n22212202,1\n", `{"22212202": {"acc": 1}}`} {
		if _, err := readTable(ctx, strings.NewReader(text), "t", openSpace(t, "macro"), ""); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want the error of the context", err)
		}
	}
}
