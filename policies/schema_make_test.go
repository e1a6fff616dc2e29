package policies

import (
	"encoding/json"
	"iter"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The schema describes the form of a policy, and the words that it accepts. What a
// policy means as a whole is for Validate.

// schemaObject is a JSON object whose keys keep their order.
type schemaObject []schemaMember

type schemaMember struct {
	key   string
	value any
}

func (o schemaObject) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out = append(strconv.AppendQuote(out, m.key), ':')
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

var (
	durationPattern  = regexp.MustCompile(`^([0-9]+(ms|s|m|h|d|w))+$`)
	routeNamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
)

// schemaTypes are the types of the model that are objects.
var schemaTypes = []reflect.Type{
	reflect.TypeFor[Policy](), reflect.TypeFor[Identity](), reflect.TypeFor[Route](), reflect.TypeFor[Match](),
	reflect.TypeFor[Cache](), reflect.TypeFor[Inputs](), reflect.TypeFor[HeaderInputs](), reflect.TypeFor[HeaderKey](),
	reflect.TypeFor[HeaderForward](), reflect.TypeFor[Targeted](), reflect.TypeFor[Vouch](), reflect.TypeFor[Harmless](),
	reflect.TypeFor[Tolerance](), reflect.TypeFor[Downstream](), reflect.TypeFor[CDN](),
	reflect.TypeFor[Attribution](), reflect.TypeFor[Deliver](), reflect.TypeFor[Beacon](), reflect.TypeFor[Consent](),
}

// schemaWords are the accepted words of fields.
var schemaWords = map[string][]string{
	"Policy.mode":              {"enforce", "observe"},
	"Policy.default":           {"never", "origin"},
	"Policy.ambiguous":         {"bypass", "deny"},
	"Policy.on_leak":           {"trip", "warn"},
	"Route.mode":               {"enforce", "observe"},
	"Route.ambiguous":          {"bypass", "deny"},
	"Route.on_leak":            {"trip", "warn"},
	"Route.admission":          {Corroborated, Once},
	"Route.set_cookie":         {RefuseCookie, StripCookie},
	"Route.inspect":            {InspectOn, InspectOff},
	"Route.authorization":      {AuthorizationBypass, AuthorizationRFC9111},
	"Route.address":            {AddressStrip, AddressForward},
	"Route.heuristic":          {"on", "off"},
	"Route.request_directives": {"obey", "ignore"},
	"Inputs.others":            {"key", "strip", "bypass", "deny"},
	"HeaderInputs.others":      {"strip", "bypass", "vary"},
	"Targeted.order":           {RefusalFirst, TargetFirst},
	"CDN.profile":              ProfileNames(),
	"Downstream.profile":       ProfileNames(),
	"Tolerance.detector":       DetectorIDs(),
	"Match.methods":            knownMethods,
	"Attribution.referer":      {"external", "external-full"},
	"Attribution.model":        {"first", "last", "last-paid"},
	"Attribution.carry":        {"cookie", "beacon", "both"},
	"Attribution.encrypt":      {"on", "off"},
	"Deliver.as":               {"header", "query", "form-cookie"},
	"Beacon.sync":              {SyncAlways, SyncInterval, SyncNever},
}

// schemaRequired are the keys without which an object means nothing.
func schemaRequired() map[string][]string {
	return map[string][]string{
		"Route":         {"name", "match", "cache"},
		"Cache":         {"ttl"},
		"HeaderKey":     {"name"},
		"HeaderForward": {"name", "reason"},
		"Vouch":         {"fields", "reason"},
		"Harmless":      {"reason"},
		"Tolerance":     {"detector", "reason"},
		"Downstream":    {"ttl"},
		"CDN":           {"profile"},
		"Deliver":       {"paths"},
		"Beacon":        {"url"},
		"Consent":       {"cookie"},
	}
}

// schemaOneOf are the keys of which exactly one is given; schemaAnyOf those of which at
// least one is.
var (
	schemaOneOf = map[string][]string{"Harmless": {"html", "json", "header"}}
	schemaAnyOf = map[string][]string{"Match": {"hosts", "paths"}, "Targeted": {"fields", "order"}, "Attribution": {"params", "referer"}}
)

// policySchema makes the JSON Schema of the language.
func policySchema(t *testing.T) schemaObject {
	m := schemaMaker{docs: readModel(t)}
	defs := schemaObject{
		{"duration", schemaObject{
			{"description", m.docs.types["Duration"]},
			{"type", "string"}, {"pattern", durationPattern.String()}, {"examples", []string{"90s", "5m", "1h30m", "1d"}},
		}},
		{"share", schemaObject{
			{"description", m.docs.types["Share"]},
			{"type", "string"}, {"pattern", sharePattern.String()}, {"examples", []string{"1%", "0.5%"}},
		}},
		{"reason", schemaObject{
			{"description", "Why. People read it when they decide whether the rule still holds."},
			{"type", "string"}, {"pattern", `\S`},
		}},
		{"names", schemaObject{{"type", "array"}, {"minItems", 1}, {"items", schemaObject{{"type", "string"}, {"minLength", 1}}}}},
	}
	for _, typ := range schemaTypes[1:] {
		defs = append(defs, schemaMember{typ.Name(), m.definition(typ)})
	}
	root := schemaObject{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "https://github.com/cacheward/cacheward/policies/" + schemaPath},
		{"title", "A policy of Cacheward"},
	}
	root = append(root, m.object(schemaTypes[0])...)
	return append(root, schemaMember{"$defs", defs})
}

type schemaMaker struct{ docs modelDocs }

