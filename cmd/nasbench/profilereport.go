package main

import (
	"time"

	"github.com/nasbench-go/nasbench/bench"
)

// profileReport is what the profile command prints. Times are in seconds, rates per second.
type profileReport struct {
	Model     string  `json:"model"`
	Mode      string  `json:"mode"`
	Input     string  `json:"input"` // of one batch
	Level     string  `json:"level"`
	Threads   int     `json:"threads"`
	Runs      int     `json:"runs"`
	PeakFLOPS float64 `json:"peak_flops"`
	CopyBytes float64 `json:"copy_bytes_per_second"`

	Time       float64      `json:"time"`
	ImagesRate float64      `json:"images_per_second"`
	FLOPs      int64        `json:"flops"`
	MACs       int64        `json:"macs"`
	Bytes      int64        `json:"bytes"`
	Roofline   float64      `json:"roofline"` // share of it
	Arena      int64        `json:"arena_bytes"`
	PeakLive   int64        `json:"peak_live_bytes"`
	Rows       []profileRow `json:"rows"`

	omitted int
}

type profileRow struct {
	Layer     string  `json:"layer,omitempty"`
	Op        string  `json:"op,omitempty"`
	Shape     string  `json:"shape,omitempty"`
	Direction string  `json:"direction,omitempty"`
	Calls     int     `json:"calls"`
	Time      float64 `json:"time"`
	Share     float64 `json:"share"`
	FLOPs     int64   `json:"flops"`
	MACs      int64   `json:"macs"`
	Bytes     int64   `json:"bytes"`
	FLOPRate  float64 `json:"flops_per_second"`
	ByteRate  float64 `json:"bytes_per_second"`
	Intensity float64 `json:"flops_per_byte"`
	Roofline  float64 `json:"roofline"`
	Live      int64   `json:"live_bytes"`
}

func newProfileReport(s *bench.Subject, p *bench.Profile, roof bench.Roofline, o *profileOptions) profileReport {
	work := p.Work()
	r := profileReport{
		Model: s.Model.Name, Mode: o.mode, Input: s.Model.Input.String(), Runs: p.Runs,
		PeakFLOPS: roof.FLOPS, CopyBytes: roof.Bandwidth,
		Time: p.Run.Seconds(), ImagesRate: float64(s.Batch()) / p.Run.Seconds(), FLOPs: work.FLOPs, MACs: work.MACs, Bytes: work.Bytes,
		Arena: p.Arena, PeakLive: p.PeakLive(),
	}
	var sum, least time.Duration
	for _, row := range p.Rows {
		sum += row.Time
		least += roof.Least(row.Work)
	}
	sum = max(sum, 1)
	r.Roofline = float64(least) / float64(sum)
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
			Layer: row.Layer, Op: row.Op, Shape: row.Shape, Calls: row.Calls, Time: row.Time.Seconds(), Share: float64(row.Time) / float64(sum),
			FLOPs: row.Work.FLOPs, MACs: row.Work.MACs, Bytes: row.Work.Bytes, FLOPRate: row.Rate(row.Work.FLOPs), ByteRate: row.Rate(row.Work.Bytes),
			Intensity: row.Intensity(), Roofline: roof.Share(row.Work, row.Time), Live: row.Live,
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
