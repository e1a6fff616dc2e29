package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Decode reads one JSON object into the question, and nothing else: a member that the
// question does not have, one that is there twice, or anything that follows, is an error,
// so that a word that is misspelled is never taken for one that is left out, nor one that
// contradicts another for both. An error of the reader is wrapped.
func Decode(r io.Reader, question any) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading the question: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(question); err != nil {
		if err == io.EOF {
			err = errors.New("it is empty")
		}
		return fmt.Errorf("reading the question: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("reading the question: something follows it")
	}
	if name := twice(text); name != "" {
		return fmt.Errorf("reading the question: %q is there twice", name)
	}
	return nil
}

// twice is a member of the JSON object that it has more than once, in whatever letter
// case; the package for JSON would take the last.
func twice(text []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return ""
	}
	var seen []string
	for decoder.More() {
		token, _ := decoder.Token() // it was read before without an error
		name, _ := token.(string)
		if slices.ContainsFunc(seen, func(s string) bool { return strings.EqualFold(s, name) }) {
			return name
		}
		seen = append(seen, name)
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return ""
		}
	}
	return ""
}
