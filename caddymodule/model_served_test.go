package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// forbidden says whether caches further on may store nothing. What the origin has
// told them to the same effect may stay.
func forbidden(h http.Header) bool {
	cdn := h.Get("Cdn-Cache-Control")
	return slices.Equal(h["Cache-Control"], []string{"private, no-store"}) && h["Expires"] == nil &&
		(cdn == "" || strings.Contains(cdn, "no-") || strings.Contains(cdn, "private"))
}

// inTarget are the lifetimes in a targeted field.
var inTarget = regexp.MustCompile(`max-?age="?([0-9]+)`)

// relayed says whether caches further on are told what the origin said, the most restrictive
// of it in every field.
func relayed(answer, said http.Header) bool {
	control, target := strings.ToLower(strings.Join(answer["Cache-Control"], ", ")), said.Get("Cdn-Cache-Control")
	switch {
	case strings.Contains(control, "no-store") && !strings.Contains(control, "must-understand"):
		return true
	case strings.HasPrefix(control, "private"):
		return !strings.Contains(control, "public") && !strings.Contains(control, "s-maxage")
	case strings.Contains(target, "no-"), strings.Contains(target, "private"), target == "max-age=0":
		return false
	}
	for _, found := range inTarget.FindAllStringSubmatch(target, -1) {
		if strings.HasSuffix(control, "max-age="+found[1]) || strings.HasSuffix(control, "s-maxage="+found[1]) {
			return true // it is shorter than what Cache-Control gives
		}
	}
	return slices.Equal(answer["Cache-Control"], said["Cache-Control"]) && slices.Equal(answer["Expires"], said["Expires"])
}

// misrepresents is what is wrong with how a version is served, or "".
func (m *model) misrepresents(v *modelVisit, ver *version, reused bool) string {
	ages := v.answer["Age"]
	age := 0
	if v.status == http.StatusRequestedRangeNotSatisfiable {
		return ver.carriedBy(v) // it is no part of the response, and as old as it is
	}
	if len(ages) > 0 {
		n, err := strconv.Atoi(ages[0])
		if err != nil || n < 0 {
			return fmt.Sprintf("has the age %q", ages)
		}
		age = n
	}
	at := ver.source().received
	if reused {
		at = v.end
	}
	if least := m.age(ver, at) - time.Second; len(ages) > 1 || reused && len(ages) == 0 || time.Duration(age)*time.Second < least {
		return fmt.Sprintf("has the ages %q, at least %s is right", ages, least)
	}
	if wrong := m.permits(v, ver, reused, age); wrong != "" {
		return wrong
	}
	return ver.carriedBy(v)
}

// permits is what is wrong with what caches further on are told, or "".
func (m *model) permits(v *modelVisit, ver *version, reused bool, age int) string {
	left := m.left(ver, v.end)
	cdn, _ := strings.CutPrefix(v.answer.Get("Cdn-Cache-Control"), "max-age=")
	seconds, err := strconv.Atoi(cdn)
	switch {
	case forbidden(v.answer), m.route.relay && relayed(v.answer, ver.header):
		return ""
	case m.route.operator > 0 && reused && err == nil && time.Duration(seconds-age)*time.Second < left+time.Second:
		return ""
	}
	return fmt.Sprintf("permits %q, %q", v.answer["Cache-Control"], v.answer["Cdn-Cache-Control"])
}

// carriedBy is what is wrong with the answer's status and content, or "" (RFC 9110
// §13, §14).
func (ver *version) carriedBy(v *modelVisit) string {
	full, body := ver.base.body, v.body
	switch {
	case v.status == http.StatusNotModified && ver.base.status == http.StatusOK:
		if body != "" || !ver.satisfies(v.header) {
			return "is no answer to this condition"
		}
		return ""
	case v.status == http.StatusPartialContent && ver.base.status == http.StatusOK && v.header["Range"] != nil && v.method == http.MethodGet:
		return partsOf(full, v)
	case v.status == http.StatusRequestedRangeNotSatisfiable && v.header.Get("Range") == "bytes=9999-":
		return ""
	case v.status != ver.base.status:
		return fmt.Sprintf("has the status %d", v.status)
	}
	length := v.answer.Get("Content-Length")
	switch {
	case length != "" && length != strconv.Itoa(len(full)):
		return "has Content-Length " + length
	case v.method == http.MethodHead && body != "", v.method != http.MethodHead && body != full:
		return fmt.Sprintf("has the body %q", body)
	}
	return ""
}

// satisfies says whether a condition makes a 304 of the version (RFC 9110 §13.1.2,
// §13.1.3).
func (ver *version) satisfies(request http.Header) bool {
	if tags := request["If-None-Match"]; tags != nil {
		tag := strings.TrimPrefix(ver.header.Get("Etag"), "W/")
		return tags[0] == "*" || tag != "" && strings.Contains(tags[0], tag)
	}
	modified := ver.header.Get("Last-Modified")
	if modified == "" {
		modified = ver.header.Get("Date")
	}
	since, err := http.ParseTime(request.Get("If-Modified-Since"))
	at, _ := http.ParseTime(modified)
	return err == nil && !at.After(since)
}

// partsOf compares a 206 with what it is part of.
func partsOf(full string, v *modelVisit) string {
	media, parameters, _ := mime.ParseMediaType(v.answer.Get("Content-Type"))
	if length := v.answer.Get("Content-Length"); length != strconv.Itoa(len(v.body)) {
		return "has Content-Length " + length
	}
	if media != "multipart/byteranges" {
		return partOf(full, v.answer.Get("Content-Range"), v.body)
	}
	parts := multipart.NewReader(bytes.NewReader([]byte(v.body)), parameters["boundary"])
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return ""
		} else if err != nil {
			return err.Error()
		}
		body, _ := io.ReadAll(part)
		if wrong := partOf(full, part.Header.Get("Content-Range"), string(body)); wrong != "" {
			return wrong
		}
	}
}

func partOf(full, contentRange, body string) string {
	var first, last, size int
	if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &size); err != nil ||
		size != len(full) || first < 0 || last >= size || first > last || full[first:last+1] != body {
		return fmt.Sprintf("is %q as %s", body, contentRange)
	}
	return ""
}
