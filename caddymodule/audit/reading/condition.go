package reading

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/cacheward/cacheward/policies"
)

// condition is a compiled expression.
type condition struct {
	// simple are conditions that all must hold as well: they are looked at first, for
	// they cost next to nothing.
	simple  []simple
	program cel.Program // nil if the simple ones say it all
}

// environment of expressions. It is made once: that takes milliseconds.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	// Whole numbers are meant wherever a field has a fraction: ttl_s > 5.
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true)}
	for _, n := range names {
		options = append(options, cel.Variable(n.name, n.typ))
	}
	return cel.NewEnv(options...)
})

// compile returns nil for an expression without anything in it.
func compile(expr string) (*condition, error) {
	if strings.TrimSpace(expr) == "" {
		return nil, nil
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(expr)
	if errs := issues.Errors(); len(errs) > 0 {
		return nil, explain(errs[0], expr)
	}
	if issues.Err() != nil {
		return nil, errors.New(oneLine(issues.Err().Error()))
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("column 1: the expression is of type %s; a condition was expected", t)
	}
	c := &condition{}
	if c.split(checked.NativeRep().Expr()) {
		return c, nil
	}
	// Optimized, a pattern is compiled here and not for each record: one that is none is
	// an error of whoever asks, and no answer.
	if c.program, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize)); err != nil {
		return nil, errors.New(oneLine(err.Error()))
	}
	return c, nil
}

func (c *condition) match(e *Entry) bool {
	for _, s := range c.simple {
		if !s.holds(e) {
			return false
		}
	}
	if c.program == nil {
		return true
	}
	result, _, err := c.program.Eval(activation{e})
	return err == nil && result == types.True
}

// activation gives an expression the values of a record.
type activation struct{ entry *Entry }

// ResolveName implements interpreter.Activation.
func (a activation) ResolveName(s string) (any, bool) {
	n, ok := byName[s]
	if !ok {
		return nil, false
	}
	return n.value(a.entry), true
}

// Parent implements interpreter.Activation.
func (activation) Parent() interpreter.Activation { return nil }

// fieldNames in the order of names.
var fieldNames = func() []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = n.name
	}
	return all
}()

var byName = func() map[string]name {
	m := map[string]name{}
	for _, n := range names {
		m[n.name] = n
	}
	return m
}()

// simple is a condition of the form field == "text" or "text" in reasons.
type simple struct {
	value func(*Entry) any
	want  string
}

func (s simple) holds(e *Entry) bool {
	switch value := s.value(e).(type) {
	case string:
		return value == s.want
	case []string:
		return slices.Contains(value, s.want)
	}
	return false
}

// split takes the simple conditions out of what must hold, and reports whether there is
// nothing else in it.
func (c *condition) split(e ast.Expr) (all bool) {
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
		return false
	}
	call := e.AsCall()
	left, right := call.Args()[0], call.Args()[1]
	switch call.FunctionName() {
	case operators.LogicalAnd:
		first, second := c.split(left), c.split(right)
		return first && second
	case operators.Equals:
		return c.add(left, right, cel.StringType) || c.add(right, left, cel.StringType)
	case operators.In:
		return c.add(right, left, cel.ListType(cel.StringType))
	}
	return false
}

// add adds a condition if it is one on a field of the type with a text.
func (c *condition) add(field, text ast.Expr, typ *cel.Type) bool {
	if text.Kind() != ast.LiteralKind {
		return false
	}
	want, ok := text.AsLiteral().(types.String)
	n, known := byName[qualified(field)]
	if !ok || !known || !n.typ.IsExactType(typ) {
		return false
	}
	c.simple = append(c.simple, simple{value: n.value, want: string(want)})
	return true
}

// qualified is the name that the expression is, such as divergence.class, or empty.
func qualified(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent()
	case ast.SelectKind:
		if of := qualified(e.AsSelect().Operand()); of != "" && !e.AsSelect().IsTestOnly() {
			return of + "." + e.AsSelect().FieldName()
		}
	}
	return ""
}

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	inNested   = regexp.MustCompile(`\b(?:divergence|evidence)\.\w+`)
)

// explain words the compiler's complaint about expr in one line.
func explain(err *common.Error, expr string) error {
	where := fmt.Sprintf("column %d", err.Location.Column()+1)
	if err.Location.Line() > 1 {
		where = fmt.Sprintf("line %d, %s", err.Location.Line(), where)
	}
	m := undeclared.FindStringSubmatch(err.Message)
	if m == nil {
		return fmt.Errorf("%s: %s", where, oneLine(err.Message))
	}
	unknown := m[1]
	if unknown == "divergence" || unknown == "evidence" { // their members are names of their own; these are none
		for _, member := range inNested.FindAllString(expr, -1) {
			if _, known := byName[member]; !known && strings.HasPrefix(member, unknown) {
				unknown = member
				break
			}
		}
	}
	text := fmt.Sprintf("%s: there is no field %q", where, unknown)
	if meant := policies.Suggest(unknown, fieldNames); meant != "" {
		text += "; " + meant
	}
	return errors.New(text)
}

// oneLine is the message without line breaks and without the parser's list of all that
// it would have accepted.
func oneLine(message string) string {
	message, _, _ = strings.Cut(message, " expecting {")
	return strings.Join(strings.Fields(message), " ")
}
