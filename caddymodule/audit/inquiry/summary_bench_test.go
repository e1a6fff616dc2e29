package inquiry

import "testing"

func BenchmarkSummaryAdd(b *testing.B) {
	entries, q := morning(), NewSummary()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		q.Add(&entries[i%len(entries)])
	}
}
