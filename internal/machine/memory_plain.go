//go:build !linux

package machine

func find() int64 { return physical() }
