package plot

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTicks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		axis    Axis
		values  []float64
		rounded bool
		want    string
	}{
		{"from zero", Axis{}, []float64{29, 33}, true, "0 10 20 30 40"},
		{"fractions", Axis{}, []float64{0.98, 1.1}, true, "0.0 0.5 1.0 1.5"},
		{"small", Axis{}, []float64{0.004}, true, "0.000 0.001 0.002 0.003 0.004"},
		{"negative", Axis{}, []float64{-3, 5}, true, "-4 -2 0 2 4 6"},
		{"nothing but zero", Axis{}, []float64{0}, true, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{"next to nothing", Axis{}, []float64{5e-324}, true, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{"large", Axis{}, []float64{7.3e8}, true, "0 200M 400M 600M 800M"},
		{"not rounded", Axis{}, []float64{0, 1800}, false, "0 500 1,000 1,500"},
		{"bytes", Axis{Bytes: true}, []float64{480 << 20}, true, "0 B 128 MiB 256 MiB 384 MiB 512 MiB"},
		{"decades", Axis{Log: true}, []float64{10, 10_000}, false, "10 100 1,000 10,000"},
		{"decades rounded", Axis{Log: true}, []float64{27, 3300}, true, "10 100 1,000 10,000"},
		{"within a decade", Axis{Log: true}, []float64{1.2, 6.8}, true, "1 2 5 10"},
		{"at the ticks", Axis{Log: true}, []float64{2, 50}, true, "2 5 10 20 50"},
		{"many decades", Axis{Log: true}, []float64{1, 1e8}, false, "1 100 10,000 1M 100M"},
		{"one value", Axis{Log: true}, []float64{10}, false, "1 2 5 10 20 50 100"},
		{"doublings", Axis{Log: true, Bytes: true}, []float64{1 << 10, 1 << 20}, false, "1 KiB 4 KiB 16 KiB 64 KiB 256 KiB 1 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := scaleOf(tt.axis, tt.values, 5, tt.rounded)
			var got []string
			for _, tick := range s.ticks {
				got = append(got, s.tick(tick))
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// Every value is within the scale, in its order, and so is every tick.
func TestScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		axis := Axis{Log: rapid.Bool().Draw(t, "log"), Bytes: rapid.Bool().Draw(t, "bytes")}
		from := -largest
		if axis.Log {
			from = least
		}
		values := rapid.SliceOfN(rapid.Float64Range(from, largest), 1, 5).Draw(t, "values")
		s := scaleOf(axis, values, rapid.IntRange(2, 8).Draw(t, "n"), rapid.Bool().Draw(t, "rounded"))
		s.start, s.end = 400, 100
		if len(s.ticks) > 40 {
			t.Fatalf("%d ticks", len(s.ticks))
		}
		slices.Sort(values)
		last := 400.5
		for _, v := range values {
			at := s.at(v)
			if math.IsNaN(at) || at > last+1e-6 || at < 99.5 {
				t.Fatalf("%v is drawn at %v, the one before at %v", v, at, last)
			}
			last = at
		}
		for _, tick := range s.ticks {
			if at := s.at(tick); !(at <= 400.5 && at >= 99.5) {
				t.Fatalf("tick %v is drawn at %v", tick, at)
			}
		}
	})
}

func TestNumbers(t *testing.T) {
	axis, sizes := Axis{}, Axis{Bytes: true}
	for got, want := range map[string]string{
		axis.value(0): "0", axis.value(29.14159): "29.1", axis.value(0.0012345): "0.00123", axis.value(999.96): "1,000",
		axis.value(-12345.6): "-12,346", axis.value(1234567): "1.235M", sizes.value(1536): "1.5 KiB", sizes.value(500): "500 B",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
