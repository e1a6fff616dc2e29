package reading

import (
	"cel.dev/cel-go/cel"
)

// name is what an expression can speak of.
type name struct {
	name  string
	typ   *cel.Type
	value func(*Entry) any
}

var names = []name{
	{"ts", cel.TimestampType, func(e *Entry) any { return e.Time }},
	{"schema", cel.IntType, func(e *Entry) any { return e.Schema }},
	{"edge", cel.StringType, func(e *Entry) any { return e.Edge }},
	{"event", cel.StringType, func(e *Entry) any { return string(e.Event) }},
	{"route", cel.StringType, func(e *Entry) any { return e.Route }},
	{"outcome", cel.StringType, func(e *Entry) any { return e.Outcome }},
	{"mode", cel.StringType, func(e *Entry) any { return e.Mode }},
	{"would", cel.StringType, func(e *Entry) any { return e.Would }},
	{"reasons", cel.ListType(cel.StringType), func(e *Entry) any { return e.Reasons }},
	{"key", cel.StringType, func(e *Entry) any { return e.Key }},
	{"object", cel.StringType, func(e *Entry) any { return e.Object }},
	{"ttl_s", cel.DoubleType, func(e *Entry) any { return e.TTL }},
	{"age_s", cel.DoubleType, func(e *Entry) any { return e.Age }},
	{"size_bytes", cel.IntType, func(e *Entry) any { return e.Size }},
	{"coding", cel.StringType, func(e *Entry) any { return e.Coding }},
	{"method", cel.StringType, func(e *Entry) any { return e.Method }},
	{"host", cel.StringType, func(e *Entry) any { return e.Host }},
	{"url", cel.StringType, func(e *Entry) any { return e.URL }},
	{"status", cel.IntType, func(e *Entry) any { return e.Status }},
	{"origin_ms", cel.DoubleType, func(e *Entry) any { return e.Origin }},
	{"duration_ms", cel.DoubleType, func(e *Entry) any { return e.Duration }},
	{"visitor", cel.StringType, func(e *Entry) any { return e.Visitor }},
	{"probe", cel.BoolType, func(e *Entry) any { return e.Probe }},
	{"from", cel.TimestampType, func(e *Entry) any { return e.From }},
	{"until", cel.TimestampType, func(e *Entry) any { return e.Until }},
	{"findings", cel.ListType(cel.MapType(cel.StringType, cel.DynType)), func(e *Entry) any { return findingMaps(e.Findings) }},
	{"detail", cel.StringType, func(e *Entry) any { return e.Detail }},
	{"error", cel.StringType, func(e *Entry) any { return e.Error }},
	{"serves_pct", cel.DoubleType, func(e *Entry) any { return e.ServesPct }},
	{"by", cel.StringType, func(e *Entry) any { return e.By }},
	{"why", cel.StringType, func(e *Entry) any { return e.Why }},
	{"scope", cel.StringType, func(e *Entry) any { return e.Scope }},
	{"soft", cel.BoolType, func(e *Entry) any { return e.Soft }},
	{"removed", cel.IntType, func(e *Entry) any { return e.Removed }},
	{"records", cel.IntType, func(e *Entry) any { return e.Records }},

	ofDivergence("class", cel.StringType, func(d *Divergence) any { return d.Class }),
	ofDivergence("input", cel.StringType, func(d *Divergence) any { return d.Input }),
	ofDivergence("part", cel.StringType, func(d *Divergence) any { return d.Part }),
	ofDivergence("field", cel.StringType, func(d *Divergence) any { return d.Field }),
	ofDivergence("declared", cel.BoolType, func(d *Divergence) any { return d.Declared }),
	ofDivergence("offset", cel.IntType, func(d *Divergence) any { return d.Offset }),
	ofDivergence("length", cel.IntType, func(d *Divergence) any { return d.Length }),
	ofDivergence("own_length", cel.IntType, func(d *Divergence) any { return d.OwnLength }),
	ofDivergence("shape", cel.StringType, func(d *Divergence) any { return d.Shape }),
	ofDivergence("entropy", cel.StringType, func(d *Divergence) any { return d.Entropy }),
	ofDivergence("near", cel.StringType, func(d *Divergence) any { return d.Near }),
	ofDivergence("spans_total", cel.IntType, func(d *Divergence) any { return d.SpansTotal }),
	ofDivergence("spans", cel.ListType(cel.MapType(cel.StringType, cel.DynType)), func(d *Divergence) any { return spanMaps(d.Spans) }),

	ofEvidence("kind", cel.StringType, func(v *Evidence) any { return v.Kind }),
	ofEvidence("who", cel.StringType, func(v *Evidence) any { return v.Who }),
	ofEvidence("giver", cel.StringType, func(v *Evidence) any { return v.Giver }),
	ofEvidence("receiver", cel.StringType, func(v *Evidence) any { return v.Receiver }),
	ofEvidence("input", cel.StringType, func(v *Evidence) any { return v.Input }),
	ofEvidence("where", cel.StringType, func(v *Evidence) any { return v.Where }),
	ofEvidence("phase", cel.StringType, func(v *Evidence) any { return v.Phase }),
	ofEvidence("sentence", cel.StringType, func(v *Evidence) any { return v.Sentence }),
	ofEvidence("status", cel.MapType(cel.StringType, cel.StringType), func(v *Evidence) any { return statusOf(v) }),

	ofAttribution("landing", cel.StringType, func(a *Attribution) any { return a.Landing }),
	ofAttribution("params", cel.ListType(cel.StringType), func(a *Attribution) any { return a.Params }),
	ofAttribution("referer", cel.StringType, func(a *Attribution) any { return a.Referer }),
	ofAttribution("paid", cel.BoolType, func(a *Attribution) any { return a.Paid }),
	ofAttribution("model", cel.StringType, func(a *Attribution) any { return a.Model }),
	ofAttribution("carried", cel.StringType, func(a *Attribution) any { return a.Carried }),
	ofAttribution("left_out", cel.StringType, func(a *Attribution) any { return a.LeftOut }),
	ofAttribution("withheld", cel.StringType, func(a *Attribution) any { return a.Withheld }),
	ofAttribution("dropped", cel.StringType, func(a *Attribution) any { return a.Dropped }),
	ofAttribution("delivered", cel.StringType, func(a *Attribution) any { return a.Delivered }),
	ofAttribution("landed", cel.TimestampType, func(a *Attribution) any { return a.Landed }),
	ofAttribution("as", cel.StringType, func(a *Attribution) any { return a.As }),
	ofAttribution("beacon_lost", cel.BoolType, func(a *Attribution) any { return a.BeaconLost }),
}

