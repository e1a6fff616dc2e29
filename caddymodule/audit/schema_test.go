package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

const schemaPath = "record.schema.json"

// row is a row of a table in SCHEMA.md.
var row = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\|")

// TestSchemaIsDocumented holds SCHEMA.md against what is written: the fields with
// their JSON types, and the events with their levels.
func TestSchemaIsDocumented(t *testing.T) {
	text, err := os.ReadFile("SCHEMA.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), fmt.Sprintf("# The audit record, schema %d\n", Schema)) {
		t.Errorf("SCHEMA.md is not of schema %d", Schema)
	}
	fieldsText, eventsText, _ := strings.Cut(string(text), "\n## Events\n")
	table := func(text string) map[string]string {
		rows := map[string]string{}
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			rows[m[1]] = m[2]
		}
		return rows
	}

	fields := map[string]string{}
	var line map[string]any
	request := full(EventBypass)
	request.Attribution = place{10}
	if err := json.Unmarshal(written(t, request, Options{Edge: "edge-1", Serves: Sampling{leftOut: 1}}), &line); err != nil {
		t.Fatal(err)
	}
	for name, value := range line {
		fields[name] = map[string]string{
			"float64": "number", "string": "string", "bool": "boolean", "[]interface {}": "array", "map[string]interface {}": "object",
		}[fmt.Sprintf("%T", value)]
	}
	if documented := table(fieldsText); !maps.Equal(fields, documented) {
		t.Errorf("written are %v\ndocumented %v", fields, documented)
	}
	if inSchema := schemaTypes(t); !maps.Equal(fields, inSchema) {
		t.Errorf("written are %v\nin the JSON Schema %v", fields, inSchema)
	}

	checkNested(t, string(text))

	events := map[string]string{}
	for _, e := range AllEvents() {
		events[string(e)] = e.level().String()
	}
	if documented := table(eventsText); !maps.Equal(events, documented) {
		t.Errorf("events are %v\ndocumented %v", events, documented)
	}
}

// ofLog are the fields that are the log's own.
var ofLog = []string{"level", "ts", "logger", "msg"}

// part is what the tests read of a JSON Schema.
type part struct {
	Ref        string          `json:"$ref"`
	Type       any             `json:"type"`
	Properties map[string]part `json:"properties"`
	Defs       map[string]part `json:"$defs"`
}

func schemaParts(t *testing.T) (whole part) {
	t.Helper()
	text, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	return whole
}

// schemaTypes are the types of the record's fields.
func schemaTypes(t *testing.T) map[string]string {
	t.Helper()
	types := map[string]string{}
	for name, property := range schemaParts(t).Properties {
		if !slices.Contains(ofLog, name) {
			types[name] = fmt.Sprint(property.Type)
		}
	}
	return types
}

// inRow are the names in the first column of a table.
var inRow = regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\|")

// checkNested holds the members of divergence, evidence, attribution and findings against
// their tables.
func checkNested(t *testing.T, text string) {
	t.Helper()
	defs := schemaParts(t).Defs
	members := func(names ...string) map[string]bool {
		found := map[string]bool{}
		for _, name := range names {
			for member := range defs[name].Properties {
				found[member] = true
			}
		}
		return found
	}
	for section, want := range map[string]map[string]bool{
		"divergence":  members("divergence", "span"),
		"evidence":    members("evidence"),
		"attribution": members("attribution"),
		"findings":    members("finding"),
	} {
		_, after, _ := strings.Cut(text, "\n## "+section+"\n")
		table, _, _ := strings.Cut(after, "\n## ")
		documented := map[string]bool{}
		for _, row := range inRow.FindAllStringSubmatch(table, -1) {
			for name := range strings.SplitSeq(row[1], ", ") {
				documented[strings.Trim(name, "`")] = true
			}
		}
		if !maps.Equal(documented, want) {
			t.Errorf("%s: documented are %v\nin the JSON Schema %v", section, documented, want)
		}
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaPath, text); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(schemaPath) // checks it against its meta-schema
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// caddyLine is the record's line as Caddy writes it.
func caddyLine(r *Record, o Options, times zapcore.TimeEncoder) string {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = times
	var line strings.Builder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.AddSync(&line), zapcore.InfoLevel)
	o.Keys, o.Synchronous = keys, true
	for line.Len() == 0 { // until the record is sampled
		New(zap.New(core).Named("http.handlers.cacheward.audit"), o).Write(r, onlySource)
	}
	return line.String()
}

// told is a divergence, a finding or evidence as the handler tells it.
type told map[string]any

func (m told) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for name, value := range m {
		if err := enc.AddReflected(name, value); err != nil {
			return err
		}
	}
	return nil
}

type toldList []told

func (l toldList) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, m := range l {
		if err := enc.AppendObject(m); err != nil {
			return err
		}
	}
	return nil
}

