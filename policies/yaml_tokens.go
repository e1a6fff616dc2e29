package policies

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// maxYAMLKeys bounds the keys of one mapping. The YAML parser recurses for each of
// them; the widest mapping of a policy has about a dozen.
const maxYAMLKeys = 1000

// refusedTokens are the parts of YAML that policies do not use. Tags and complex
// keys also nest without an end in sight.
var refusedTokens = map[token.Type][2]string{
	token.TagType:        {"tags (!) are not used in policies", "leave the tag out"},
	token.DirectiveType:  {"directives (%) are not used in policies", "leave the line out"},
	token.MappingKeyType: {"complex keys (?) are not used in policies", "write key: value"},
	token.MergeKeyType:   {"merge keys (<<) are not used in policies", "write the keys out, or alias a whole value"},
}

// yamlNesting follows how deep a stream of tokens nests, before the parser, whose
// recursion could exhaust the stack, sees it.
type yamlNesting struct {
	file   string
	blocks []yamlBlock
	flow   int
	// colon: within [ ] or { }, a colon was met and no comma since.
	colon bool
}

// yamlBlock is a block mapping or sequence, known by its column.
type yamlBlock struct{ column, keys int }

// checkYAMLTokens refuses what the parser should not be given: unused parts of
// YAML, deep nesting, endless mappings.
func checkYAMLTokens(file string, tokens token.Tokens) *Diagnostic {
	y := yamlNesting{file: file}
	for i, tk := range tokens {
		if why, ok := refusedTokens[tk.Type]; ok {
			return y.fault(tk, why[0], why[1])
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			y.flow++
			y.colon = false
		case token.SequenceEndType, token.MappingEndType:
			y.flow = max(0, y.flow-1)
			y.colon = false
		case token.CollectEntryType:
			y.colon = false
		case token.AnchorType: // tk is the &, a name follows
			if i+2 < len(tokens) && tokens[i+2].Type == token.AnchorType {
				return y.fault(tokens[i+2], "a value has two anchors", "give it one")
			}
		case token.SequenceEntryType:
			y.open(tk.Position.Column, 0)
		case token.MappingValueType:
			key := tokens[max(0, i-1)]
			if y.flow > 0 && y.colon {
				return y.fault(key, "a comma is missing before this key", "")
			}
			y.colon = y.flow > 0
			y.open(key.Position.Column, 1)
		}
		if len(y.blocks)+y.flow > maxDepth {
			return y.fault(tk, fmt.Sprintf("the policy nests deeper than %d levels", maxDepth), "")
		}
		if n := len(y.blocks); n > 0 && y.blocks[n-1].keys > maxYAMLKeys {
			return y.fault(tk, fmt.Sprintf("a mapping has more than %d keys", maxYAMLKeys), "")
		}
	}
	return nil
}

// open notes that a key or a dash stands at the column: what stood further right
// is closed by it.
func (y *yamlNesting) open(column, keys int) {
	if y.flow > 0 {
		return
	}
	n := len(y.blocks)
	for n > 0 && y.blocks[n-1].column > column {
		n--
	}
	y.blocks = y.blocks[:n]
	if n == 0 || y.blocks[n-1].column < column {
		y.blocks = append(y.blocks, yamlBlock{column: column})
	}
	y.blocks[len(y.blocks)-1].keys += keys
}

func (y *yamlNesting) fault(tk *token.Token, message, fix string) *Diagnostic {
	return &Diagnostic{Pos: yamlPosition(y.file, tk), Message: message, Fix: fix}
}
