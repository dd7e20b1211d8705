package main

import (
	"time"

	"github.com/nasbench-go/nasbench/bench"
)

// profileReport is what the profile command prints. Times are in seconds, rates per second. Timing varies from run to run; the rest does not, but for the order of rows
// that are sorted by their time.
type profileReport struct {
	Model    string        `json:"model"`
	Mode     string        `json:"mode"`
	Input    string        `json:"input"` // of one batch
	Level    string        `json:"level"`
	Threads  int           `json:"threads"`
	FLOPs    int64         `json:"flops"`
	MACs     int64         `json:"macs"`
	Bytes    int64         `json:"bytes"`
	Arena    int64         `json:"arena_bytes"`
	PeakLive int64         `json:"peak_live_bytes"`
	Rows     []profileRow  `json:"rows"`
	Timing   profileTiming `json:"timing"`

	omitted int
}

// profileTiming is what was measured of a run and of the machine.
type profileTiming struct {
	Seconds    float64 `json:"seconds"` // of a run
	Runs       int     `json:"runs"`
	ImagesRate float64 `json:"images_per_second"`
	FLOPRate   float64 `json:"flops_per_second"`
	Roofline   float64 `json:"roofline"` // share of it
	PeakFLOPS  float64 `json:"peak_flops"`
	CopyBytes  float64 `json:"copy_bytes_per_second"`
	// The lowest of the machine's rates: it was measured so many times around the runs, of which the best counts.
	Measurements int     `json:"measurements"`
	LeastFLOPS   float64 `json:"lowest_peak_flops"`
	LeastCopy    float64 `json:"lowest_copy_bytes_per_second"`

	calm bool
}

type profileRow struct {
	Layer     string    `json:"layer,omitempty"`
	Op        string    `json:"op,omitempty"`
	Shape     string    `json:"shape,omitempty"`
	Direction string    `json:"direction,omitempty"`
	Calls     int       `json:"calls"`
	FLOPs     int64     `json:"flops"`
	MACs      int64     `json:"macs"`
	Bytes     int64     `json:"bytes"`
	Intensity float64   `json:"flops_per_byte"`
	Live      int64     `json:"live_bytes"`
	Timing    rowTiming `json:"timing"`
}

// rowTiming is what was measured of the operations of a row.
type rowTiming struct {
	Seconds  float64 `json:"seconds"`
	Share    float64 `json:"share"`
	FLOPRate float64 `json:"flops_per_second"`
	ByteRate float64 `json:"bytes_per_second"`
	Roofline float64 `json:"roofline"`
}

func newProfileReport(s *bench.Subject, p *bench.Profile, measured bench.Rooflines, o *profileOptions) profileReport {
	work, roof, least := p.Work(), measured.Best(), measured.Least()
	r := profileReport{
		Model: s.Model.Name, Mode: o.mode, Input: s.Model.Input.String(), FLOPs: work.FLOPs, MACs: work.MACs, Bytes: work.Bytes, Arena: p.Arena, PeakLive: p.PeakLive(),
		Timing: profileTiming{
			Seconds: p.Run.Seconds(), Runs: p.Runs, ImagesRate: float64(s.Batch()) / p.Run.Seconds(), FLOPRate: float64(work.FLOPs) / p.Run.Seconds(),
			PeakFLOPS: roof.FLOPS, CopyBytes: roof.Bandwidth, Measurements: len(measured), LeastFLOPS: least.FLOPS, LeastCopy: least.Bandwidth, calm: measured.Calm(),
		},
	}
	var sum, shortest time.Duration
	for _, row := range p.Rows {
		sum += row.Time
		shortest += roof.Least(row.Work)
	}
	sum = max(sum, 1)
	r.Timing.Roofline = float64(shortest) / float64(sum)
	rows := p.Rows
	switch o.by {
	case "time":
		rows = bench.ByTime(rows)
	case "layer":
		rows = p.Groups(bench.ByLayer)
	case "op":
		rows = p.Groups(bench.ByOp)
	}
	if o.top > 0 && o.top < len(rows) {
		r.omitted = len(rows) - o.top
		rows = rows[:o.top]
	}
	for _, row := range rows {
		out := profileRow{
			Layer: row.Layer, Op: row.Op, Shape: row.Shape, Calls: row.Calls, FLOPs: row.Work.FLOPs, MACs: row.Work.MACs, Bytes: row.Work.Bytes, Intensity: row.Intensity(), Live: row.Live,
			Timing: rowTiming{
				Seconds: row.Time.Seconds(), Share: float64(row.Time) / float64(sum), FLOPRate: row.Rate(row.Work.FLOPs), ByteRate: row.Rate(row.Work.Bytes),
				Roofline: roof.Share(row.Work, row.Time),
			},
		}
		if row.Shape != "" {
			out.Direction = "forward"
			if row.Backward {
				out.Direction = "backward"
			}
		}
		r.Rows = append(r.Rows, out)
	}
	return r
}