// anyRecord draws what a handler may write, and more.
func anyRecord(t *rapid.T) *Record {
	text := func(name string) string {
		return rapid.OneOf(rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{"landing", "a=b&source=lp", "\xff\x00"})).Draw(t, name)
	}
	duration := func(name string) time.Duration { return time.Duration(rapid.Int64().Draw(t, name)) }
	r := &Record{
		Event: rapid.SampledFrom(AllEvents()).Draw(t, "event"),
		Route: text("route"), Outcome: text("outcome"), Would: text("would"),
		Mode:   rapid.SampledFrom([]string{"", "enforce", "observe"}).Draw(t, "mode"),
		Object: text("object"), Address: text("address"), Marks: text("marks"),
		Method: text("method"), Scheme: text("scheme"), Host: text("host"), Path: text("path"), Query: text("query"),
		Status: rapid.IntRange(0, 999).Draw(t, "status"),
		TTL:    duration("ttl"), Age: duration("age"), OriginTime: duration("origin"), Duration: duration("duration"),
		Size:   rapid.Int64Range(0, 1<<62).Draw(t, "size"),
		Coding: rapid.SampledFrom([]string{"", "gzip", "zstd", "br"}).Draw(t, "coding"),
		Detail: text("detail"), By: text("by"), Why: text("why"), Scope: text("scope"),
		Soft:    rapid.Bool().Draw(t, "soft"),
		Removed: rapid.IntRange(0, 1<<40).Draw(t, "removed"),
		Records: rapid.Int64Range(0, 1<<40).Draw(t, "records"),
	}
	copy(r.Key[:], rapid.SliceOfN(rapid.Byte(), 0, len(store.Key{})).Draw(t, "key"))
	r.Reasons = rapid.SliceOfN(rapid.SampledFrom(policies.AllReasons()), 0, 3).Draw(t, "reasons")
	if rapid.Bool().Draw(t, "failed") {
		r.Err = errors.New(text("error"))
	}
	if rapid.Bool().Draw(t, "differs") {
		span := map[string]any{"part": "body", "offset": -1, "length": 3, "shape": "hex-24", "class": "token", "entropy": "low"}
		r.Difference = told{
			"class": "token", "input": "cookie lead", "declared": true, "part": "header", "field": "Etag", "own_length": 1,
			"near": text("near"), "spans_total": 2, "spans": []any{span, span},
		}
	}
	if rapid.Bool().Draw(t, "found") {
		r.Findings = toldList{{"kind": "marker", "detector": "csrf"}, {"kind": "reflection", "input": "param ref", "coding": "html", "offset": 3}}
	}
	if rapid.Bool().Draw(t, "leaks") {
		r.Evidence = told{
			"kind": rapid.SampledFrom([]string{"canary", "receipt", "refused"}).Draw(t, "kind"), "who": "cdn", "giver": "X", "receiver": "Y",
			"input": "param ref", "where": "body, byte 570, input lead", "phase": "at once", "sentence": text("sentence"),
			"status": map[string]string{"age": "12", "x-cache": text("status")},
		}
	}
	if rapid.Bool().Draw(t, "attributed") {
		r.Attribution = anyAttribution(t)
	}
	// A year has four digits: what probes find is of these days.
	moment := func(name string) time.Time {
		return time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, name)) // year 1 to 9999; the zero time is none
	}
	r.Probe, r.From, r.Until = rapid.Bool().Draw(t, "probe"), moment("from"), moment("until")
	return r
}

// TestRecordsHaveTheSchema: what is written is what the JSON Schema says.
func TestRecordsHaveTheSchema(t *testing.T) {
	schema := compiledSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Edge:   rapid.OneOf(rapid.Just(""), rapid.String()).Draw(t, "edge"),
			Serves: rapid.SampledFrom([]Sampling{{}, {leftOut: 5000}}).Draw(t, "serves"),
		}
		times := zapcore.EpochTimeEncoder
		if rapid.Bool().Draw(t, "words") {
			times = zapcore.RFC3339TimeEncoder
		}
		text := caddyLine(anyRecord(t), o, times)
		line, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if err := schema.Validate(line); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}

// TestSchemaRefuses: it is a schema of something.
func TestSchemaRefuses(t *testing.T) {
	schema := compiledSchema(t)
	changed := func(change func(map[string]any)) error {
		var line map[string]any
		if err := json.Unmarshal([]byte(caddyLine(full(EventPurge), Options{}, zapcore.EpochTimeEncoder)), &line); err != nil {
			t.Fatal(err)
		}
		delete(line, "divergence") // what stands for it in full is not one
		delete(line, "findings")
		delete(line, "evidence")
		change(line)
		return schema.Validate(line)
	}
	if err := changed(func(line map[string]any) { line["of tomorrow"] = 1 }); err != nil {
		t.Fatalf("a field that is not known: %v", err)
	}
	for name := range schemaParts(t).Properties {
		if changed(func(line map[string]any) { line[name] = []any{map[string]any{}} }) == nil {
			t.Errorf("%s may be anything", name)
		}
	}
	for _, name := range []string{"level", "ts", "msg", "schema", "event", "removed"} {
		if changed(func(line map[string]any) { delete(line, name) }) == nil {
			t.Errorf("a purge without %s is a record", name)
		}
	}
	for name, value := range map[string]any{
		"msg": "handled request", "event": "bow", "level": "error", "schema": 2, "visitor": "192.0.2.7", "key": "ab", "mode": "off",
		"divergence": map[string]any{"part": "footer"}, "findings": []any{map[string]any{}},
		"attribution": map[string]any{"carried": "by pigeon"},
		"evidence":    map[string]any{"kind": "hunch"}, "from": "2026-11-23T03:00:00Z", "until": "3 o'clock",
	} {
		if changed(func(line map[string]any) { line[name] = value }) == nil {
			t.Errorf("%s may be %v", name, value)
		}
	}
}
