package machine

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryStatus is MEMORYSTATUSEX of the Windows API.
type memoryStatus struct {
	length, load                                     uint32
	totalPhys, availPhys, totalPageFile, availPage   uint64
	totalVirtual, availVirtual, availExtendedVirtual uint64
}

// physical returns the memory of the machine in bytes, or 0 if it is not known.
func physical() int64 {
	proc := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	var s memoryStatus
	s.length = uint32(unsafe.Sizeof(s))
	if proc.Find() != nil {
		return 0
	}
	if ok, _, _ := proc.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return 0
	}
	return int64(s.totalPhys)
}
