package inquiry

import (
	"strconv"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/policies"
)

// Place is where, in a request or a response, what spoke against sharing stands. What is
// not known is empty.
type Place struct {
	// Detail is the remark of the record, such as the name of a field.
	Detail string `json:"detail,omitempty"`
	// Class is what kind of thing differed, if the place is one of a divergence and is
	// not counted by that.
	Class string `json:"class,omitempty"`
	// Part is status, header or body, Field a header field, Near the nearest name in the
	// markup, Shape what the value looks like.
	Part  string `json:"part,omitempty"`
	Field string `json:"field,omitempty"`
	Near  string `json:"near,omitempty"`
	Shape string `json:"shape,omitempty"`
	// Input is whose value of the request it is: "cookie lead", "param ref", "address".
	Input string `json:"input,omitempty"`
	// Detector is the id of the one that found it.
	Detector string `json:"detector,omitempty"`
	// Status is the status code, where that is the reason, Host the host.
	Status int    `json:"status,omitempty"`
	Host   string `json:"host,omitempty"`
}

// placeOf reads from a record where the reason with this code comes from. A class of
// divergences is a code as well.
func placeOf(code string, e *reading.Entry) Place {
	p := Place{Detail: e.Detail}
	if d := e.Divergence; d != nil {
		p.Part, p.Field, p.Near, p.Shape, p.Input = d.Part, d.Field, d.Near, d.Shape, d.Input
		if code != d.Class {
			p.Class = d.Class
		}
		return p
	}
	kind := ""
	switch code {
	case policies.ReasonReflectsInput.String():
		kind = "reflection"
	case policies.ReasonStateInBody.String():
		kind = "marker"
	case policies.ReasonStatus.String():
		p.Status = e.Status
	case policies.ReasonHostUnknown.String(), policies.ReasonHostPort.String():
		p.Host = e.Host
	case policies.ReasonParamBypass.String():
		if p.Detail == "" {
			p.Input = onlyParam(e.URL)
		}
	}
	for i := range e.Findings {
		if f := &e.Findings[i]; kind != "" && f.Kind == kind {
			p.Field, p.Near, p.Shape, p.Input, p.Detector = f.Field, f.Near, f.Shape, f.Input, f.Detector
			if p.Part = "body"; f.Field != "" {
				p.Part = "header"
			}
			break
		}
	}
	return p
}

// onlyParam names the parameter of a URL that has one: it must be that.
func onlyParam(recorded string) string {
	_, query, _ := strings.Cut(recorded, "?")
	name, _, assigned := strings.Cut(query, "=")
	if !assigned || name == "" || strings.Contains(query, "&") || strings.Contains(query, "(") {
		return ""
	}
	return "param " + name
}

func (p Place) clone() Place {
	p.Detail, p.Part, p.Field = strings.Clone(p.Detail), strings.Clone(p.Part), strings.Clone(p.Field)
	p.Near, p.Shape, p.Input = strings.Clone(p.Near), strings.Clone(p.Shape), strings.Clone(p.Input)
	p.Detector, p.Host, p.Class = strings.Clone(p.Detector), strings.Clone(p.Host), strings.Clone(p.Class)
	return p
}

func (p Place) compare(o Place) int {
	for _, pair := range [][2]string{
		{p.Detail, o.Detail}, {p.Part, o.Part}, {p.Field, o.Field}, {p.Near, o.Near}, {p.Shape, o.Shape}, {p.Input, o.Input},
		{p.Detector, o.Detector}, {p.Host, o.Host}, {p.Class, o.Class},
	} {
		if c := strings.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return p.Status - o.Status
}

// String says where it is: "the body, near input lead, looks like hex-24".
func (p Place) String() string {
	var parts []string
	if p.Class != "" {
		parts = append(parts, p.Class)
	}
	switch {
	case p.Field != "":
		parts = append(parts, "the header "+p.Field)
	case p.Part == "body":
		parts = append(parts, "the body")
	case p.Part != "":
		parts = append(parts, "the "+p.Part)
	}
	if p.Near != "" {
		parts = append(parts, "near "+p.Near)
	}
	if p.Shape != "" {
		parts = append(parts, "looks like "+p.Shape)
	}
	if p.Input != "" {
		if p.Part == "" {
			parts = append(parts, p.Input)
		} else {
			parts = append(parts, "the value of the visitor's "+p.Input)
		}
	}
	if p.Detector != "" {
		parts = append(parts, "found by "+p.Detector)
	}
	if p.Status != 0 {
		parts = append(parts, "status "+strconv.Itoa(p.Status))
	}
	if p.Host != "" {
		parts = append(parts, "host "+p.Host)
	}
	if p.Detail != "" {
		parts = append(parts, p.Detail)
	}
	return strings.Join(parts, ", ")
}