// ofDivergence names a member of divergence; without one, it is as one with nothing in it.
func ofDivergence(member string, typ *cel.Type, value func(*Divergence) any) name {
	return name{"divergence." + member, typ, func(e *Entry) any {
		if e.Divergence == nil {
			return value(&Divergence{})
		}
		return value(e.Divergence)
	}}
}

// ofEvidence names a member of evidence; without any, it is as one with nothing in it.
func ofEvidence(member string, typ *cel.Type, value func(*Evidence) any) name {
	return name{"evidence." + member, typ, func(e *Entry) any {
		if e.Evidence == nil {
			return value(&Evidence{})
		}
		return value(e.Evidence)
	}}
}

// ofAttribution names a member of attribution; without one, it is as one with nothing in it.
func ofAttribution(member string, typ *cel.Type, value func(*Attribution) any) name {
	return name{"attribution." + member, typ, func(e *Entry) any {
		if e.Attribution == nil {
			return value(&Attribution{})
		}
		return value(e.Attribution)
	}}
}

// statusOf is never nil, which is no map to an expression.
func statusOf(v *Evidence) map[string]string {
	if v.Status == nil {
		return map[string]string{}
	}
	return v.Status
}

// findingMaps have every member, so that none is missing where a record leaves it out.
func findingMaps(findings []Finding) []map[string]any {
	maps := make([]map[string]any, len(findings))
	for i, f := range findings {
		maps[i] = map[string]any{
			"kind": f.Kind, "detector": f.Detector, "input": f.Input, "coding": f.Coding, "field": f.Field,
			"offset": f.Offset, "length": f.Length, "shape": f.Shape, "near": f.Near,
		}
	}
	return maps
}

func spanMaps(spans []Divergence) []map[string]any {
	maps := make([]map[string]any, len(spans))
	for i, d := range spans {
		maps[i] = map[string]any{
			"class": d.Class, "input": d.Input, "part": d.Part, "field": d.Field, "declared": d.Declared,
			"offset": d.Offset, "length": d.Length, "own_length": d.OwnLength,
			"shape": d.Shape, "entropy": d.Entropy, "near": d.Near,
		}
	}
	return maps
}
