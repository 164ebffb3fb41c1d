package main

import (
	"log/slog"
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// limitMemory lets Go keep to nine tenths of what a container or systemd's MemoryMax leaves us (PROTOCOL R24), since the kernel counts
// the pages of the store's file, too. GOMEMLIMIT in the environment overrules it.
func limitMemory(log *slog.Logger) {
	switch limit, err := memlimit.Set(memlimit.WithRatio(0.9)); {
	case err != nil:
		log.Debug("no memory limit", "err", err) // no Linux, or no cgroups
	case limit < math.MaxInt64:
		log.Debug("memory limit", "bytes", limit)
	}
}
