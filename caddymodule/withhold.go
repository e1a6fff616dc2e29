package caddymodule

import (
	"net/url"
	"strings"

	"go.uber.org/zap/zapcore"
)

// minWithheld is how long a keyed value must be to be looked for in a name.
const minWithheld = 4

// withhold empties the names in a record that have a value of the key in them: the key
// is in every answer that is compared, so a name made of it is in both.
func (j *job) withhold(d zapcore.ObjectMarshaler, found []finding) {
	values := j.keyed()
	hide := func(names ...*string) {
		for _, name := range names {
			for _, v := range values {
				if strings.Contains(strings.ToLower(*name), v) {
					*name = ""
				}
			}
		}
	}
	if d, ok := d.(difference); ok {
		hide(&d.Near, &d.Field)
		for i := range d.Spans {
			hide(&d.Spans[i].Near, &d.Spans[i].Field)
		}
	}
	for i := range found {
		hide(&found[i].near, &found[i].field)
	}
}

// keyed are the values of the key that a response might make names of.
func (j *job) keyed() (values []string) {
	add := func(v string) {
		if len(v) >= minWithheld {
			values = append(values, strings.ToLower(v))
		}
	}
	for _, pair := range j.parts.Params {
		name, v, assigned := strings.Cut(pair, "=")
		if assigned && j.rule.Plain(name) {
			continue
		}
		if !assigned {
			v = pair
		}
		add(v)
		if plain, err := url.QueryUnescape(v); err == nil && plain != v {
			add(plain)
		}
	}
	for _, f := range j.parts.Cookies {
		add(f.Value)
	}
	for _, f := range j.parts.Headers {
		add(f.Value)
	}
	for _, f := range j.parts.Varying {
		add(f.Value)
	}
	return values
}
