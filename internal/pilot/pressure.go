package pilot

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// CPUPressure is for how long, since the machine started, some task stood
// ready without a CPU (pressure stall information, Linux 4.20 and later); 0
// where the kernel does not tell. It tells workers that wait from workers
// whose CPU other programs have. Costs some microseconds.
func CPUPressure() time.Duration {
	b, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	return parsePressure(b)
}

// parsePressure reads the total of the line "some avg10=... total=123", in
// microseconds.
func parsePressure(b []byte) time.Duration {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	_, total, ok := bytes.Cut(line, []byte("total="))
	if !bytes.HasPrefix(line, []byte("some ")) || !ok {
		return 0
	}
	us, err := strconv.ParseInt(string(total), 10, 64)
	if err != nil || us < 0 {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}
