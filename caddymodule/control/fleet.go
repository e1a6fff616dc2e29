package control

// FleetDelivery says how far a purge, a trip or a reset has come in the fleet when it is
// answered. It is in force on every edge a lease later at the latest: by then each has
// applied it, or trusts nothing that is stored.
type FleetDelivery struct {
	// Generation is its number in the fleet's log; 0: it could not be written there yet.
	// Problem says why, and it is sent again.
	Generation uint64 `json:"generation"`
	// Edges is how many there are, the one that was asked included; Confirmed how many of
	// them have applied it.
	Edges     int `json:"edges"`
	Confirmed int `json:"confirmed"`
	// Missing are the names of the others. Those of them that are Silent have not asked
	// for as long as the lease, and so trust nothing that is stored.
	Missing []string `json:"missing,omitempty"`
	Silent  []string `json:"silent,omitempty"`
	// Took is how long it took until that was known, in milliseconds.
	Took    float64 `json:"took_ms"`
	Problem string  `json:"problem,omitempty"`
}

// Unconfirmed are the edges that have not confirmed although they are not silent: those
// that somebody has to look at. It is nil where there are none.
func (d *FleetDelivery) Unconfirmed() []string {
	silent := make(map[string]bool, len(d.Silent))
	for _, edge := range d.Silent {
		silent[edge] = true
	}
	var left []string
	for _, edge := range d.Missing {
		if !silent[edge] {
			left = append(left, edge)
		}
	}
	return left
}

// What an edge does while it does not hear from its fleet.
const (
	OnPartitionBypass = "bypass" // serves nothing that is stored
	OnPartitionServe  = "serve"  // goes on with what it has in memory
)

// FleetStatus is a fleet as one of its edges knows it.
type FleetStatus struct {
	// Store is the one that leads to the fleet, as in StoreStatus.
	Store string `json:"store"`
	// Edge is the name of the edge that was asked.
	Edge string `json:"edge"`
	// Trusted: it has heard from the log within its lease.
	Trusted bool `json:"trusted"`
	// Heard is for how long it has not, in milliseconds; negative: never yet.
	Heard int64 `json:"heard_ms"`
	Lease int64 `json:"lease_ms"`
	// Applied is the generation up to which it has applied all events, Generation the last
	// one that the log told of.
	Applied    uint64 `json:"applied"`
	Generation uint64 `json:"generation"`
	// Unsent is how many of its own events could not be written to the log yet.
	Unsent int `json:"unsent,omitempty"`
	// Members are the edges that have asked the log lately, this one among them: as of when
	// it last heard.
	Members []FleetMember `json:"members"`
	// Problem is why the log could not be asked the last time.
	Problem string `json:"problem,omitempty"`
	// Lapses is how often the lease has lapsed since the start, and Partitioned for how
	// long altogether, in milliseconds.
	Lapses      uint64 `json:"lapses,omitempty"`
	Partitioned int64  `json:"partitioned_ms,omitempty"`
	// OnPartition is what it does meanwhile: OnPartitionBypass or OnPartitionServe.
	OnPartition string `json:"on_partition"`
	// Shared is the tier behind the edge's memory; nil: there is none.
	Shared *SharedStatus `json:"shared,omitempty"`
}

// FleetMember is an edge as the log sees it.
type FleetMember struct {
	Edge    string `json:"edge"`
	Applied uint64 `json:"applied"`
	// Silent is for how long it has not asked, in milliseconds.
	Silent int64 `json:"silent_ms"`
}

// SharedStatus counts what an edge has done with the shared tier since it began.
type SharedStatus struct {
	// Fetches were asked for after a miss in memory. Each is a hit, a miss, refused (a
	// later event selects it), damaged, foreign (of another format or key), or an error.
	Fetches uint64 `json:"fetches"`
	Hits    uint64 `json:"hits"`
	Misses  uint64 `json:"misses"`
	Refused uint64 `json:"refused,omitempty"`
	Damaged uint64 `json:"damaged,omitempty"`
	Foreign uint64 `json:"foreign,omitempty"`
	Errors  uint64 `json:"errors,omitempty"`
	// Writes are objects that were written there, Dropped those that were not, for too much
	// was under way or it failed. Bytes were written.
	Writes  uint64 `json:"writes"`
	Dropped uint64 `json:"dropped,omitempty"`
	Bytes   uint64 `json:"bytes"`
}