// definition is a type in all its spellings.
func (m schemaMaker) definition(typ reflect.Type) any {
	object := m.object(typ)
	var short []any
	switch typ {
	case reflect.TypeFor[Cache]():
		short = []any{schemaObject{{"enum", []string{"never", "origin"}}}, schemaRef("duration")}
	case reflect.TypeFor[Downstream]():
		short = []any{schemaObject{{"const", ProfileOrigin}}, schemaRef("duration")}
	case reflect.TypeFor[HeaderKey]():
		short = []any{schemaObject{{"type", "string"}, {"minLength", 1}}}
	default:
		return object
	}
	return schemaObject{{"description", m.docs.types[typ.Name()]}, {"oneOf", append(short, object)}}
}

// object is a type spelled as an object.
func (m schemaMaker) object(typ reflect.Type) schemaObject {
	name := typ.Name()
	var properties schemaObject
	for field := range fieldsOf(typ) {
		properties = append(properties, schemaMember{field.key, m.property(name, field)})
	}
	out := schemaObject{{"description", m.docs.types[name]}, {"type", "object"}, {"additionalProperties", false}}
	if required := schemaRequired()[name]; required != nil {
		out = append(out, schemaMember{"required", required})
	}
	for keyword, keys := range map[string][]string{"oneOf": schemaOneOf[name], "anyOf": schemaAnyOf[name]} {
		var choices []any
		for _, key := range keys {
			choices = append(choices, schemaObject{{"required", []string{key}}})
		}
		if choices != nil {
			out = append(out, schemaMember{keyword, choices})
		}
	}
	return append(out, schemaMember{"properties", properties})
}

var defaultPattern = regexp.MustCompile(`Default: ([a-z0-9-]+)[.;,]`)

// property is a field: what it is, and what its comment says.
func (m schemaMaker) property(typ string, field modelField) schemaObject {
	doc := m.docs.field(typ, field.name)
	words := schemaWords[typ+"."+field.key]
	out := append(schemaObject{{"description", doc}}, m.form(typ, field, words)...)
	if match := defaultPattern.FindStringSubmatch(doc); match != nil && slices.Contains(words, match[1]) {
		out = append(out, schemaMember{"default", match[1]})
	}
	return out
}

// form is what may be written for a field.
func (m schemaMaker) form(typ string, field modelField, words []string) schemaObject {
	of := field.typ
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case typ == "Policy" && field.key == "version":
		return schemaObject{{"enum", []int{1}}}
	case typ == "Route" && field.key == "name":
		return schemaObject{{"type", "string"}, {"pattern", routeNamePattern.String()}, {"not", schemaObject{{"const", DefaultRule}}}}
	case typ == "Cache" && field.key == "ttl":
		return schemaObject{{"oneOf", []any{schemaObject{{"const", "origin"}}, schemaRef("duration")}}}
	case typ == "Cache" && field.key == "statuses":
		statuses := make([]string, len(shareableStatuses))
		for i, status := range shareableStatuses {
			statuses[i] = strconv.Itoa(status)
		}
		return schemaObject{
			{"type", "object"},
			{"minProperties", 1},
			{"propertyNames", schemaObject{{"enum", statuses}}},
			{"additionalProperties", schemaRef("duration")},
		}
	case of == reflect.TypeFor[Duration]():
		return schemaRef("duration")
	case typ == "Beacon" && field.key == "batch":
		return schemaObject{{"type", "integer"}, {"minimum", 1}, {"maximum", maxBeaconBatch}}
	case typ == "Beacon" && field.key == "queue":
		return schemaObject{{"type", "integer"}, {"minimum", 1}, {"maximum", maxBeaconQueue}}
	case of == reflect.TypeFor[Share]():
		return schemaRef("share")
	case of == reflect.TypeFor[Choice]():
		return m.choice(words)
	case field.key == "reason":
		return schemaRef("reason")
	case of.Kind() == reflect.Struct:
		return schemaRef(of.Name())
	case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct:
		return schemaObject{{"type", "array"}, {"minItems", 1}, {"items", schemaRef(of.Elem().Name())}}
	case of.Kind() == reflect.Slice && words != nil:
		return schemaObject{{"type", "array"}, {"minItems", 1}, {"items", schemaObject{{"enum", words}}}}
	case of.Kind() == reflect.Slice:
		return schemaRef("names")
	case words != nil:
		return schemaObject{{"enum", words}}
	}
	return schemaObject{{"type", "string"}, {"minLength", 1}}
}

// choice is a rule, or the rule and its reason.
func (m schemaMaker) choice(words []string) schemaObject {
	return schemaObject{{"oneOf", []any{
		schemaObject{{"enum", words}},
		schemaObject{
			{"type", "object"},
			{"additionalProperties", false},
			{"required", []string{"rule"}},
			{"properties", schemaObject{{"rule", schemaObject{{"enum", words}}}, {"reason", schemaRef("reason")}}},
		},
	}}}
}

func schemaRef(name string) schemaObject { return schemaObject{{"$ref", "#/$defs/" + name}} }

// modelField is a field of the model and its key in a policy.
type modelField struct {
	name, key string
	typ       reflect.Type
}

// fieldsOf are the fields of a type that a policy can have. Those of Cache have no tags:
// it is not one object in all its spellings.
func fieldsOf(typ reflect.Type) iter.Seq[modelField] {
	cache := map[string]string{
		"TTL": "ttl", "StaleWhileRevalidate": "stale_while_revalidate", "StaleIfError": "stale_if_error", "Statuses": "statuses",
	}
	return func(yield func(modelField) bool) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if typ == reflect.TypeFor[Cache]() {
				key = cache[f.Name]
			}
			if key != "" && !yield(modelField{f.Name, key, f.Type}) {
				return
			}
		}
	}
}
