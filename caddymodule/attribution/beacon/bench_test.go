package beacon

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
)

func BenchmarkPut(b *testing.B) {
	for _, how := range []string{syncAlways, syncInterval, syncNever} {
		for _, parallel := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", how, parallel), func(b *testing.B) {
				o := nowhere()
				o.Sync, o.Room = how, b.N+1
				q := open(b, filepath.Join(b.TempDir(), "queue.db"), o)
				var number atomic.Int64
				b.SetParallelism(parallel)
				b.ReportAllocs()
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := q.Put(b.Context(), landing(fmt.Sprint(number.Add(1)))); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.StopTimer()
				_ = q.Close()
			})
		}
	}
}
